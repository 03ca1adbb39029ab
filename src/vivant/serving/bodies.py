"""Bodies of requests: counted and timed while they stream in, before anything parses them."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from vivant.errors import Refusal
from vivant.serving.limits import ServiceLimits
from vivant.serving.problems import Problem, Trouble

__all__ = ["BoundedBodies"]


class BoundedBodies:
    """Wraps an application: what it receives is bounded in bytes, in time, and over all requests.

    Its `receive` raises a `Problem` where a body goes too far, which the application answers.

    Args:
        app: Takes the requests.
        limits: max_body_bytes, body_timeout_s and upload_memory_bytes are looked at.
    """

    def __init__(self, app: ASGIApp, limits: ServiceLimits) -> None:
        self._app = app
        self._limits = limits
        self._num_bytes = 0  # In memory, of all requests.

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(self._limits, scope, receive, self)
        try:
            await self._app(scope, body.receive, send)
        finally:
            self._num_bytes -= body.num_bytes

    def take(self, num_bytes: int) -> None:
        """Count bytes that came.

        Raises:
            Problem: all requests together hold too many.
        """
        if self._num_bytes + num_bytes > self._limits.upload_memory_bytes:
            raise Problem(
                Trouble.BUSY,
                f"{self._limits.upload_memory_bytes / 2**20:g} MiB of other requests' media are in "
                "memory (upload_memory_bytes): try again",
            )
        self._num_bytes += num_bytes


class _Body:
    def __init__(
        self, limits: ServiceLimits, scope: Scope, receive: Receive, every: BoundedBodies
    ) -> None:
        self._limits = limits
        self._receive = receive
        self._every = every
        self._is_whole = False
        self._deadline_s = asyncio.get_running_loop().time() + limits.body_timeout_s
        self._declared = _content_length(scope)
        self.num_bytes = 0

    async def receive(self) -> MutableMapping[str, Any]:
        if self._is_whole:  # What is left to hear is that the client has gone: no hurry.
            return await self._receive()
        if self._declared > self._limits.max_body_bytes:
            raise self._too_large()
        left_s = self._deadline_s - asyncio.get_running_loop().time()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, left_s))
        except TimeoutError:
            raise Problem(
                Trouble.BODY_TIMEOUT,
                f"expected the body within {self._limits.body_timeout_s:g} seconds "
                f"(body_timeout_s), got {self.num_bytes} bytes of it: send a smaller video",
            ) from None
        chunk = len(message.get("body", b""))
        if self.num_bytes + chunk > self._limits.max_body_bytes:
            raise self._too_large()
        self._every.take(chunk)
        self.num_bytes += chunk
        self._is_whole = not message.get("more_body", False)
        return message

    def _too_large(self) -> Problem:
        return Problem(
            Refusal.TOO_LARGE,
            f"expected a body of at most {self._limits.max_body_bytes / 2**20:g} MiB "
            "(max_body_bytes), got more: send a shorter or smaller video",
        )


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0
