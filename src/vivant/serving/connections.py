"""HTTP connections with deadlines and bounds that uvicorn's own have not.

A connection is closed whose client does not send its headers in time, or does not read its answer;
and so is the one that has kept the service waiting longest when another needs its place. What a
refused request still sends is thrown away for a moment, so that its sender reads the answer and not
a reset.
"""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from vivant.serving.limits import ServiceLimits
from vivant.serving.problems import PROBLEM_TYPE, Problem, Trouble
from vivant.serving.waiting import Evictable, Waiting, WriteClock, longest_waiting

__all__ = ["bounded_protocol"]

_LINGER_S = 2.0
_RETRY_S = 2.0
_LAST_CALL_S = 0.3  # In which a request that was sent before the service's end may still come.
_MAX_PIPELINED = 8


def bounded_protocol(limits: ServiceLimits) -> type[asyncio.Protocol]:
    """The protocol of uvicorn with these limits: for `uvicorn.Config(http=...)`.

    Args:
        limits: max_connections, max_header_bytes, header_timeout_s and write_timeout_s are looked
            at.
    """

    class BoundedProtocol(_BoundedProtocol):
        pass

    BoundedProtocol.limits = limits
    return BoundedProtocol


class _PipelineError(Exception):
    """Too many requests were sent ahead of their answers."""


class _Lingering:
    """The transport as a request's cycle sees it: an early answer does not end it at once."""

    def __init__(self, protocol: "_BoundedProtocol") -> None:
        self._protocol = protocol
        self.is_closing = protocol.transport.is_closing

    def write(self, data: bytes) -> None:
        if not self.is_closing():  # Requests that were pipelined are not told that it is.
            self._protocol.transport.write(data)

    def close(self) -> None:
        self._protocol.close_gently()


class _BoundedProtocol(HttpToolsProtocol, Evictable):
    limits: ServiceLimits

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._deadline: asyncio.TimerHandle | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._writing: WriteClock | None = None
        self._num_header_bytes = self._num_trailer_bytes = 0
        self._is_in_headers = True
        self._is_begun = False  # A request whose headers are not whole.
        self._is_in_body = False
        self._is_in_empty_chunk = False
        self._is_ending = False
        self._cycles: list[RequestResponseCycle] = []  # Not answered yet.
        self.waiting: Waiting | None = Waiting(self.loop.time())

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection in, or answer that there are too many."""
        others = list(self.connections)
        super().connection_made(transport)
        self._writing = WriteClock(self.loop, transport, self.limits.write_timeout_s)
        if len(others) >= self.limits.max_connections:
            longest = longest_waiting(others, self.loop.time())
            if longest is None:
                self._refuse(self._too_many_connections())
                return
            longest.evict()
            self.connections.discard(longest)
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks."""
        self._stop(self._deadline)
        self._stop(self._linger)
        if self._writing is not None:
            self._writing.stop()
        for cycle in self._cycles:  # uvicorn tells the newest alone.
            if not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before a body, and behind it."""
        if self.transport.is_closing():
            return
        if self._is_in_headers:
            self._num_header_bytes += len(data)
        was_in_empty_chunk = self._is_in_empty_chunk
        super().data_received(data)
        if was_in_empty_chunk and self._is_in_empty_chunk:
            self._num_trailer_bytes += len(data)
        if (
            self._is_in_headers and self._num_header_bytes > self.limits.max_header_bytes
        ) or self._num_trailer_bytes > self.limits.max_header_bytes:
            self._refuse(
                Problem(
                    Trouble.HEADERS_TOO_LARGE,
                    f"expected at most {self.limits.max_header_bytes} bytes before the body, and "
                    "behind it (max_header_bytes)",
                )
            )

    def on_message_begin(self) -> None:
        """Begin a request: its headers have a deadline, on an old connection too."""
        if len(self.pipeline) >= _MAX_PIPELINED:
            raise _PipelineError  # To whoever parses: it answers 400, and closes.
        super().on_message_begin()
        self._is_in_headers = self._is_begun = True
        self._wait_for_headers()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, but none that comes behind a body."""
        if self._is_in_headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop the clock of the headers."""
        self._stop(self._deadline)
        self._is_in_headers = self._is_begun = False
        self._num_header_bytes = 0
        self._is_in_body = True
        self.waiting = Waiting(self.loop.time(), is_begun=True)
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:  # Else it becomes a WebSocket.
            self.cycle.transport = _Lingering(self)  # type: ignore[assignment]
            self.cycle.keep_alive &= not self._is_ending
            self._cycles = [one for one in self._cycles if not one.response_complete]
            self._cycles.append(self.cycle)

    def on_chunk_header(self) -> None:
        """A piece of a body begins: the empty one is the last, and headers may follow it."""
        self._is_in_empty_chunk, self._num_trailer_bytes = True, 0

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body in."""
        self._is_in_empty_chunk, self._num_trailer_bytes = False, 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a body is whole."""
        self._is_in_body = self._is_in_empty_chunk = False
        self._num_trailer_bytes = 0
        self.waiting = None
        super().on_message_complete()
        if self.transport.is_closing():
            return
        if self._linger is not None and self.cycle.response_complete:
            self.transport.close()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the end of a body that nobody reads."""
        super().on_response_complete()
        if self._writing is not None:
            self._writing.start()
        if self.transport.is_closing():
            return
        if self._is_in_body:
            self._unset_keepalive_if_required()
            self.close_gently()
        elif not self.pipeline:
            self.waiting = Waiting(self.loop.time())

    def pause_writing(self) -> None:
        """The client does not read: it has some time to."""
        super().pause_writing()
        if self._writing is not None:
            self._writing.start()
            self.waiting = Waiting(self.loop.time(), is_begun=True)

    def resume_writing(self) -> None:
        """It reads."""
        if self._writing is not None:
            self._writing.stop()
        self.waiting = Waiting(self.loop.time()) if self.cycle.response_complete else None
        super().resume_writing()

    def evict(self) -> None:
        """Make way for another connection."""
        if self._is_in_body and not self.cycle.response_started:
            self._refuse(self._too_many_connections())
        elif self.transport.get_write_buffer_size():
            self.transport.abort()  # To close would be to wait for the reader.
        else:
            self.transport.close()

    def shutdown(self) -> None:
        """The service ends: what was sent is answered, and may still be on its way."""
        self._is_ending = True
        if self.waiting is None or self.waiting.is_begun:
            super().shutdown()
        else:
            self.loop.call_later(_LAST_CALL_S, self._end)

    def close_gently(self) -> None:
        """Close, but throw away for a moment what is still sent."""
        if not self._is_in_body:
            self._close()
        elif self._linger is None:
            self._linger = self.loop.call_later(_LINGER_S, self._close)

    def _end(self) -> None:
        # What has begun is closed by its answer, or by the deadline of its headers or its body.
        if self.waiting is not None and not self.waiting.is_begun and not self._is_begun:
            self._close()

    def _wait_for_headers(self) -> None:
        self._stop(self._deadline)
        self._deadline = self.loop.call_later(self.limits.header_timeout_s, self._too_slow)

    def _too_slow(self) -> None:
        if not self.transport.is_closing():
            self._refuse(
                Problem(
                    Trouble.HEADER_TIMEOUT,
                    "expected the headers of a request within "
                    f"{self.limits.header_timeout_s:g} seconds (header_timeout_s)",
                )
            )

    def _too_many_connections(self) -> Problem:
        return Problem(
            Trouble.BUSY,
            f"{self.limits.max_connections} connections are open (max_connections): try again",
            _RETRY_S,
        )

    def _refuse(self, problem: Problem) -> None:
        """Answer without the application, and close."""
        body = problem.record.model_dump_json().encode()
        lines = [
            f"HTTP/1.1 {problem.status} {problem.record.title}",
            f"content-type: {PROBLEM_TYPE}",
            f"content-length: {len(body)}",
            "connection: close",
            *(f"{name.lower()}: {value}" for name, value in problem.headers.items()),
        ]
        self.transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        self.transport.close()

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()

    @staticmethod
    def _stop(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()
