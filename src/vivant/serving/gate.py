"""Before every request: is it for us, and not another site's page that asks?

After it: headers that keep a browser to this page.
"""

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from vivant.serving.problems import Problem, Trouble

__all__ = ["LOOPBACK_HOSTS", "Gate"]

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

_SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; "
    "style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Gate:
    """Wraps an application.

    Args:
        app: Takes the requests.
        hosts: Names under which the service answers; None: any. On a loopback address it must be
            few, or a page of another site could reach it by a name that it points there (DNS
            rebinding).
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        problem = self._problem(Headers(scope=scope))
        if problem is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await WebSocketClose(1008, problem.detail)(scope, receive, send)
        else:
            answer: Response = problem.response()
            await answer(scope, receive, _with_headers(send))

    def _problem(self, headers: Headers) -> Problem | None:
        host = headers.get("host", "")
        if self._hosts is not None and _name(host) not in self._hosts:
            return Problem(
                Trouble.WRONG_HOST,
                f"this service is {' or '.join(sorted(self._hosts))}: start it with --host-name "
                "for another name",
            )
        origin = headers.get("origin")
        if origin is not None and _place(origin) != host:
            return Problem(
                Trouble.CROSS_ORIGIN,
                "the request comes from another site's page: only this service's own may ask. "
                "A back end sends no Origin",
            )
        return None


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _place(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # Such as "http://[": no browser's, and nobody's.
        return None


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _SECURITY.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return send_with_headers
