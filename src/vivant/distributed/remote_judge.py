"""The judge of a service whose presentations are judged in other processes, by any of many."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import RayServeException

from vivant.distributed.replicas import CheckerPlan, Refused
from vivant.errors import Refusal
from vivant.serving.places import Places
from vivant.serving.problems import Problem
from vivant.session.session import Source
from vivant.session.verdict import Verdict

__all__ = ["Ask", "RemoteJudge"]

Ask = Callable[[Source, float], Awaitable[Verdict | Refused]]
"""Sends a presentation to a replica that has room, and waits while none has."""

_TRIES = 3
"""A death may be chance: a machine that is taken away. Three over one presentation are not."""
_PAUSE_S = 0.2  # In which it becomes known who is gone.
_PATIENCE = 2.0  # Answer timeouts after which a replica is not waited for: its machine has gone.

log = logging.getLogger("vivant.serving")


class RemoteJudge:
    """Checks presentations elsewhere; a `vivant.serving.judge.Judging`. For one event loop.

    A check changes nothing where it is made: one whose replica dies is made again by another.

    Args:
        ask: See above.
        num_replicas: How many replicas run, whenever it is asked: each has places of its own.
        plan: What a replica is.
    """

    def __init__(self, ask: Ask, num_replicas: Callable[[], int], plan: CheckerPlan) -> None:
        self._ask = ask
        self._patience_s = _PATIENCE * plan.limits.answer_timeout_s
        self._num_replicas = num_replicas
        self._places = Places(plan.limits, plan.num_workers, num_replicas)

    @property
    def is_up(self) -> bool:
        """Whether any replica runs."""
        return self._num_replicas() > 0

    @property
    def num_pending(self) -> int:
        """Presentations in work or waiting, of all replicas."""
        return self._places.num_taken

    def require_room(self) -> None:
        """Refuse early, before a body is read.

        Raises:
            Problem: BUSY: as many are taken as the replicas that run have places.
        """
        self._places.require_room()

    async def check(self, source: Source, rate: float) -> Verdict:
        """Judge a presentation.

        Args:
            source: As for `Session.check`, but no path.
            rate: As there.

        Raises:
            Problem: BUSY; the media's refusal; it took longer than answer_timeout_s; or whoever
                judged it died, again and again.
            Exception: the session failed, by a fault of ours or of the weights.
        """

        async def ask() -> Verdict:
            return await asyncio.wait_for(self._asked(source, rate), self._patience_s)

        return await self._places.hold(ask)

    async def drain(self) -> None:
        """Wait until nothing is in work."""
        await self._places.drain()

    async def _asked(self, source: Source, rate: float) -> Verdict:
        for tries in range(1, _TRIES + 1):
            try:
                answer = await self._ask(source, rate)
            except RayTaskError as error:  # It lives, and its work failed.
                raise error.cause from error
            except (RayError, RayServeException) as error:
                log.warning(
                    "a replica ended while it judged (%s), try %d", type(error).__name__, tries
                )
                await asyncio.sleep(_PAUSE_S * tries)
                continue
            if isinstance(answer, Refused):
                raise answer.problem()
            return answer
        raise Problem(
            Refusal.RESOURCE_LIMIT,
            f"{_TRIES} processes ended, one after the other, while they judged it: try again, and "
            "if it stays so, with other media",
        )
