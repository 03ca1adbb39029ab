"""WebSocket connections with bounds that uvicorn's own have not.

Messages that come faster than they are taken, answers that are not read, and a peer that goes on
after it was told to end cost others nothing.
"""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from vivant.serving.limits import ServiceLimits
from vivant.serving.waiting import Evictable, Waiting, WriteClock

__all__ = ["bounded_sockets"]

_CLOSE_S = 2.0
_PIECE = 4096  # Bytes that are parsed at once: a few hundred of the smallest messages.
_MAX_QUEUED = 32  # Messages that nobody has taken yet.
_MAX_FRAGMENTS = 1024  # Of one message.
_MAX_AFTER_CLOSE = 16 * 1024  # Enough to see that the peer closes too.


def bounded_sockets(limits: ServiceLimits) -> type[asyncio.Protocol]:
    """The protocol of uvicorn with these limits: for `uvicorn.Config(ws=...)`.

    Args:
        limits: max_in_flight and write_timeout_s are looked at.
    """

    class BoundedSocket(_BoundedSocket):
        pass

    BoundedSocket.limits = limits
    return BoundedSocket


class _BoundedSocket(WebSocketsSansIOProtocol, Evictable):
    limits: ServiceLimits

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.close_timeout = _CLOSE_S
        self._writing: WriteClock | None = None
        self._num_after_close = 0
        # Until its first message it may have to make way; then its conversation has limits.
        self.waiting: Waiting | None = Waiting(self.loop.time(), is_begun=True)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection over from HTTP."""
        super().connection_made(transport)
        self._writing = WriteClock(self.loop, self.transport, self.limits.write_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock; the place may have been given away before."""
        if self._writing is not None:
            self._writing.stop()
        self.connections.add(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse a little at a time, and no more than somebody wants to hear."""
        for start in range(0, len(data), _PIECE):
            if self.transport.is_closing():
                return
            if self.close_sent:
                self._num_after_close += len(data) - start
                if self._num_after_close > _MAX_AFTER_CLOSE:
                    return
            super().data_received(data[start : start + _PIECE])
            if (
                self.queue.qsize() > _MAX_QUEUED + self.limits.max_in_flight
                or len(self.frames) > _MAX_FRAGMENTS
            ):
                self._end(1008, "more messages than are answered")

    def send_receive_event_to_app(self) -> None:
        """A message is whole."""
        self.waiting = None
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answer a ping, unless the peer does not read."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self._end(1008, "answers are not read")

    def handle_parser_exception(self) -> None:
        """End a conversation that cannot be parsed: with a close that says why, where one can."""
        if self.conn.close_sent is not None:
            super().handle_parser_exception()
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1006, "reason": ""})
        self.close_sent = True
        self.transport.abort()

    def pause_writing(self) -> None:
        """The peer does not read: it has some time to."""
        super().pause_writing()
        if self._writing is not None:
            self._writing.start()

    def resume_writing(self) -> None:
        """It reads."""
        if self._writing is not None:
            self._writing.stop()
        super().resume_writing()

    def evict(self) -> None:
        """Make way for another connection."""
        self.transport.abort()

    def _end(self, code: int, reason: str) -> None:
        if self.close_sent:
            return
        self.conn.fail(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if self._writing is not None:
            self._writing.start()
        self.transport.close()
