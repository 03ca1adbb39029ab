"""Sessions: the back end opens one, whoever holds its token sends media once, the back end asks."""

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from vivant.serving.answers import FullAnswer, PublicAnswer, to_answer
from vivant.serving.keys import Level
from vivant.serving.limits import ServiceLimits
from vivant.serving.problems import Problem, Trouble
from vivant.session.verdict import Verdict

__all__ = ["CheckSession", "CheckSessions", "SeenMedia", "SessionState"]

_TOKEN_BYTES = 16  # 128 bits: nobody guesses one within the life of a session.


class SessionState(StrEnum):
    """Where a session is on its way."""

    OPEN = "open"
    """Waits for its media."""
    JUDGING = "judging"
    """Has them, or gets them now."""
    DONE = "done"
    """Has a verdict."""
    REFUSED = "refused"
    """Its media could not be read or judged: there is a problem, and no verdict."""
    EXPIRED = "expired"
    """Had no media in time."""


@dataclass(slots=True, eq=False)
class CheckSession:
    """One presentation that is expected, or was judged."""

    id: str
    token_sha256: bytes
    expires_at_s: float
    """By the store's clock: until then the media are taken."""
    forgotten_at_s: float
    is_claimed: bool = False
    problem: Problem | None = None
    _full: bytes | None = None
    _public: bytes | None = None

    @property
    def is_judged(self) -> bool:
        """Whether there is a verdict, or a problem with its media."""
        return self._full is not None or self.problem is not None

    def keep(self, verdict: Verdict) -> None:
        """Keep what callers are told of a verdict, as text: no crop, no picture."""
        self._full = to_answer(verdict, Level.TRUSTED).model_dump_json().encode()
        self._public = to_answer(verdict, Level.PUBLIC).model_dump_json().encode()

    def answer(self, level: Level) -> FullAnswer | PublicAnswer | None:
        """What a caller is told of the verdict; None while there is none."""
        if self._full is None or self._public is None:
            return None
        if level is Level.TRUSTED:
            return FullAnswer.model_validate_json(self._full)
        return PublicAnswer.model_validate_json(self._public)

    def is_token(self, token: str) -> bool:
        """Whether it is this session's."""
        return hmac.compare_digest(self.token_sha256, _digest(token))


class CheckSessions:
    """The sessions of one service, in its memory. Not safe to use from threads.

    Args:
        limits: session_s, result_s and max_sessions are looked at.
        clock: Seconds that pass.
    """

    def __init__(self, limits: ServiceLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._sessions: OrderedDict[str, CheckSession] = OrderedDict()

    def open(self) -> tuple[CheckSession, str]:
        """A new session, and its token, which is kept nowhere.

        Raises:
            Problem: BUSY, there are too many.
        """
        now = self._clock()
        self._forget(now)
        if len(self._sessions) >= self._limits.max_sessions:
            raise Problem(
                Trouble.BUSY,
                f"{self._limits.max_sessions} sessions are remembered (max_sessions): try again",
                10.0,
            )
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        expires_at_s = now + self._limits.session_s
        session = CheckSession(
            id=secrets.token_urlsafe(_TOKEN_BYTES),
            token_sha256=_digest(token),
            expires_at_s=expires_at_s,
            forgotten_at_s=expires_at_s + self._limits.result_s,
        )
        self._sessions[session.id] = session
        return session, token

    def find(self, session_id: str) -> CheckSession:
        """The session of that id.

        Raises:
            Problem: NOT_FOUND: there is none, or it is forgotten.
        """
        self._forget(self._clock())
        session = self._sessions.get(session_id)
        if session is None:
            raise Problem(
                Trouble.NOT_FOUND,
                "there is no such session: it never was, or its verdict was kept for "
                f"{self._limits.result_s} seconds (result_s)",
            )
        return session

    def claim(self, session_id: str, token: str) -> CheckSession:
        """Take the session's one right to send media.

        Raises:
            Problem: NOT_FOUND, UNAUTHORIZED, SESSION_USED or SESSION_EXPIRED.
        """
        session = self.find(session_id)
        if not session.is_token(token):
            raise Problem(Trouble.UNAUTHORIZED, "expected the token of this session")
        if session.is_claimed:
            raise Problem(
                Trouble.SESSION_USED, "this session has its media already: open another session"
            )
        if self._clock() >= session.expires_at_s:
            raise Problem(
                Trouble.SESSION_EXPIRED,
                f"expected the media within {self._limits.session_s} seconds (session_s): open "
                "another session",
            )
        session.is_claimed = True
        return session

    def release(self, session: CheckSession) -> None:
        """Give the right back: the media did not arrive, or there was no room to judge them."""
        session.is_claimed = False

    def finish(self, session: CheckSession, outcome: Verdict | Problem) -> None:
        """Keep what came of the media."""
        if isinstance(outcome, Problem):
            session.problem = outcome
        else:
            session.keep(outcome)
        session.forgotten_at_s = self._clock() + self._limits.result_s
        self._sessions.move_to_end(session.id)

    def state(self, session: CheckSession) -> SessionState:
        """Where it is on its way."""
        if session.problem is not None:
            return SessionState.REFUSED
        if session.is_judged:
            return SessionState.DONE
        if session.is_claimed:
            return SessionState.JUDGING
        is_late = self._clock() >= session.expires_at_s
        return SessionState.EXPIRED if is_late else SessionState.OPEN

    def expires_in_s(self, session: CheckSession) -> float:
        """Seconds that are left to send media; 0 where it is too late."""
        return max(0.0, session.expires_at_s - self._clock())

    def _forget(self, now: float) -> None:
        late = [
            one
            for one in self._sessions.values()
            if now >= one.forgotten_at_s and self.state(one) is not SessionState.JUDGING
        ]
        for session in late:
            del self._sessions[session.id]


class SeenMedia:
    """Notices media that were sent before, by a keyed digest. Not safe to use from threads.

    Args:
        secret: Key of the digests: without it nobody can ask whether some file was sent.
        max_digests: How many are remembered: beyond, the oldest is forgotten.
    """

    def __init__(self, secret: bytes, max_digests: int = 100_000) -> None:
        self._secret = secret
        self._max_digests = max_digests
        self._owners: OrderedDict[bytes, str] = OrderedDict()

    def digest(self) -> "hmac.HMAC":
        """A digest to feed media to, as one piece or in many."""
        return hmac.new(self._secret, digestmod=hashlib.sha256)

    def is_new(self, digest: bytes, owner: str) -> bool:
        """Remember media, and say whether no other owner has sent them.

        Args:
            digest: Of all of their bytes.
            owner: Id of the session.
        """
        first = self._owners.setdefault(digest, owner)
        if len(self._owners) > self._max_digests:
            self._owners.popitem(last=False)
        return first == owner


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
