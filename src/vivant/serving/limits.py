"""What one caller, and all of them together, may ask of the service. Refusals name the limit."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vivant.errors import InputError, UnknownNameError

__all__ = ["ServiceLimits", "parse_limits"]


class ServiceLimits(BaseModel):
    """Limits of the service; those of media are `vivant.video.limits.VideoLimits`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )

    max_connections: int = Field(512, gt=0)
    """Open connections. One more closes the one that has waited longest for its client (to ask, to
    send the rest, to read), and is answered 503 where all are at work."""
    max_header_bytes: int = Field(16 * 1024, gt=0)
    """Of a request, before its body."""
    header_timeout_s: float = Field(10, gt=0)
    """From the first byte, or the connection, to the end of the headers."""
    idle_timeout_s: int = Field(5, gt=0)
    """How long a connection without a request stays open."""
    max_body_bytes: int = Field(32 * 2**20, gt=0)
    """Of a request: ten seconds of 1080p of a phone."""
    body_timeout_s: float = Field(30, gt=0)
    """From the headers to the end of the body."""
    write_timeout_s: float = Field(20, gt=0)
    """How long an answer may stand still because its client does not read."""
    upload_memory_bytes: int = Field(256 * 2**20, gt=0)
    """Bodies in memory, all requests together."""
    max_frames: int = Field(64, ge=5)
    """Pictures of one presentation that is sent as frames."""
    max_waiting: int = Field(1, ge=0)
    """Presentations that wait while others are in work; one more is answered 503 with Retry-After.
    With one, nobody waits for more than about four times an unloaded check (benchmarks/README.md);
    raise it where many come at once and may wait."""
    answer_timeout_s: float = Field(30, gt=0)
    """From the end of the body to the answer."""
    requests_per_minute: float = Field(120, gt=0)
    """Of one client (a trusted key, else an address): more are answered 429 with Retry-After ..."""
    request_burst: int = Field(30, gt=0)
    """... but for so many at once."""
    session_s: int = Field(180, gt=0)
    """How long a session waits for its media."""
    result_s: int = Field(900, gt=0)
    """How long a session's verdict can be fetched."""
    max_sessions: int = Field(10_000, gt=0)
    """Sessions that are remembered."""
    max_streams: int = Field(4, ge=0)
    """Streams at a time: each has a decoder of its own, 90 MiB, and up to a core's work."""
    max_streams_per_client: int = Field(2, gt=0)
    max_stream_s: float = Field(60, gt=0)
    """Length of a stream."""
    hello_timeout_s: float = Field(10, gt=0)
    """How long a stream may say nothing, at its start and between frames."""
    max_frame_bytes: int = Field(512 * 1024, gt=0)
    """Of one message of a stream."""
    max_frames_per_s: float = Field(30, gt=0)
    """Messages of a stream in a second, on average."""
    max_in_flight: int = Field(2, gt=0)
    """Frames of a stream that are not answered yet."""
    batch_wait_s: float = Field(0.005, ge=0)
    """How long clips wait for others to share a run of the network, where others are in work."""


def parse_limits(settings: Sequence[str]) -> ServiceLimits:
    """The limits, with those that a command line sets.

    Args:
        settings: Each `name=value`.

    Raises:
        UnknownNameError: there is no such limit.
        InputError: it cannot have that value.

    >>> parse_limits(["max_streams=8"]).max_streams
    8
    """
    values: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise InputError(f"expected a limit as name=value, got {setting!r}")
        if name not in ServiceLimits.model_fields:
            raise UnknownNameError("limit", name, ServiceLimits.model_fields)
        values[name] = value
    try:
        return ServiceLimits.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"limit {first['loc'][0]}: {first['msg']}, got {first['input']}"
        ) from error
