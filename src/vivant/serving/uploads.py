"""/v1/sessions: media by somebody who holds a token for once, the verdict for your back end."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from vivant.serving.answers import FullAnswer, PublicAnswer, to_answer
from vivant.serving.checking import PROBLEMS, Authorization, require_open
from vivant.serving.keys import Level
from vivant.serving.media import REQUEST_BODY, read_media
from vivant.serving.problems import Problem, ProblemRecord, Trouble
from vivant.serving.service import Asked, bearer
from vivant.serving.sessions import SessionState

__all__ = ["OpenedSession", "SessionRecord", "router"]

Id = Annotated[str, Path(max_length=64)]
Token = Annotated[str | None, Header(description="`Bearer TOKEN`, of this session")]


class OpenedSession(BaseModel):
    """A session that waits for its media."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    token: str
    """For whoever sends the media: good for this session, once. It is shown only here."""
    expires_in_s: float


class SessionRecord(BaseModel):
    """A session, as it stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    state: SessionState
    expires_in_s: float
    """Seconds that are left to send the media."""
    answer: FullAnswer | PublicAnswer | None
    """null until there is a verdict: only `answer.decision == "bona_fide"` is a pass."""
    problem: ProblemRecord | None
    """Why there will be no verdict."""


router = APIRouter(prefix="/v1/sessions")
_MISSING: dict[int | str, dict[str, Any]] = {
    404: {**PROBLEMS[422], "description": "No such session"}
}


@router.post("", status_code=201, response_model=OpenedSession, responses=PROBLEMS)
async def open_session(
    service: Asked, request: Request, authorization: Authorization = None
) -> Response:
    """Open a session, and get the token for whoever will send its media, once."""
    require_open(service)
    service.identify(request, bearer(authorization))
    session, token = service.sessions.open()
    expires_in_s = service.sessions.expires_in_s(session)
    opened = OpenedSession(id=session.id, token=token, expires_in_s=round(expires_in_s, 3))
    return Response(opened.model_dump_json(), 201, media_type="application/json")


@router.put(
    "/{session_id}/media",
    response_model=PublicAnswer,
    responses=PROBLEMS
    | _MISSING
    | {
        409: {**PROBLEMS[422], "description": "The session has its media already"},
        410: {**PROBLEMS[422], "description": "Too late"},
    },
    openapi_extra={"requestBody": REQUEST_BODY},
)
async def send_media(
    service: Asked, request: Request, session_id: Id, authorization: Token = None
) -> Response:
    """Send the session's media, once, and get the decision without its score.

    Media that were sent in another session before are not decided on (MEDIA_SEEN_BEFORE).
    """
    require_open(service)
    service.limit_rate(request)
    service.judge.require_room()
    session = service.sessions.claim(session_id, bearer(authorization) or "")
    try:
        media = await read_media(request, service.limits)
        verdict = await service.check_in_session(media, session, request.state.request_id)
    finally:
        if not session.is_judged:
            service.sessions.release(session)  # Nothing was judged.
    answer = to_answer(verdict, Level.PUBLIC)
    return Response(answer.model_dump_json(), media_type="application/json")


@router.get("/{session_id}", response_model=SessionRecord, responses=PROBLEMS | _MISSING)
async def get_session(
    service: Asked, request: Request, session_id: Id, authorization: Authorization = None
) -> Response:
    """What came of a session: all of it for a trusted key, the decision for its token."""
    secret = bearer(authorization)
    if secret is not None and (service.keys is None or service.keys.find(secret) is None):
        service.limit_rate(request)
        session = service.sessions.find(session_id)
        level = Level.PUBLIC
        if not session.is_token(secret):
            raise Problem(Trouble.UNAUTHORIZED, "expected a key, or this session's token")
    else:
        level = service.identify(request, secret).level
        if level is not Level.TRUSTED:
            raise Problem(
                Trouble.FORBIDDEN,
                "expected a trusted key or this session's token, got a public key",
            )
        session = service.sessions.find(session_id)
    record = SessionRecord(
        id=session.id,
        state=service.sessions.state(session),
        expires_in_s=round(service.sessions.expires_in_s(session), 3),
        answer=session.answer(level),
        problem=None if session.problem is None else session.problem.record,
    )
    return Response(record.model_dump_json(), media_type="application/json")
