"""Places for presentations: so many in work, so many that wait, each for so long, and an end."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from vivant.errors import Refusal
from vivant.serving.limits import ServiceLimits
from vivant.serving.problems import Problem, Trouble
from vivant.session.verdict import Verdict

__all__ = ["Places"]

_EASE = 0.2  # Weight of the newest check in the running mean of what one takes.


class Places:
    """Bounds what is in work. For one event loop.

    Args:
        limits: max_waiting and answer_timeout_s are looked at.
        num_workers: Presentations that are watched at a time by one judge.
        num_judges: How many judges there are, whenever it is asked: each has `num_workers`, and
            max_waiting that wait.
    """

    def __init__(
        self, limits: ServiceLimits, num_workers: int, num_judges: Callable[[], int] = lambda: 1
    ) -> None:
        self._limits = limits
        self._num_workers = num_workers
        self._num_judges = num_judges
        self._tasks: set[asyncio.Task[Verdict]] = set()
        self._mean_s = 0.3

    @property
    def num_taken(self) -> int:
        """Presentations in work or waiting."""
        return len(self._tasks)

    def require_room(self) -> None:
        """Refuse where no place is left.

        Raises:
            Problem: BUSY, with the time after which there may be room.
        """
        judges = self._num_judges()
        if judges == 0:
            raise Problem(Trouble.BUSY, "nothing that judges is up at the moment: try again", 5.0)
        in_work, waiting = judges * self._num_workers, judges * self._limits.max_waiting
        if len(self._tasks) >= in_work + waiting:
            wait_s = self._mean_s * len(self._tasks) / in_work
            raise Problem(
                Trouble.BUSY,
                f"{in_work} presentations are in work and {waiting} wait (max_waiting): try again",
                wait_s,
            )

    async def hold(self, check: Callable[[], Coroutine[Any, Any, Verdict]]) -> Verdict:
        """Check in a place.

        Raises:
            Problem: BUSY; or it took longer than answer_timeout_s.
            Exception: what the check raises.
        """
        self.require_room()
        # A task of its own: what was begun goes on, and keeps its place, when nobody waits for it.
        task = asyncio.get_running_loop().create_task(self._timed(check))
        self._tasks.add(task)
        task.add_done_callback(self._done)
        try:
            return await asyncio.wait_for(asyncio.shield(task), self._limits.answer_timeout_s)
        except TimeoutError:
            raise Problem(
                Refusal.TIMEOUT,
                f"no verdict within {self._limits.answer_timeout_s:g} seconds (answer_timeout_s): "
                "the machine is busy, try again",
            ) from None

    async def drain(self) -> None:
        """Wait until no place is taken."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _timed(self, check: Callable[[], Coroutine[Any, Any, Verdict]]) -> Verdict:
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        verdict = await check()
        self._mean_s += _EASE * (loop.time() - started_s - self._mean_s)
        return verdict

    def _done(self, task: "asyncio.Task[Verdict]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # Known to whoever waited; else nobody asks.
