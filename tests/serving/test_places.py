"""Places: as many as there are judges for, for so long; what a judge does in one is test_judge's."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from clocks import JumpClock, settle
from vivant.errors import Refusal
from vivant.serving.limits import ServiceLimits
from vivant.serving.places import Places
from vivant.serving.problems import Problem, Trouble


async def nothing() -> None:
    """Stands for a check."""


def held(work: Callable[[asyncio.Event], Awaitable[object]]) -> object:
    async def run() -> object:
        return await work(asyncio.Event())

    return JumpClock().run(run())


async def fill(places: Places, may_go: asyncio.Event, number: int) -> list[asyncio.Task[object]]:
    async def check() -> None:
        await may_go.wait()

    loop = asyncio.get_running_loop()
    begun = [loop.create_task(places.hold(check)) for _ in range(number)]
    await settle()
    return begun


def test_there_are_as_many_places_as_all_judges_have() -> None:
    judges = 2

    async def work(may_go: asyncio.Event) -> object:
        nonlocal judges
        places = Places(ServiceLimits(max_waiting=1), 2, lambda: judges)
        begun = await fill(places, may_go, 6)
        assert places.num_taken == 6
        with pytest.raises(Problem) as refused:
            places.require_room()
        judges = 3
        places.require_room()
        judges = 1  # One has gone: what was taken stays.
        with pytest.raises(Problem):
            await places.hold(nothing)
        may_go.set()
        await asyncio.gather(*begun)
        assert places.num_taken == 0
        await places.hold(nothing)
        return refused.value

    problem = held(work)
    assert (problem.code, problem.status) == (Trouble.BUSY, 503)
    assert problem.detail == "4 presentations are in work and 2 wait (max_waiting): try again"


def test_without_any_judge_nothing_is_taken() -> None:
    async def work(_: asyncio.Event) -> object:
        with pytest.raises(Problem, match="nothing that judges is up") as refused:
            await Places(ServiceLimits(), 2, lambda: 0).hold(nothing)
        return refused.value

    assert (held(work).code, held(work).retry_after_s) == (Trouble.BUSY, 5.0)


def test_place_is_kept_when_nobody_waits_any_more() -> None:
    async def work(may_go: asyncio.Event) -> object:
        places = Places(ServiceLimits(answer_timeout_s=30, max_waiting=0), 1)
        (late,) = await fill(places, may_go, 1)
        with pytest.raises(Problem) as refused:
            await late
        assert places.num_taken == 1
        with pytest.raises(Problem, match="1 presentations are in work"):
            places.require_room()
        may_go.set()
        await places.drain()
        assert places.num_taken == 0
        return refused.value

    problem = held(work)
    assert (problem.code, problem.status) == (Refusal.TIMEOUT, 503)


def test_what_fails_leaves_its_place() -> None:
    async def fail() -> None:
        raise ValueError("an error of its own")

    async def work(_: asyncio.Event) -> object:
        places = Places(ServiceLimits(max_waiting=0), 1)
        for _ in range(3):
            with pytest.raises(ValueError, match="of its own"):
                await places.hold(fail)
        return places.num_taken

    assert held(work) == 0


def test_time_to_come_back_grows_with_what_checks_take() -> None:
    async def work(may_go: asyncio.Event) -> object:
        places = Places(ServiceLimits(max_waiting=0), 1)
        begun = await fill(places, may_go, 1)
        with pytest.raises(Problem) as before:
            places.require_room()
        await asyncio.sleep(1)
        may_go.set()
        await asyncio.gather(*begun)
        may_go.clear()
        begun = await fill(places, may_go, 1)
        with pytest.raises(Problem) as after:
            places.require_room()
        may_go.set()
        await asyncio.gather(*begun)
        return before.value.retry_after_s, after.value.retry_after_s

    before_s, after_s = held(work)
    assert before_s == pytest.approx(0.3)
    assert after_s == pytest.approx(0.3 + 0.2 * 0.7, abs=1e-6)
