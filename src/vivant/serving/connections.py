"""HTTP connections with deadlines and bounds that uvicorn's own have not.

A connection that does not send its headers in time is closed; so is the one that has waited longest
without a request when another needs its place. What a refused request still sends is thrown away
for a moment, so that its sender reads the answer and not a reset.
"""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from vivant.serving.limits import ServiceLimits
from vivant.serving.problems import PROBLEM_TYPE, Problem, Trouble

__all__ = ["bounded_protocol"]

_LINGER_S = 2.0
_RETRY_S = 2.0


def bounded_protocol(limits: ServiceLimits) -> type[asyncio.Protocol]:
    """The protocol of uvicorn with these limits: for `uvicorn.Config(http=...)`.

    Args:
        limits: max_connections, max_header_bytes and header_timeout_s are looked at.
    """

    class BoundedProtocol(_BoundedProtocol):
        pass

    BoundedProtocol.limits = limits
    return BoundedProtocol


class _BoundedProtocol(HttpToolsProtocol):
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
        self._num_header_bytes = 0
        self._is_in_headers = True
        self._is_in_body = False
        self.waits_since_s: float | None = self.loop.time()
        """When it began to wait for headers; None while a request is answered."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection in, or answer that there are too many."""
        others = list(self.connections)
        super().connection_made(transport)
        if len(others) < self.limits.max_connections:
            self._wait_for_headers()
            return
        idle = [
            (other.waits_since_s, other)
            for other in others
            if isinstance(other, _BoundedProtocol) and other.waits_since_s is not None
        ]
        if idle:
            _, longest = min(idle, key=lambda pair: pair[0])
            longest.transport.close()
            self.connections.discard(longest)
            self._wait_for_headers()
            return
        self._refuse(
            Problem(
                Trouble.BUSY,
                f"{self.limits.max_connections} connections are open (max_connections): try again",
                _RETRY_S,
            )
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks."""
        self._stop(self._deadline)
        self._stop(self._linger)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before a body."""
        if self.transport.is_closing():
            return
        if self._is_in_headers:
            self._num_header_bytes += len(data)
        super().data_received(data)
        if self._is_in_headers and self._num_header_bytes > self.limits.max_header_bytes:
            self._refuse(
                Problem(
                    Trouble.HEADERS_TOO_LARGE,
                    f"expected at most {self.limits.max_header_bytes} bytes before the body "
                    "(max_header_bytes)",
                )
            )

    def on_message_begin(self) -> None:
        """Begin a request: its headers have a deadline, on an old connection too."""
        super().on_message_begin()
        self._is_in_headers = True
        self._wait_for_headers()

    def on_headers_complete(self) -> None:
        """Stop the clock of the headers."""
        self._stop(self._deadline)
        self._is_in_headers, self._num_header_bytes = False, 0
        self._is_in_body = True
        self.waits_since_s = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that a body is whole."""
        self._is_in_body = False
        super().on_message_complete()
        if self.transport.is_closing():
            return
        if self._linger is not None and self.cycle.response_complete:
            self.transport.close()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the end of a body that nobody reads."""
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self._is_in_body:
            self._unset_keepalive_if_required()
            self._linger = self.loop.call_later(_LINGER_S, self._close)
        elif not self.pipeline:
            self.waits_since_s = self.loop.time()

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
