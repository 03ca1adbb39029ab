"""Whether the service lives, is ready, what it counts, and what it is."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from vivant import __version__
from vivant.serving.checking import PROBLEMS, Authorization
from vivant.serving.keys import Level
from vivant.serving.problems import Problem, Trouble
from vivant.serving.service import Asked, bearer
from vivant.serving.static_page import has_device_mode
from vivant.session.report import ModelRecord, of_model

__all__ = ["ServiceRecord", "router"]


class ServiceRecord(BaseModel):
    """What a client has to know of the service."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    model: ModelRecord
    note: str
    """What to know of the model before any verdict of it: to be shown with each."""
    needs_key: bool
    interval_s: float
    """Between the frames that are looked at."""
    max_body_bytes: int
    max_frame_bytes: int
    max_in_flight: int
    max_stream_s: float
    on_device: bool
    """Whether the page can judge in the browser."""


router = APIRouter()
_STATE: dict[str, Any] = {"type": "object", "properties": {"status": {"type": "string"}}}


@router.get("/livez", response_model=dict[str, str])
async def livez() -> Response:
    """Whether the process answers: 200 always. Restart it where it does not."""
    return Response('{"status":"alive"}', media_type="application/json")


@router.get("/readyz", responses={200: {"content": {"application/json": {"schema": _STATE}}},
                                  503: PROBLEMS[503]})  # fmt: skip
async def readyz(service: Asked) -> Response:
    """Whether to send requests here: the model is loaded and has passed its self-test."""
    if service.is_draining:
        raise Problem(Trouble.GOING_DOWN, "the service is being stopped")
    if not service.is_tested:
        raise Problem(Trouble.NOT_READY, "the service is starting")
    if not service.judge.is_up:
        raise Problem(Trouble.NOT_READY, "nothing that judges is up at the moment")
    return Response('{"status":"ready"}', media_type="application/json")


@router.get(
    "/metrics",
    responses=PROBLEMS | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(
    service: Asked, request: Request, authorization: Authorization = None
) -> Response:
    """Counts and times, for Prometheus; for a trusted key where the service has keys."""
    if service.identify(request, bearer(authorization)).level is not Level.TRUSTED:
        raise Problem(Trouble.FORBIDDEN, "expected a trusted key, got a public one")
    return Response(service.counters.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/v1/service", response_model=ServiceRecord, responses={421: PROBLEMS[421]})
async def describe(service: Asked) -> Response:
    """What the service is, and what it takes."""
    limits, card = service.limits, service.session.card
    model = of_model(service.session.model)
    record = ServiceRecord(
        version=__version__,
        model=model,
        note=model.note,
        needs_key=service.keys is not None,
        interval_s=card.preprocessing.frame_interval_s,
        max_body_bytes=limits.max_body_bytes,
        max_frame_bytes=limits.max_frame_bytes,
        max_in_flight=limits.max_in_flight,
        max_stream_s=limits.max_stream_s,
        on_device=has_device_mode(),
    )
    return Response(record.model_dump_json(), media_type="application/json")
