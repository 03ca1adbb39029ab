"""The media of a request: its body as it is, or a form with a file or frames. Never on disk."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from vivant.errors import Refusal
from vivant.serving.limits import ServiceLimits
from vivant.serving.problems import Problem, Trouble

__all__ = ["REQUEST_BODY", "Media", "read_media"]

_LEAST_FRAMES = 5
_DEFAULT_RATE = 10.0
_MAX_RATE = 240.0
_BINARY = {"schema": {"type": "string", "format": "binary"}}

REQUEST_BODY = {
    "required": True,
    "description": "the bytes of a video or a picture, whatever their type is called, or a form",
    "content": {
        "application/octet-stream": _BINARY,
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "media": {
                        "type": "string",
                        "format": "binary",
                        "description": "a video or a picture",
                    },
                    "frames": {
                        "type": "array",
                        "items": {"type": "string", "format": "binary"},
                        "minItems": _LEAST_FRAMES,
                        "description": "pictures of one clip, in the order of time",
                    },
                    "rate": {
                        "type": "number",
                        "exclusiveMinimum": 0,
                        "maximum": _MAX_RATE,
                        "default": _DEFAULT_RATE,
                        "description": "frames a second, of `frames`",
                    },
                },
            }
        },
    },
}
"""For the OpenAPI document: what `read_media` takes."""


@dataclass(frozen=True, slots=True, eq=False)
class Media:
    """A presentation, as it was sent."""

    source: bytes | tuple[bytes, ...]
    """A file, or the picture of each frame."""
    rate: float = _DEFAULT_RATE
    """Frames a second, of pictures."""

    @property
    def parts(self) -> tuple[bytes, ...]:
        """The file, or each picture."""
        return (self.source,) if isinstance(self.source, bytes) else self.source


async def read_media(request: Request, limits: ServiceLimits) -> Media:
    """Read a request's body.

    Args:
        request: With a body of any type but forms, or multipart/form-data: a part `media`, or five
            or more parts `frames` and perhaps a field `rate`.
        limits: max_frames is looked at.

    Raises:
        Problem: it is neither; or what the body's bounds say (`bodies`).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        raise Problem(
            Trouble.BAD_REQUEST,
            "expected the bytes of a video or picture, or multipart/form-data, got a form of text: "
            "with curl use --data-binary @FILE and -H 'Content-Type: application/octet-stream', or "
            "-F media=@FILE",
        )
    try:
        if kind != "multipart/form-data":
            return Media(_not_empty(await _whole(request)))
        parser = _InMemory(
            request.headers,
            request.stream(),
            max_files=limits.max_frames,
            max_fields=8,
            max_part_size=1024,
        )
        try:
            return await _of_form(await parser.parse())
        finally:
            parser.close()
    except ClientDisconnect as error:
        raise Problem(Trouble.BAD_REQUEST, "the body ended early: send all of it") from error
    except MultiPartException as error:
        raise Problem(
            Trouble.BAD_REQUEST,
            f"the form is none: {error.message} At most {limits.max_frames} files are taken "
            "(max_frames)",
        ) from error
    except ValueError as error:  # Of codecs: the sender names one, such as charset=undefined.
        raise Problem(
            Trouble.BAD_REQUEST, "the form is not in the charset that it names: leave it out"
        ) from error


async def _of_form(form: FormData) -> Media:
    files = [one for one in form.getlist("media") if isinstance(one, UploadFile)]
    frames = [one for one in form.getlist("frames") if isinstance(one, UploadFile)]
    if len(files) == 1 and not frames:
        return Media(_not_empty(await files[0].read()))
    if files or len(frames) < _LEAST_FRAMES:
        raise Problem(
            Trouble.BAD_REQUEST,
            f"expected one file `media`, or {_LEAST_FRAMES} or more files `frames`, got "
            f"{len(files)} and {len(frames)}",
        )
    given = form.get("rate", str(_DEFAULT_RATE))
    try:
        rate = float(given) if isinstance(given, str) else 0.0
    except ValueError:
        rate = 0.0
    if not 0 < rate <= _MAX_RATE:
        raise Problem(
            Trouble.BAD_REQUEST,
            f"expected `rate` as frames a second, above 0 and at most {_MAX_RATE:g}, got {given!r}",
        )
    return Media(tuple([_not_empty(await one.read()) for one in frames]), rate)


async def _whole(request: Request) -> bytes:
    stream: AsyncGenerator[bytes, None] = request.stream()
    return b"".join([chunk async for chunk in stream])


def _not_empty(data: bytes) -> bytes:
    if not data:
        raise Problem(Refusal.EMPTY_INPUT, "expected a video or a picture, got 0 bytes")
    return data


class _InMemory(MultiPartParser):
    """Keeps files in memory: the body is bounded, and no face is written to a disk."""

    spool_max_size = 2**40

    def close(self) -> None:
        """Let go of the files, also of one whose end did not come: no form has that."""
        for file in self._files_to_close_on_error:
            file.close()
