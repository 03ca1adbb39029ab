"""The queue between the callers and the model: bounded, in batches, and it can be drained."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from vivant.errors import MediaError, Refusal
from vivant.serving.limits import ServiceLimits
from vivant.serving.problems import Problem, Trouble, of_media_error
from vivant.session.batch import BATCH_CLIPS, conclude_each
from vivant.session.clip import Seen
from vivant.session.session import Session, Source
from vivant.session.verdict import Verdict

__all__ = ["Judge"]

_EASE = 0.2  # Weight of the newest check in the running mean of what one takes.


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
        self._limits = limits
        self._num_workers = num_workers
        self._eyes = ThreadPoolExecutor(num_workers, "vivant-see")
        self._network = ThreadPoolExecutor(1, "vivant-network")
        self._ready: list[_Waiting] = []
        self._num_watched = 0
        self._runner: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Verdict]] = set()
        self._mean_s = 0.3

    @property
    def num_pending(self) -> int:
        """Presentations in work or waiting."""
        return len(self._tasks)

    def require_room(self) -> None:
        """Refuse early, before a body is read.

        Raises:
            Problem: BUSY, with the time after which there may be room.
        """
        if len(self._tasks) >= self._num_workers + self._limits.max_waiting:
            wait_s = self._mean_s * len(self._tasks) / self._num_workers
            raise Problem(
                Trouble.BUSY,
                f"{self._num_workers} presentations are in work and {self._limits.max_waiting} "
                "wait (max_waiting): try again",
                wait_s,
            )

    async def check(self, source: Source, rate: float) -> Verdict:
        """Judge a presentation.

        Args:
            source: As for `Session.check`, but no path.
            rate: As there.

        Raises:
            Problem: BUSY; the media's refusal; or it took longer than answer_timeout_s.
            Exception: the session failed, by a fault of ours or of the weights.
        """
        self.require_room()
        # A task of its own: what was begun goes on, and keeps its place, when nobody waits for it.
        task = asyncio.get_running_loop().create_task(self._check(source, rate))
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
        except MediaError as error:
            raise of_media_error(error) from error

    async def drain(self) -> None:
        """Wait until nothing is in work, and end the threads."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))
        self._eyes.shutdown()
        self._network.shutdown()

    def _done(self, task: "asyncio.Task[Verdict]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # Known to whoever waited; else nobody asks.

    async def _check(self, source: Source, rate: float) -> Verdict:
        loop = asyncio.get_running_loop()
        self._num_watched += 1
        started_s = loop.time()
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
        self._mean_s += _EASE * (loop.time() - started_s - self._mean_s)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _run(self) -> None:
        """Run the network until nothing waits for it."""
        loop = asyncio.get_running_loop()
        while self._ready:
            if self._num_watched and sum(len(one.seen.clips) for one in self._ready) < BATCH_CLIPS:
                await asyncio.sleep(self._limits.batch_wait_s)
            batch, self._ready = self._ready, []
            seen = [one.seen for one in batch]
            answers = await loop.run_in_executor(
                self._network, conclude_each, self._session, seen, BATCH_CLIPS
            )
            for one, answer in zip(batch, answers, strict=True):
                if not one.verdict.done():
                    one.verdict.set_result(answer)
