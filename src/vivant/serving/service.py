"""What all routes share: the model, the queue, the callers, the sessions."""

import asyncio
import dataclasses
import hmac
import logging
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from vivant.records import Finding, Reason
from vivant.serving.audit import AuditLog, of_outcome
from vivant.serving.counters import Counters
from vivant.serving.judge import Judge, Judging
from vivant.serving.keys import Keys, Level
from vivant.serving.limits import ServiceLimits
from vivant.serving.media import Media
from vivant.serving.problems import Problem, Trouble
from vivant.serving.rates import Rates, of_address
from vivant.serving.self_test import require_working
from vivant.serving.sessions import CheckSession, CheckSessions, SeenMedia
from vivant.session.session import Session
from vivant.session.verdict import Decision, Verdict

__all__ = ["Asked", "Caller", "MediaTrail", "Service", "bearer", "client_of", "service_of"]

log = logging.getLogger("vivant.serving")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    name: str
    """For logs and audit records."""
    level: Level


class Service:
    """The parts of a running service. For one event loop.

    Args:
        session: Judges. It stays the caller's to close.
        limits: Of requests.
        keys: Who may call; None: anyone may, and is trusted.
        audit: Where verdicts are written down; None: nowhere.
        num_workers: Presentations that are watched at a time.
        judge: Who judges presentations that are sent whole; None: the session, in this process.
            What a stream films the session judges.
        clock: Seconds that pass, for how long sessions are kept, how often a client may ask, and
            which frames of a stream come late. Deadlines of requests are the event loop's.
    """

    def __init__(
        self,
        session: Session,
        limits: ServiceLimits,
        *,
        keys: Keys | None,
        audit: AuditLog | None,
        num_workers: int,
        judge: Judging | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.session = session
        self.limits = limits
        self.keys = keys
        self.num_workers = num_workers
        self.clock = clock
        self.judge: Judging = judge or Judge(session, limits, num_workers)
        self.sessions = CheckSessions(limits, clock)
        self.seen_media = SeenMedia(secrets.token_bytes(32))
        self.counters = Counters(lambda: self.judge.num_pending, lambda: self.is_ready)
        self.num_streams: dict[str, int] = {}
        self.stream_threads = ThreadPoolExecutor(limits.max_streams + 1, "vivant-stream")
        self.is_tested = False
        self.is_draining = False
        self._audit = audit
        self._rates = Rates(
            limits.requests_per_minute / 60, float(limits.request_burst), clock=clock
        )

    @property
    def is_ready(self) -> bool:
        """Whether new requests are welcome."""
        return self.is_tested and self.judge.is_up and not self.is_draining

    def test_itself(self) -> None:
        """Decode a picture, look at it and run the network, before anybody waits for it.

        Raises:
            VivantError: it does not work.
        """
        require_working(self.session)
        self.is_tested = True

    def identify(self, connection: HTTPConnection, secret: str | None) -> Caller:
        """Who asks, unless it asks too often.

        Args:
            connection: The request.
            secret: The key that it shows; None: none.

        Raises:
            Problem: RATE_LIMITED; UNAUTHORIZED, where keys are needed.
        """
        key = self.keys.find(secret) if self.keys is not None and secret is not None else None
        caller = None if key is None else Caller(key.name, key.level)
        self.limit_rate(connection, caller)
        if self.keys is None:
            return Caller("anyone", Level.TRUSTED)
        if caller is None:
            raise Problem(
                Trouble.UNAUTHORIZED,
                "expected a key as `Authorization: Bearer KEY`, got "
                f"{'none' if secret is None else 'one that is not known'}: "
                "`vivant key add` makes one",
            )
        return caller

    def limit_rate(self, connection: HTTPConnection, caller: Caller | None = None) -> None:
        """Count a request.

        Raises:
            Problem: RATE_LIMITED.
        """
        wait_s = self._rates.take(client_of(connection, caller))
        if wait_s > 0:
            raise Problem(
                Trouble.RATE_LIMITED,
                f"expected at most {self.limits.requests_per_minute:g} requests a minute "
                f"(requests_per_minute), {self.limits.request_burst} at once (request_burst)",
                wait_s,
            )

    async def drain(self) -> None:
        """Wait until nothing is in work, and end the threads."""
        await self.judge.drain()
        self.stream_threads.shutdown()

    async def check(self, media: Media, caller: Caller, request_id: str) -> Verdict:
        """Judge a presentation, count it and write it down.

        Raises:
            Problem: it is refused, or there is no room.
        """
        return await self._judged(media, caller.name, request_id, None)

    async def check_in_session(
        self, media: Media, session: CheckSession, request_id: str
    ) -> Verdict:
        """The same for a session's media: media of another session are never decided on.

        Raises:
            Problem: as `check` does; what is the media's fault is kept in the session.
        """
        return await self._judged(media, "session", request_id, session)

    async def _judged(
        self,
        media: Media,
        caller: str,
        request_id: str,
        session: CheckSession | None,
    ) -> Verdict:
        trail = MediaTrail(self)
        await asyncio.get_running_loop().run_in_executor(None, trail.add_all, media)
        outcome: Verdict | Problem
        try:
            outcome = await self.judge.check(media.source, media.rate)
        except Problem as problem:
            if problem.is_passing:
                raise
            outcome = problem
        except Exception as error:
            log.exception("a check failed")
            outcome = Problem(
                Trouble.FAILED, f"the service could not judge ({type(error).__name__}): try again"
            )
        return await self.conclude(outcome, trail, caller, request_id, session)

    async def conclude(
        self,
        outcome: Verdict | Problem,
        trail: "MediaTrail",
        caller: str,
        request_id: str,
        session: CheckSession | None,
    ) -> Verdict:
        """The end of every check: flag media that were seen before, write down, keep, count.

        Raises:
            Problem: the outcome, where it is one.
        """
        # What this service failed at may come again, in another session.
        is_ours = isinstance(outcome, Problem) and outcome.code is Trouble.FAILED
        if (
            session is not None
            and not is_ours
            and not self.seen_media.is_new(trail.seen.digest(), session.id)
        ):
            outcome = outcome if isinstance(outcome, Problem) else _undecided(outcome)
        if self._audit is not None:
            assert trail.audited is not None
            record = of_outcome(
                outcome,
                request=request_id,
                caller=caller,
                session=None if session is None else session.id,
                media_hmac=trail.audited.hexdigest(),
                num_bytes=trail.num_bytes,
                model=self.session.model,
            )
            # Before anybody hears of it: a verdict that is not written down is not given.
            await asyncio.get_running_loop().run_in_executor(None, self._audit.write, record)
        if session is not None:
            self.sessions.finish(session, outcome)
        if isinstance(outcome, Problem):
            raise outcome
        self.counters.count(outcome)
        return outcome

    def audit_digest(self) -> "hmac.HMAC | None":
        """A digest for the audit record; None where there is no audit."""
        return None if self._audit is None else self._audit.digest()


class MediaTrail:
    """What is kept of media once they are judged: its keyed digests and its size."""

    def __init__(self, service: Service) -> None:
        self.seen = service.seen_media.digest()
        self.audited = service.audit_digest()
        self.num_bytes = 0

    def add_all(self, media: Media) -> None:
        """Feed all of a presentation."""
        for part in media.parts:
            self.add(part)

    def add(self, part: bytes) -> None:
        """Feed a file, or the next frame, to the digests."""
        # With its length: the same bytes cut otherwise are other media.
        for digest in filter(None, (self.seen, self.audited)):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        self.num_bytes += len(part)


_SEEN_BEFORE = Finding(
    Reason.MEDIA_SEEN_BEFORE,
    "the same bytes were sent in another session: film a new presentation",
)


def _undecided(verdict: Verdict) -> Verdict:
    """The verdict, undecided, for media that were seen before."""
    reasons = (*verdict.reasons, _SEEN_BEFORE)
    return dataclasses.replace(verdict, decision=Decision.NO_DECISION, reasons=reasons)


def service_of(connection: HTTPConnection) -> Service:
    """The service that a request, or a socket, came to."""
    service = connection.app.state.service
    assert isinstance(service, Service)
    return service


Asked = Annotated[Service, Depends(service_of)]
"""A route's parameter. No route is a closure over its service: FastAPI keeps routes for ever."""


def bearer(authorization: str | None) -> str | None:
    """The key or token of an `Authorization` header; None where there is none.

    >>> bearer("Bearer abc")
    'abc'
    """
    scheme, _, secret = (authorization or "").partition(" ")
    return secret.strip() or None if scheme.lower() == "bearer" else None


def client_of(connection: HTTPConnection, caller: Caller | None = None) -> str:
    """Whom requests are counted for: a trusted key's owner, wherever they are, else an address.

    A public key is many people's: one of them must not use up what the others may ask.
    """
    host = connection.client.host if connection.client is not None else "local"
    address = of_address(host)
    if caller is None or caller.name == "anyone":
        return address
    return f"key {caller.name}" + ("" if caller.level is Level.TRUSTED else f" at {address}")
