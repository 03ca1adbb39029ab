"""The queue: bounded, in batches, patient for so long, and drained in the end."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from clocks import SkipClock, settle, until
from made_up import MadeUpRunner
from people import person_video
from vivant.errors import Refusal
from vivant.records import Scores
from vivant.serving.judge import Judge
from vivant.serving.limits import ServiceLimits
from vivant.serving.problems import Problem, Trouble
from vivant.session.clip import Seen
from vivant.session.session import Session
from vivant.session.verdict import Decision


class HeldRunner(MadeUpRunner):
    """Answers when the test says so."""

    def __init__(self, score: float = 0.9) -> None:
        super().__init__(score)
        self.is_reached, self.may_go = threading.Event(), threading.Event()

    def run(self, clips: object) -> Scores:
        self.is_reached.set()
        assert self.may_go.wait(120)
        return super().run(clips)


def judged(
    work: Callable[[Judge], Awaitable[object]],
    runner: MadeUpRunner,
    num_workers: int = 2,
    clock: SkipClock | None = None,
    **limits: float,
) -> object:
    async def run() -> object:
        with Session(runner, isolated=False) as session:
            judge = Judge(session, ServiceLimits(**limits), num_workers)
            try:
                return await work(judge)
            finally:
                await judge.drain()

    return (clock or SkipClock()).run(run())


def test_many_at_once_are_all_answered_in_few_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = HeldRunner()
    see, num_seen = Session.see, 0

    def see_and_count(self: Session, source: object, *, rate: float) -> Seen:
        nonlocal num_seen
        seen = see(self, source, rate=rate)
        num_seen += 1
        return seen

    monkeypatch.setattr(Session, "see", see_and_count)

    async def work(judge: Judge) -> object:
        loop = asyncio.get_running_loop()
        begun = [loop.create_task(judge.check(person_video(), 30.0)) for _ in range(6)]
        await until(lambda: num_seen == 6 and judge._num_watched == 0, "all six were watched")
        runner.may_go.set()
        return await asyncio.gather(*begun)

    verdicts = judged(work, runner, max_waiting=4)
    assert [verdict.decision for verdict in verdicts] == [Decision.BONA_FIDE] * 6
    assert sum(len(clips) for clips in runner.clips) == 24
    # While the first run was held, others were watched: they shared runs of at most 8 clips.
    assert 3 <= len(runner.clips) < 6
    assert max(len(clips) for clips in runner.clips) == 8


def test_beyond_the_queue_is_busy_with_the_time_to_come_back() -> None:
    runner = HeldRunner()

    async def work(judge: Judge) -> object:
        loop = asyncio.get_running_loop()
        begun = [loop.create_task(judge.check(person_video(), 30.0)) for _ in range(3)]
        await settle()
        assert judge.num_pending == 3
        with pytest.raises(Problem) as refused:
            await judge.check(person_video(), 30.0)
        with pytest.raises(Problem):
            judge.require_room()
        runner.may_go.set()
        await asyncio.gather(*begun)
        assert judge.num_pending == 0
        judge.require_room()
        return refused.value

    problem = judged(work, runner, num_workers=2, max_waiting=1)
    assert (problem.code, problem.status) == (Trouble.BUSY, 503)
    assert "max_waiting" in problem.detail
    assert int(problem.headers["Retry-After"]) >= 1


def test_who_waits_too_long_is_told_and_the_place_stays_taken() -> None:
    runner, clock = HeldRunner(), SkipClock()

    async def work(judge: Judge) -> object:
        begun = asyncio.get_running_loop().create_task(judge.check(person_video(), 30.0))
        await until(runner.is_reached.is_set, "the network is reached")
        await clock.skip_here(601)
        with pytest.raises(Problem) as late:
            await begun
        assert judge.num_pending == 1, "the work goes on"
        runner.may_go.set()
        return late.value

    problem = judged(work, runner, clock=clock, answer_timeout_s=600)
    assert (problem.code, problem.status) == (Refusal.TIMEOUT, 503)
    assert "answer_timeout_s" in problem.detail


def test_refused_media_do_not_disturb_the_others() -> None:
    async def work(judge: Judge) -> object:
        given = [b"no video", person_video(), person_video()[:1000]]
        return await asyncio.gather(
            *(judge.check(data, 30.0) for data in given), return_exceptions=True
        )

    first, second, third = judged(work, MadeUpRunner(0.2))
    assert (first.code, first.status) == (Refusal.UNSUPPORTED_FORMAT, 415)
    assert second.decision is Decision.ATTACK
    assert (third.code, third.status) == (Refusal.CORRUPT_MEDIA, 422)


def test_draining_waits_for_what_was_begun() -> None:
    runner = HeldRunner()

    async def work(judge: Judge) -> object:
        begun = asyncio.get_running_loop().create_task(judge.check(person_video(), 30.0))
        await until(runner.is_reached.is_set, "the network is reached")
        drained = asyncio.get_running_loop().create_task(judge.drain())
        await settle()
        assert not drained.done()
        runner.may_go.set()
        await drained
        assert judge.num_pending == 0
        return await begun

    assert judged(work, runner).decision is Decision.BONA_FIDE
