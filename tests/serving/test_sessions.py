"""The store of sessions: one right to send media each, for a while, and what came of it."""

import hashlib
import hmac

import pytest

from made_up import MadeUpRunner
from text_session import TextSession, seen
from vivant.errors import Refusal
from vivant.serving.keys import Level
from vivant.serving.limits import ServiceLimits
from vivant.serving.problems import Problem, Trouble
from vivant.serving.sessions import CheckSessions, SeenMedia, SessionState
from vivant.session.verdict import Verdict


class Clock:
    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    return TextSession(MadeUpRunner(0.9)).conclude([seen([10])])[0]


def store(clock: Clock, **limits: int) -> CheckSessions:
    return CheckSessions(ServiceLimits(**limits), clock)


def code_of(sessions: CheckSessions, number: str, token: str) -> object:
    with pytest.raises(Problem) as caught:
        sessions.claim(number, token)
    return caught.value.code


def test_id_and_token_have_128_bits_and_are_never_the_same(clock: Clock) -> None:
    sessions = store(clock)
    opened = [sessions.open() for _ in range(50)]
    words = {session.id for session, _ in opened} | {token for _, token in opened}
    assert len(words) == 100
    assert {len(word) for word in words} == {22}  # 22 * 6 bits >= 128.


def test_store_keeps_a_token_s_hash_alone(clock: Clock) -> None:
    session, token = store(clock).open()
    kept = [getattr(session, name) for name in session.__slots__]
    assert token not in kept
    assert hashlib.sha256(token.encode()).digest() in kept


def test_token_opens_its_own_session_alone(clock: Clock) -> None:
    sessions = store(clock)
    (mine, token), (other, others) = sessions.open(), sessions.open()
    for wrong in (others, "", token + "x", token[:-1], mine.id, mine.token_sha256.hex(), "\udcff"):
        assert code_of(sessions, mine.id, wrong) is Trouble.UNAUTHORIZED
    assert code_of(sessions, "no-such", token) is Trouble.NOT_FOUND
    assert not mine.is_claimed
    assert sessions.claim(mine.id, token) is mine
    assert not other.is_claimed


def test_right_is_taken_once(clock: Clock) -> None:
    sessions = store(clock)
    session, token = sessions.open()
    sessions.claim(session.id, token)
    assert code_of(sessions, session.id, token) is Trouble.SESSION_USED
    clock.now_s += 500  # Used and late: used says more.
    assert code_of(sessions, session.id, token) is Trouble.SESSION_USED


def test_who_has_no_token_is_not_told_that_it_was_used(clock: Clock) -> None:
    sessions = store(clock)
    session, token = sessions.open()
    sessions.claim(session.id, token)
    assert code_of(sessions, session.id, "guess") is Trouble.UNAUTHORIZED


def test_media_are_taken_until_the_time_is_over_and_not_then(clock: Clock) -> None:
    sessions = store(clock, session_s=180)
    (first, token), (second, late) = sessions.open(), sessions.open()
    assert sessions.expires_in_s(first) == 180
    clock.now_s += 179.9
    assert sessions.claim(first.id, token) is first
    clock.now_s += 0.1
    with pytest.raises(Problem, match=r"within 180 seconds \(session_s\)") as caught:
        sessions.claim(second.id, late)
    assert (caught.value.code, caught.value.status) == (Trouble.SESSION_EXPIRED, 410)
    assert sessions.state(second) is SessionState.EXPIRED
    assert sessions.expires_in_s(second) == 0


def test_right_that_is_given_back_can_be_taken_again_in_time(clock: Clock) -> None:
    sessions = store(clock, session_s=10)
    session, token = sessions.open()
    sessions.claim(session.id, token)
    sessions.release(session)
    assert sessions.state(session) is SessionState.OPEN
    assert sessions.claim(session.id, token) is session
    sessions.release(session)
    clock.now_s += 10
    assert code_of(sessions, session.id, token) is Trouble.SESSION_EXPIRED


def test_states_on_the_way_to_a_verdict(clock: Clock, verdict: Verdict) -> None:
    sessions = store(clock)
    session, token = sessions.open()
    states = [sessions.state(session)]
    sessions.claim(session.id, token)
    states.append(sessions.state(session))
    sessions.finish(session, verdict)
    states.append(sessions.state(session))
    assert states == [SessionState.OPEN, SessionState.JUDGING, SessionState.DONE]
    kept = session.answer(Level.TRUSTED)
    assert (kept.decision, kept.bona_fide_score) == ("bona_fide", verdict.bona_fide_score)
    assert "score" not in session.answer(Level.PUBLIC).model_dump_json()
    assert session.problem is None
    assert code_of(sessions, session.id, token) is Trouble.SESSION_USED


def test_refused_media_leave_a_problem_and_no_verdict(clock: Clock) -> None:
    sessions = store(clock)
    session, token = sessions.open()
    sessions.claim(session.id, token)
    sessions.finish(session, Problem(Refusal.CORRUPT_MEDIA, "damaged"))
    assert sessions.state(session) is SessionState.REFUSED
    assert session.answer(Level.TRUSTED) is None
    assert session.is_judged
    assert code_of(sessions, session.id, token) is Trouble.SESSION_USED


def test_verdict_is_kept_for_its_time_from_when_it_was_given(
    clock: Clock, verdict: Verdict
) -> None:
    sessions = store(clock, session_s=100, result_s=30)
    session, token = sessions.open()
    clock.now_s += 90
    sessions.claim(session.id, token)
    sessions.finish(session, verdict)
    clock.now_s += 29.9
    assert sessions.find(session.id) is session
    clock.now_s += 0.1
    with pytest.raises(Problem, match=r"30 seconds \(result_s\)") as caught:
        sessions.find(session.id)
    assert caught.value.code is Trouble.NOT_FOUND


def test_session_without_media_is_forgotten_in_the_end(clock: Clock) -> None:
    sessions = store(clock, session_s=10, result_s=5)
    session, _ = sessions.open()
    clock.now_s += 14.9
    assert sessions.state(sessions.find(session.id)) is SessionState.EXPIRED
    clock.now_s += 0.1
    with pytest.raises(Problem, match="there is no such session"):
        sessions.find(session.id)


def test_session_whose_media_take_long_is_not_forgotten_meanwhile(
    clock: Clock, verdict: Verdict
) -> None:
    sessions = store(clock, session_s=10, result_s=5)
    session, token = sessions.open()
    sessions.claim(session.id, token)
    clock.now_s += 60  # A long stream.
    assert sessions.state(sessions.find(session.id)) is SessionState.JUDGING
    sessions.finish(session, verdict)
    assert sessions.find(session.id).answer(Level.PUBLIC).decision == "bona_fide"
    clock.now_s += 5
    with pytest.raises(Problem, match="there is no such session"):
        sessions.find(session.id)


def test_store_is_bounded_and_forgetting_makes_room(clock: Clock) -> None:
    sessions = store(clock, max_sessions=2, session_s=10, result_s=5)
    sessions.open()
    clock.now_s += 5
    sessions.open()
    with pytest.raises(Problem, match=r"2 sessions are remembered \(max_sessions\)") as caught:
        sessions.open()
    assert (caught.value.code, caught.value.headers["Retry-After"]) == (Trouble.BUSY, "10")
    clock.now_s += 10
    sessions.open()
    with pytest.raises(Problem, match="max_sessions"):
        sessions.open()


def test_session_keeps_words_and_no_picture(clock: Clock, verdict: Verdict) -> None:
    sessions = store(clock)
    session, token = sessions.open()
    sessions.claim(session.id, token)
    sessions.finish(session, verdict)
    kept = [getattr(session, name) for name in session.__slots__]
    assert not any(isinstance(one, Verdict) for one in kept)
    for one in kept:
        assert not isinstance(one, bytes) or (len(one) < 5000 and b"base64" not in one)


def digest_of(media: SeenMedia, data: bytes) -> bytes:
    digest = media.digest()
    digest.update(data)
    return digest.digest()


def test_media_are_new_to_the_owner_who_sent_them_first() -> None:
    media = SeenMedia(b"k" * 32)
    film, other = digest_of(media, b"film"), digest_of(media, b"other film")
    assert media.is_new(film, "first")
    assert not media.is_new(film, "second")
    assert not media.is_new(film, "third")
    assert media.is_new(film, "first"), "a second try of the same session is no replay"
    assert media.is_new(other, "second")


def test_digest_is_keyed() -> None:
    digest = digest_of(SeenMedia(b"k" * 32), b"film")
    assert digest == hmac.new(b"k" * 32, b"film", "sha256").digest()
    assert digest != hashlib.sha256(b"film").digest()
    assert digest != digest_of(SeenMedia(b"l" * 32), b"film")


def test_digest_takes_media_in_pieces() -> None:
    media = SeenMedia(b"k" * 32)
    digest = media.digest()
    for piece in (b"fi", b"", b"lm"):
        digest.update(piece)
    assert digest.digest() == digest_of(media, b"film")


def test_oldest_media_are_forgotten() -> None:
    media = SeenMedia(b"k" * 32, max_digests=2)
    one, two, three = (digest_of(media, data) for data in (b"1", b"2", b"3"))
    assert media.is_new(one, "a")
    assert media.is_new(two, "a")
    assert media.is_new(three, "a")  # Forgets the first ...
    assert not media.is_new(two, "b")
    assert not media.is_new(three, "b")
    assert media.is_new(one, "b")  # ... which is new to anybody.
    assert len(media._owners) == 2
