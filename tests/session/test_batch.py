"""Many files: their order, their errors, what is in memory, and what goes on at the same time."""

import threading
import weakref
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future

import numpy as np
import pytest

from clocks import PATIENCE_S
from evaluations import GreyRunner
from made_up import MadeUpRunner
from media import pattern, video
from people import person_video
from text_session import TextSession, seen
from vivant.errors import InputError, MediaError, WeightsError
from vivant.records import Scores
from vivant.session.batch import _take, check_many, conclude_each
from vivant.session.clip import Seen
from vivant.session.session import Session
from vivant.session.verdict import Verdict


def score(answer: Verdict | Exception) -> float | None:
    assert isinstance(answer, Verdict)
    return answer.bona_fide_score


class Pausing(TextSession):
    """`slow ...` is seen only once `go` is set."""

    def __init__(self, runner: MadeUpRunner | None = None) -> None:
        super().__init__(runner)
        self.go = threading.Event()

    def see(self, source: bytes, *, rate: float = 30.0) -> Seen:
        if source.startswith(b"slow"):
            assert self.go.wait(PATIENCE_S)
            return super().see(source.removeprefix(b"slow "))
        found = super().see(source)
        self.go.set()
        return found


def test_answers_come_in_the_order_of_the_sources_though_the_first_is_the_slowest() -> None:
    sources = [b"slow 51", b"102", b"153", b"204"]
    answers = list(check_many(Pausing(), sources, num_workers=3))
    assert [source for source, _ in answers] == sources
    assert [score(answer) for _, answer in answers] == pytest.approx([0.2, 0.4, 0.6, 0.8])


def test_what_happens_to_one_file_is_its_answer_alone() -> None:
    session = TextSession()
    sources = [b"bad", b"51", b"bug", b"", b"204"]
    answers = [answer for _, answer in check_many(session, sources, num_workers=2)]
    assert isinstance(answers[0], MediaError)
    assert isinstance(answers[2], ZeroDivisionError)
    assert [score(answers[at]) for at in (1, 3, 4)] == [
        pytest.approx(0.2),
        None,
        pytest.approx(0.8),
    ]


def test_verdicts_are_those_of_one_check_after_the_other() -> None:
    nobody = video([pattern(i, 640, 480) for i in range(6)], rate=10)
    sources = [person_video(12), b"no video", nobody, person_video(9), person_video(3)]
    with Session(GreyRunner()) as session:
        together = [answer for _, answer in check_many(session, sources, num_workers=2)]
        alone: list[Verdict | Exception] = []
        for source in sources:
            try:
                alone.append(session.check(source))
            except MediaError as error:
                alone.append(error)
    for one, other in zip(together, alone, strict=True):
        if isinstance(other, MediaError):
            assert isinstance(one, MediaError)
            assert (one.code, str(one)) == (other.code, str(other))
            continue
        assert isinstance(one, Verdict)
        assert one.decision is other.decision
        assert (one.reasons, one.cautions) == (other.reasons, other.cautions)
        assert one.bona_fide_score == other.bona_fide_score
        assert (one.num_looks, one.num_faces) == (other.num_looks, other.num_faces)
        for window, expected in zip(one.windows, other.windows, strict=True):
            assert (window.times_s, window.crop) == (expected.times_s, expected.crop)
            np.testing.assert_array_equal(window.crops, expected.crops)


@pytest.mark.parametrize("batch_clips", [1, 3, 8])
def test_no_run_of_the_network_has_more_clips_than_allowed(batch_clips: int) -> None:
    runner = GreyRunner()
    sources = [b"10 20", b"30", b"40 50 60 70", b"", b"80", b"90 100"] * 3
    answers = check_many(TextSession(runner), sources, num_workers=4, batch_clips=batch_clips)
    assert len(list(answers)) == len(sources)
    sizes = [len(clips) for clips in runner.clips]
    assert sum(sizes) == 3 * 10
    assert max(sizes) <= batch_clips


def done(greys: list[int]) -> Future[Seen | Exception]:
    future: Future[Seen | Exception] = Future()
    future.set_result(seen(greys))
    return future


def test_a_batch_is_what_is_ready_and_fits() -> None:
    waiting = deque(
        [(b"a", done([1, 2])), (b"b", done([])), (b"c", done([3])), (b"d", done([4, 5]))]
    )
    ready = _take(waiting, 4)
    assert [source for source, _ in ready] == [b"a", b"b", b"c"]
    assert [source for source, _ in waiting] == [b"d"]
    waiting = deque([(b"a", done([1, 2])), (b"b", Future()), (b"c", done([3]))])
    assert [source for source, _ in _take(waiting, 8)] == [b"a"]
    waiting = deque([(b"large", done([1, 2, 3, 4]))])
    assert [source for source, _ in _take(waiting, 2)] == [b"large"]


def test_no_more_files_are_begun_than_two_a_worker() -> None:
    taken: list[int] = []

    def sources() -> Iterator[bytes]:
        for number in range(20):
            taken.append(number)
            yield b"51"

    answers = check_many(TextSession(), sources(), num_workers=2, batch_clips=1)
    assert taken == []
    next(answers)
    assert len(taken) == 5  # Four, and one that took the place of the one that was judged.
    next(answers)
    assert len(taken) == 6
    assert len(list(answers)) == 18


def test_the_next_files_are_seen_while_the_network_runs() -> None:
    third = threading.Event()

    class Telling(TextSession):
        def see(self, source: bytes, *, rate: float = 30.0) -> Seen:
            if source == b"3":
                third.set()
            return super().see(source)

    class Waiting(GreyRunner):
        def run(self, clips: np.ndarray) -> Scores:
            assert third.wait(PATIENCE_S)
            return super().run(clips)

    # One worker has two files at first: the third is begun because the first went to the network.
    answers = check_many(Telling(Waiting()), [b"1", b"2", b"3"], num_workers=1, batch_clips=1)
    assert len(list(answers)) == 3


class Failing(GreyRunner):
    """Breaks over clips of grey level 13."""

    def run(self, clips: np.ndarray) -> Scores:
        if (clips == 13).any():
            raise WeightsError("the network's score is not finite")
        return super().run(clips)


def test_a_failure_of_the_network_is_of_the_one_it_fails_over() -> None:
    session = TextSession(Failing())
    for batch in ([[51], [13], [204]], [[13, 51]]):
        answers = conclude_each(session, [seen(greys) for greys in batch], 8)
        failed = [isinstance(answer, WeightsError) for answer in answers]
        assert failed == [13 in greys for greys in batch]
    answers = [answer for _, answer in check_many(session, [b"51", b"13", b"204"], num_workers=3)]
    assert [isinstance(answer, WeightsError) for answer in answers] == [False, True, False]


def test_an_error_does_not_keep_what_was_in_memory() -> None:
    class Large(set):  # A list or an array of its own, that can be referred to weakly.
        pass

    kept: list[weakref.ref[Large]] = []

    class Breaking(TextSession):
        def see(self, source: bytes, *, rate: float = 30.0) -> Seen:
            frames = Large()
            kept.append(weakref.ref(frames))
            raise ValueError("broken")

    ((_, error),) = check_many(Breaking(), [b"1"], num_workers=1)
    assert isinstance(error, ValueError)
    assert kept[0]() is None


def test_closing_ends_the_workers_and_begins_nothing_more() -> None:
    session = TextSession()
    answers = check_many(session, [b"51"] * 50, num_workers=2, batch_clips=1)
    next(answers)
    answers.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("vivant-see")]
    assert len(session.texts) <= 5


def test_no_sources_are_no_answers_and_bad_numbers_are_refused_at_once() -> None:
    assert list(check_many(TextSession(), [])) == []
    with pytest.raises(InputError, match="expected at least one worker, got 0"):
        check_many(TextSession(), [b"51"], num_workers=0)
    with pytest.raises(InputError, match="expected at least one clip in a run"):
        check_many(TextSession(), [b"51"], batch_clips=0)
