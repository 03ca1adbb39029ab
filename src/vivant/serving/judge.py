"""The queue between the callers and the model: bounded, in batches, and it can be drained."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, runtime_checkable

from vivant.errors import MediaError
from vivant.serving.limits import ServiceLimits
from vivant.serving.places import Places
from vivant.serving.problems import of_media_error
from vivant.session.batch import BATCH_CLIPS, conclude_each
from vivant.session.clip import Seen
from vivant.session.session import Session, Source
from vivant.session.verdict import Verdict

__all__ = ["Judge", "Judging"]


@runtime_checkable
class Judging(Protocol):
    """What a service asks about presentations: a `Judge` here, or many elsewhere."""

    @property
    def is_up(self) -> bool:
        """Whether anything judges at the moment."""

    @property
    def num_pending(self) -> int:
        """Presentations in work or waiting."""

    def require_room(self) -> None:
        """Refuse early, before a body is read.

        Raises:
            Problem: BUSY, with the time after which there may be room.
        """

    async def check(self, source: Source, rate: float) -> Verdict:
        """Judge a presentation.

        Args:
            source: As for `Session.check`, but no path.
            rate: As there.

        Raises:
            Problem: BUSY; the media's refusal; or it took longer than answer_timeout_s.
            Exception: the session failed, by a fault of ours or of the weights.
        """

    async def drain(self) -> None:
        """Wait until nothing is in work, and take nothing more."""


@dataclass(eq=False)
class _Waiting:
    """A presentation that was watched, and whose clips wait for the network."""

    seen: Seen
    verdict: "asyncio.Future[Verdict | Exception]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Judge:
    """Checks presentations, several at a time. For one event loop.

    `num_workers` threads watch (a process of its own decodes for each), one runs the network on
    what they have seen, several presentations at once where they come within `batch_wait_s`.

    Args:
        session: Judges. It stays the caller's to close.
        limits: max_waiting, batch_wait_s and answer_timeout_s are looked at.
        num_workers: Presentations that are watched at a time.
    """

    def __init__(self, session: Session, limits: ServiceLimits, num_workers: int) -> None:
        self._session = session
        self._batch_wait_s = limits.batch_wait_s
        self._places = Places(limits, num_workers)
        self._eyes = ThreadPoolExecutor(num_workers, "vivant-see")
        self._network = ThreadPoolExecutor(1, "vivant-network")
        self._ready: list[_Waiting] = []
        self._num_watched = 0
        self._runner: asyncio.Task[None] | None = None

    @property
    def is_up(self) -> bool:
        """Always: it is this process."""
        return True

    @property
    def num_pending(self) -> int:
        """Presentations in work or waiting."""
        return self._places.num_taken

    def require_room(self) -> None:
        """As for `Judging`."""
        self._places.require_room()

    async def check(self, source: Source, rate: float) -> Verdict:
        """As for `Judging`."""
        try:
            return await self._places.hold(partial(self._check, source, rate))
        except MediaError as error:
            raise of_media_error(error) from error

    async def drain(self) -> None:
        """Wait until nothing is in work, and end the threads."""
        await self._places.drain()
        self._eyes.shutdown()
        self._network.shutdown()

    async def _check(self, source: Source, rate: float) -> Verdict:
        loop = asyncio.get_running_loop()
        self._num_watched += 1
        try:
            seen = await loop.run_in_executor(
                self._eyes, partial(self._session.see, source, rate=rate)
            )
        finally:
            self._num_watched -= 1
        waiting = _Waiting(seen)
        self._ready.append(waiting)
        if self._runner is None or self._runner.done():
            self._runner = loop.create_task(self._run())
        answer = await waiting.verdict
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _run(self) -> None:
        """Run the network until nothing waits for it."""
        loop = asyncio.get_running_loop()
        while self._ready:
            if self._num_watched and sum(len(one.seen.clips) for one in self._ready) < BATCH_CLIPS:
                await asyncio.sleep(self._batch_wait_s)
            batch, self._ready = self._ready, []
            seen = [one.seen for one in batch]
            answers = await loop.run_in_executor(
                self._network, conclude_each, self._session, seen, BATCH_CLIPS
            )
            for one, answer in zip(batch, answers, strict=True):
                if not one.verdict.done():
                    one.verdict.set_result(answer)
