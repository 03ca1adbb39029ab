"""Connections that wait for their clients: which one makes way, and when one has waited enough."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Evictable", "Waiting", "WriteClock", "longest_waiting"]

_LEAST_S = 2.0  # Whoever has sent or read something has that long for the next.


@dataclass(frozen=True, slots=True)
class Waiting:
    """A connection waits for its client."""

    since_s: float
    """On the loop's clock."""
    is_begun: bool = False
    """Whether for the rest of a request, or to be read; else for a request."""


class Evictable:
    """A connection that can be closed for another one."""

    waiting: Waiting | None
    """None while the client waits."""

    def evict(self) -> None:
        """Make way."""
        raise NotImplementedError


def longest_waiting(connections: Iterable[object], now_s: float) -> Evictable | None:
    """The connection that has waited longest for its client.

    Args:
        connections: Those that are open.
        now_s: The loop's time.

    Returns:
        None where all are at work, or have heard from their clients a moment ago.
    """
    found = [
        (one.waiting.since_s, one)
        for one in connections
        if isinstance(one, Evictable)
        and one.waiting is not None
        and (not one.waiting.is_begun or now_s - one.waiting.since_s >= _LEAST_S)
    ]
    return min(found, key=lambda pair: pair[0])[1] if found else None


class WriteClock:
    """Ends a connection whose client does not read what it is sent.

    Args:
        loop: Of the connection.
        transport: Of the connection.
        timeout_s: How long writing may stand still.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, timeout_s: float
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._timeout_s = timeout_s
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to count, where something is not written yet."""
        if self._timer is None and self._transport.get_write_buffer_size():
            self._timer = self._loop.call_later(self._timeout_s, self._end)

    def stop(self) -> None:
        """It was read, or nobody is there any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self._timer = None
        if self._transport.get_write_buffer_size():
            self._transport.abort()  # To close would be to wait for the reader.
