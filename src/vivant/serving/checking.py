"""POST /v1/check: a presentation in, a verdict out."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from vivant.serving.answers import FullAnswer, PublicAnswer, to_answer
from vivant.serving.media import REQUEST_BODY, read_media
from vivant.serving.problems import PROBLEM_TYPE, Problem, ProblemRecord, Trouble
from vivant.serving.service import Asked, Service, bearer

__all__ = ["PROBLEMS", "require_open", "router"]

_PROBLEM: dict[str, Any] = {
    "model": ProblemRecord,
    "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemRecord"}}},
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {**_PROBLEM, "description": "No key or token, or none that is known"},
    403: {**_PROBLEM, "description": "May not be asked by this caller or page"},
    408: {**_PROBLEM, "description": "The body did not arrive in time"},
    413: {**_PROBLEM, "description": "The body is too large"},
    415: {**_PROBLEM, "description": "Not a video or picture that is read"},
    421: {**_PROBLEM, "description": "Asked for under another name"},
    422: {**_PROBLEM, "description": "The media are refused, or the request is not understood"},
    429: {**_PROBLEM, "description": "Too many requests: wait for Retry-After"},
    431: {**_PROBLEM, "description": "The headers are too large"},
    500: {**_PROBLEM, "description": "The service failed"},
    503: {**_PROBLEM, "description": "Busy, or not ready: wait for Retry-After"},
}
"""What any route may answer besides a verdict."""

Authorization = Annotated[
    str | None, Header(description="`Bearer KEY`, where the service has keys")
]


def require_open(service: Service) -> None:
    """Refuse while the service starts.

    Requests that come while it ends are answered: they were on their way.

    Raises:
        Problem: NOT_READY.
    """
    if not service.is_tested:
        raise Problem(Trouble.NOT_READY, "the service is starting: try again")


router = APIRouter()


@router.post(
    "/v1/check",
    response_model=FullAnswer | PublicAnswer,
    responses=PROBLEMS,
    openapi_extra={"requestBody": REQUEST_BODY},
)
async def check(
    service: Asked,
    request: Request,
    explain: Annotated[
        bool,
        Query(description="add a crop, boxes, depth and Grad-CAM, for trusted callers"),
    ] = False,
    authorization: Authorization = None,
) -> Response:
    """Judge a video, a picture, or five and more frames of a clip.

    `decision` is null unless there is one: never read that as bona fide.
    """
    require_open(service)
    caller = service.identify(request, bearer(authorization))
    service.judge.require_room()
    media = await read_media(request, service.limits)
    verdict = await service.check(media, caller, request.state.request_id)
    answer = to_answer(verdict, caller.level, explained=explain)
    return Response(answer.model_dump_json(), media_type="application/json")
