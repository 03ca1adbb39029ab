"""Event loops whose clock is a test's, and waits for conditions: nothing here depends on speed.

All that the service waits for it waits for by the clock of its event loop, so a loop with another clock
tests each deadline without waiting for it.
"""

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE_S = 120.0
"""How long a test waits for a condition before it fails: far longer than a busy machine needs."""
_TURNS = 20  # Of a loop, in which what has become due runs, and what waits for that.


def wait_until(condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait in a thread for a condition.

    Args:
        condition: Asked a hundred times a second.
        what: Completes the sentence "waited in vain until ...".
        patience_s: How long it may take.
    """
    ends_s = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < ends_s, f"waited in vain until {what}"
        time.sleep(0.01)


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait in an event loop for a condition that threads fulfil; by the machine's clock."""
    ends_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < ends_s, f"waited in vain until {what}"
        await asyncio.to_thread(time.sleep, 0.005)


async def settle() -> None:
    """Let all that is ready on this event loop run, and what becomes ready by that."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


class JumpClock:
    """A clock that jumps to the next deadline as soon as nothing else is left to do.

    For tests that run in one thread: while another thread worked, the clock would jump over it.
    """

    def __init__(self) -> None:
        self.now_s = 1000.0

    def time(self) -> float:
        """Seconds."""
        return self.now_s

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """Make an event loop with this clock."""
        return _Loop(self.time, _JumpSelector(self))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, as `asyncio.run` does."""
        with asyncio.Runner(loop_factory=self.new_loop) as runner:
            return runner.run(work)


class SkipClock:
    """A clock of one event loop, in this thread or in another, that a test moves on.

    Args:
        runs: Whether time passes by itself, too. Where it does not, nothing is ever late that the
            test has not made late; but then what waits for a moment (a batch for more clips)
            waits for the test.
    """

    def __init__(self, *, runs: bool = True) -> None:
        self._offset_s = 0.0 if runs else 1000.0
        self._runs = runs
        self._loop: asyncio.AbstractEventLoop | None = None

    def time(self) -> float:
        """Seconds."""
        return self._offset_s + (time.monotonic() if self._runs else 0.0)

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """Make the event loop with this clock."""
        self._loop = _Loop(self.time, selectors.DefaultSelector())
        return self._loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, as `asyncio.run` does."""
        with asyncio.Runner(loop_factory=self.new_loop) as runner:
            return runner.run(work)

    def skip(self, seconds: float) -> None:
        """Move the clock on, from another thread than the loop's; what is due then has run."""
        self._on_loop(lambda: self._skip(seconds))

    def settle(self) -> None:
        """Wait until the loop has done what it was given, from another thread than its own."""
        self._on_loop(settle)

    async def skip_here(self, seconds: float) -> None:
        """Move the clock on, from the loop itself; what is due then has run."""
        await self._skip(seconds)

    def run_on(self) -> None:
        """Let time pass by itself from now on, so that the loop comes to its end."""
        self._on_loop(self._run_on)

    async def _run_on(self) -> None:
        if not self._runs:
            self._offset_s -= time.monotonic()
            self._runs = True

    async def _skip(self, seconds: float) -> None:
        # On the loop: what it was doing when the test spoke has read one time only.
        self._offset_s += seconds
        await settle()

    def _on_loop(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run it on the loop; one that has come to its end has nothing left to do."""
        loop = self._loop
        assert loop is not None
        if loop.is_closed():
            return
        done = asyncio.run_coroutine_threadsafe(work(), loop)
        wait_until(lambda: done.done() or loop.is_closed(), "the loop has done it")
        if done.done() and not done.cancelled():
            done.result()


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: Callable[[], float], selector: selectors.BaseSelector) -> None:
        self._test_clock = clock
        super().__init__(selector)

    def time(self) -> float:
        return self._test_clock()


class _JumpSelector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    def __init__(self, clock: JumpClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:  # Nothing is planned: only a signal or a socket could go on.
            ready = super().select(PATIENCE_S)
            assert ready, "the loop waits for something that never happens"
            return ready
        self._clock.now_s += timeout
        return []
