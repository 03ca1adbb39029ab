"""The application: routes, errors, and what every request passes through."""

import logging
import secrets
import time
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from vivant import __version__
from vivant.serving import checking, static_page, status, streaming, uploads
from vivant.serving.bodies import BoundedBodies
from vivant.serving.gate import Gate
from vivant.serving.problems import Problem, Trouble, of_fault
from vivant.serving.service import Service, service_of

__all__ = ["create_app"]

log = logging.getLogger("vivant.serving")

_DESCRIPTION = """
Face presentation attack detection: is it the person before the camera, or a picture of one?

A missing decision is never a pass: only `decision: "bona_fide"` is one. Errors are problem+json
with a `code`; 429 and 503 say when to try again (`Retry-After`).
"""


def create_app(service: Service, hosts: frozenset[str] | None) -> FastAPI:
    """The application of a service.

    Args:
        service: Its parts. It is tested when the application starts, and drained when it ends.
        hosts: Names under which it answers; None: any.
    """

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(service.test_itself)
        yield
        service.is_draining = True
        await service.drain()

    app = FastAPI(
        title="vivant",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=life,
        # Both load scripts from another site.
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    for part in (checking, uploads, streaming, status, static_page):
        app.include_router(part.router)
    _handle_errors(app)
    # From the inside out: the gate is the first that a request meets.
    app.add_middleware(BoundedBodies, limits=service.limits)
    app.add_middleware(_Journal, service=service)
    app.add_middleware(Gate, hosts=hosts)
    return app


def _handle_errors(app: FastAPI) -> None:
    def answer(request: Request, problem: Problem) -> Response:
        service_of(request).counters.problems.labels(problem.code.value).inc()
        return problem.response()

    @app.exception_handler(Problem)
    async def of_problem(request: Request, problem: Problem) -> Response:
        return answer(request, problem)

    @app.exception_handler(HTTPException)
    async def of_http(request: Request, error: HTTPException) -> Response:
        codes = {404: Trouble.NOT_FOUND, 405: Trouble.METHOD_NOT_ALLOWED}
        problem = Problem(
            codes.get(error.status_code, Trouble.BAD_REQUEST),
            f"{error.detail}: /openapi.json has what there is",
            headers=dict(error.headers or {}),
        )
        return answer(request, problem)

    @app.exception_handler(RequestValidationError)
    async def of_validation(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return answer(request, Problem(Trouble.BAD_REQUEST, f"{place}: {first['msg']}"))


class _Journal:
    """Gives each request an id, counts its answer, and logs one line: no address, no query.

    Answers what fails: a handler of FastAPI's would do that outside of all that is wrapped here.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service, self._counters = service, service.counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope.setdefault("state", {})["request_id"] = secrets.token_hex(8)
        started_s = time.perf_counter()
        answered = 0

        async def send_and_note(message: MutableMapping[str, Any]) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                ]
                if self._service.is_draining:  # The next request must find another service.
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception as error:
            log.exception("a request failed")
            if answered:
                raise
            problem = of_fault(error)
            self._counters.problems.labels(problem.code.value).inc()
            await problem.response()(scope, receive, send_and_note)
        finally:
            took_s = time.perf_counter() - started_s
            route = getattr(scope.get("route"), "path", "other")
            self._counters.requests.labels(route, str(answered)).inc()
            self._counters.request_s.labels(route).observe(took_s)
            line = {
                "request": request_id,
                "method": scope["method"],
                "route": route,
                "status": answered or HTTPStatus.INTERNAL_SERVER_ERROR,
                "seconds": round(took_s, 4),
            }
            log.info("request", extra={"fields": line})
