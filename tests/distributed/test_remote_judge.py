"""A judge whose presentations are judged elsewhere: answers, refusals, deaths and places."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from clocks import JumpClock, settle
from made_up import MadeUpRunner
from people import person_video
from vivant.distributed.replicas import CheckerPlan, Refused
from vivant.errors import Refusal, WeightsError
from vivant.serving.judge import Judging
from vivant.serving.limits import ServiceLimits
from vivant.serving.problems import Problem, Trouble
from vivant.session.session import Session
from vivant.session.verdict import Verdict

if TYPE_CHECKING:
    from ray.exceptions import ActorDiedError

    from vivant.distributed.remote_judge import RemoteJudge


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    with Session(MadeUpRunner(0.9), isolated=False) as session:
        return session.check(person_video())


class Replies:
    """Stands for the replicas: answers in this order; an error is raised."""

    def __init__(self, *replies: object) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[object, float]] = []

    async def __call__(self, source: object, rate: float) -> Verdict | Refused:
        self.asked.append((source, rate))
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        assert isinstance(reply, Verdict | Refused)
        return reply


def judged(
    ask: Callable[[object, float], Awaitable[Verdict | Refused]],
    work: "Callable[[RemoteJudge], Awaitable[object]] | None" = None,
    num_replicas: int = 1,
    **limits: float,
) -> object:
    """Judge one presentation, or do that work with the judge; its pauses and timeouts take no time."""
    from vivant.distributed.remote_judge import RemoteJudge

    async def run() -> object:
        plan = CheckerPlan.made(ServiceLimits(**limits))
        judge = RemoteJudge(ask, lambda: num_replicas, plan)
        assert isinstance(judge, Judging)
        done = await (judge.check(b"media", 25.0) if work is None else work(judge))
        await judge.drain()
        return done

    return JumpClock().run(run())


def died() -> "ActorDiedError":
    from ray.exceptions import ActorDiedError

    return ActorDiedError()


def test_answer_is_the_replicas(verdict: Verdict) -> None:
    replies = Replies(verdict)
    assert judged(replies) is verdict
    assert replies.asked == [(b"media", 25.0)]


def test_refusal_is_the_same_problem_and_is_not_asked_again() -> None:
    replies = Replies(Refused(Refusal.TOO_LONG, "expected 10 s, got 20 s", None))
    with pytest.raises(Problem, match="expected 10 s, got 20 s") as refused:
        judged(replies)
    assert (refused.value.code, refused.value.status) == (Refusal.TOO_LONG, 422)
    assert len(replies.asked) == 1


def test_replica_that_dies_costs_a_retry(
    verdict: Verdict, caplog: pytest.LogCaptureFixture
) -> None:
    replies = Replies(died(), died(), verdict)
    with caplog.at_level(logging.WARNING, "vivant.serving"):
        assert judged(replies) is verdict
    assert replies.asked == [(b"media", 25.0)] * 3
    assert "a replica ended while it judged (ActorDiedError), try 2" in caplog.text


def test_what_three_died_over_is_given_up() -> None:
    replies = Replies(died(), died(), died())
    with pytest.raises(Problem, match="3 processes ended, one after the other") as refused:
        judged(replies)
    assert (refused.value.code, refused.value.status) == (Refusal.RESOURCE_LIMIT, 503)
    assert replies.replies == []


def test_failure_of_a_replica_that_lives_is_its_own_error_and_no_retry() -> None:
    from ray.exceptions import RayTaskError

    cause = WeightsError("a score is not finite")
    replies = Replies(RayTaskError("check", "a trace", cause).as_instanceof_cause())
    with pytest.raises(WeightsError, match="a score is not finite") as failed:
        judged(replies)
    assert type(failed.value) is WeightsError, "the answer names it"
    assert len(replies.asked) == 1


def test_places_are_those_of_the_replicas_that_run(verdict: Verdict) -> None:
    may_go: asyncio.Event

    async def ask(source: object, rate: float) -> Verdict:
        await may_go.wait()
        return verdict

    async def work(judge: "RemoteJudge") -> object:
        nonlocal may_go
        may_go = asyncio.Event()
        loop = asyncio.get_running_loop()
        begun = [loop.create_task(judge.check(b"media", 25.0)) for _ in range(6)]
        await settle()
        assert judge.num_pending == 6
        with pytest.raises(Problem) as refused:
            judge.require_room()
        may_go.set()
        assert await asyncio.gather(*begun) == [verdict] * 6
        return refused.value

    problem = judged(ask, work, num_replicas=2, max_waiting=1)
    assert (problem.code, problem.status) == (Trouble.BUSY, 503)


def test_without_a_replica_it_is_not_up_and_takes_nothing(verdict: Verdict) -> None:
    async def work(judge: "RemoteJudge") -> object:
        assert not judge.is_up
        with pytest.raises(Problem) as refused:
            await judge.check(b"media", 25.0)
        return refused.value

    assert judged(Replies(), work, num_replicas=0).code is Trouble.BUSY


def test_replica_whose_machine_has_gone_is_not_waited_for_for_ever() -> None:
    async def ask(source: object, rate: float) -> Verdict:
        await asyncio.sleep(60)
        raise AssertionError

    async def work(judge: "RemoteJudge") -> object:
        with pytest.raises(Problem) as late:
            await judge.check(b"media", 25.0)
        assert judge.num_pending == 1, "it may still answer, and keeps its place"
        await judge.drain()
        return late.value

    assert judged(ask, work, answer_timeout_s=0.1).code is Refusal.TIMEOUT
