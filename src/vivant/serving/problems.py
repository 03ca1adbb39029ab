"""Errors as the callers of the service get them: problem+json (RFC 9457) with a code."""

import math
from enum import StrEnum
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from vivant.errors import MediaError, Refusal

__all__ = ["PROBLEM_TYPE", "Problem", "ProblemRecord", "Trouble", "of_fault", "of_media_error"]

PROBLEM_TYPE = "application/problem+json"


class Trouble(StrEnum):
    """Why a request is not answered. Programs read these codes, and those of `Refusal`."""

    BAD_REQUEST = "BAD_REQUEST"
    """Not what the endpoint expects; the detail says what that is."""
    UNAUTHORIZED = "UNAUTHORIZED"
    """No key or token, or none that is known."""
    FORBIDDEN = "FORBIDDEN"
    """A key or token that may not do this."""
    CROSS_ORIGIN = "CROSS_ORIGIN"
    """Asked by another site's page."""
    WRONG_HOST = "WRONG_HOST"
    """Asked for under a name that this service does not have."""
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    BODY_TIMEOUT = "BODY_TIMEOUT"
    """The body did not arrive in time (body_timeout_s)."""
    HEADER_TIMEOUT = "HEADER_TIMEOUT"
    """The headers did not arrive in time (header_timeout_s)."""
    HEADERS_TOO_LARGE = "HEADERS_TOO_LARGE"
    """More than max_header_bytes."""
    SESSION_USED = "SESSION_USED"
    """The session has its media: each takes them once."""
    SESSION_EXPIRED = "SESSION_EXPIRED"
    """The media came too late (session_s)."""
    RATE_LIMITED = "RATE_LIMITED"
    """More requests or frames than one client may send. Wait for Retry-After."""
    BUSY = "BUSY"
    """The service is at its limit. Wait for Retry-After, and try again."""
    GOING_DOWN = "GOING_DOWN"
    """The service is being stopped. Try again: another takes over, or none."""
    NOT_READY = "NOT_READY"
    """The service is starting, or its self-test failed."""
    FAILED = "FAILED"
    """The service could not judge: the fault is its own."""


_STATUS = {
    Trouble.BAD_REQUEST: 422,
    Trouble.UNAUTHORIZED: 401,
    Trouble.FORBIDDEN: 403,
    Trouble.CROSS_ORIGIN: 403,
    Trouble.WRONG_HOST: 421,
    Trouble.NOT_FOUND: 404,
    Trouble.METHOD_NOT_ALLOWED: 405,
    Trouble.BODY_TIMEOUT: 408,
    Trouble.HEADER_TIMEOUT: 408,
    Trouble.HEADERS_TOO_LARGE: 431,
    Trouble.SESSION_USED: 409,
    Trouble.SESSION_EXPIRED: 410,
    Trouble.RATE_LIMITED: 429,
    Trouble.BUSY: 503,
    Trouble.GOING_DOWN: 503,
    Trouble.NOT_READY: 503,
    Trouble.FAILED: 500,
}
# What is not named here is the media's fault: 422.
_REFUSAL_STATUS = {
    Refusal.UNSUPPORTED_FORMAT: 415,
    Refusal.TOO_LARGE: 413,
    Refusal.TIMEOUT: 503,
    Refusal.RESOURCE_LIMIT: 503,
}
_RETRY_S = 1.0


class ProblemRecord(BaseModel):
    """The body of an answer that is an error (RFC 9457, with `code`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = "about:blank"
    title: str
    """What HTTP calls the status."""
    status: int
    detail: str
    """What was expected, what was given, what to do."""
    code: Refusal | Trouble


class Problem(Exception):  # noqa: N818 - the name that RFC 9457 has for it.
    """A request that is refused, with all that its answer says.

    Args:
        code: The kind.
        detail: What was expected, what was given, what to do.
        retry_after_s: When to try again, in seconds.
        headers: More headers of the answer.
    """

    def __init__(
        self,
        code: Refusal | Trouble,
        detail: str,
        retry_after_s: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.retry_after_s = retry_after_s
        if isinstance(code, Trouble):
            self.status = _STATUS[code]
        else:
            self.status = _REFUSAL_STATUS.get(code, 422)
        if self.status == HTTPStatus.SERVICE_UNAVAILABLE and retry_after_s is None:
            self.retry_after_s = _RETRY_S
        self.headers = dict(headers or {})
        if self.retry_after_s is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(self.retry_after_s)))
        if code is Trouble.UNAUTHORIZED:
            self.headers["WWW-Authenticate"] = "Bearer"

    @property
    def is_passing(self) -> bool:
        """Whether it is no fault of the media: they may come again."""
        return self.status == HTTPStatus.SERVICE_UNAVAILABLE

    @property
    def record(self) -> ProblemRecord:
        """The answer's body."""
        title = HTTPStatus(self.status).phrase
        return ProblemRecord(title=title, status=self.status, detail=self.detail, code=self.code)

    def response(self) -> Response:
        """The answer."""
        body = self.record.model_dump_json()
        return Response(body, self.status, self.headers, media_type=PROBLEM_TYPE)


def of_fault(error: Exception) -> Problem:
    """The problem of what is no caller's fault; its insides are for the log."""
    return Problem(Trouble.FAILED, f"the service failed ({type(error).__name__}): try again")


def of_media_error(error: MediaError) -> Problem:
    """The problem of media that were refused."""
    return Problem(error.code, str(error))
