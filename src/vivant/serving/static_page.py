"""The page at /, and what its browser needs to judge by itself: files of this package alone."""

from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from vivant.serving.problems import Problem, Trouble
from vivant.serving.service import Asked

__all__ = ["has_device_mode", "page_files", "router"]

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".onnx": "application/octet-stream",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
}
_GZIP = ".gz"
_RUNTIME = "vendor/ort-wasm-simd-threaded.wasm"
# The model that ships, whatever model the service has: what a browser holds is everybody's.
_MODELS = {
    "models/lite.onnx": "session/models/lite.onnx",
    "models/lite.onnx.json": "session/models/lite.onnx.json",
    "models/blazeface_full_range.onnx": "faces/models/blazeface_full_range.onnx",
    "models/face_mesh.onnx": "faces/models/face_mesh.onnx",
}


@lru_cache
def page_files() -> dict[str, Path]:
    """Each file that is served below /page/, by its name there."""
    package = Path(str(files("vivant")))
    folder = package / "serving" / "page"
    found = {
        path.relative_to(folder).as_posix().removesuffix(_GZIP): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and Path(path.name.removesuffix(_GZIP)).suffix in _TYPES
    }
    return found | {name: package / place for name, place in _MODELS.items()}


def has_device_mode() -> bool:
    """Whether all is there that a browser needs to judge by itself."""
    return {_RUNTIME, *_MODELS} <= page_files().keys()


router = APIRouter(include_in_schema=False)


@router.get("/")
async def index(request: Request) -> Response:
    return _file("index.html", request)


@router.get("/page/{name:path}")
async def file(service: Asked, name: str, request: Request) -> Response:
    if name in _MODELS:
        service.limit_rate(request)
    return _file(name, request)


def _file(name: str, request: Request) -> Response:
    path = page_files().get(name)
    if path is None:
        raise Problem(Trouble.NOT_FOUND, "the page has no such file")
    headers = {"Cache-Control": "no-cache"}  # Kept, and asked for anew by its ETag.
    if path.suffix == _GZIP:
        headers["Content-Encoding"] = "gzip"
    media_type = _TYPES[Path(name).suffix]
    answer = FileResponse(path, headers=headers, media_type=media_type, stat_result=path.stat())
    if request.headers.get("if-none-match") == answer.headers["etag"]:
        return Response(status_code=304, headers={"ETag": answer.headers["etag"]} | headers)
    return answer
