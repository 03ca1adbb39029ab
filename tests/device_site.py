"""A site with the page's scripts, the models and the frames of a test, and a browser's tab on it.

It sends what the service would, and does not need the service.
"""

import io
from http.server import BaseHTTPRequestHandler
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from vivant.session.session import STARTER

PACKAGE = Path(str(files("vivant")))
PAGE = PACKAGE / "serving" / "page"
WASM_GZ = PAGE / "vendor" / "ort-wasm-simd-threaded.wasm.gz"
MODELS = [*sorted((PACKAGE / "faces" / "models").iterdir()), STARTER, STARTER.with_suffix("")]
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; worker-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".json": "application/json"}

# What the page is asked to do; `frames` are names of pictures that the server has.
PREAMBLE = """
const load = async (name) => {
  const picture = await createImageBitmap(await (await fetch(`/frames/${name}`)).blob());
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  canvas.getContext("2d").drawImage(picture, 0, 0);
  return canvas.getContext("2d").getImageData(0, 0, picture.width, picture.height);
};
const opened = async () => {
  const { openDevice } = await import("/page/device.js");
  window.progress = [];
  window.device ??= await openDevice({ onProgress: (seen) => window.progress.push(seen) });
  return window.device;
};
const models = async () => {
  const { loadModels } = await import("/page/device_models.js");
  window.models ??= await loadModels(() => {});
  return window.models;
};
"""


class Site(BaseHTTPRequestHandler):
    """The page, the models and the frames of a test, as the service would send them."""

    frames: ClassVar[dict[str, bytes]] = {}
    replaced: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        encoding, content = self._find(self.path)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Content-Type", TYPES.get(Path(self.path).suffix, "text/html"))
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def _find(self, path: str) -> tuple[str | None, bytes | None]:
        if path == "/":
            return (
                None,
                b"<!doctype html><html lang=en><title>device</title><link rel=icon href=data:>",
            )
        _, folder, name = path.split("/", 2)
        if name in self.replaced:
            return None, self.replaced[name]
        if folder == "frames":
            return None, self.frames[name]
        if name == f"vendor/{WASM_GZ.stem}":
            return "gzip", WASM_GZ.read_bytes()
        known = {f"models/{file.name}": file for file in MODELS}
        file = known.get(name, PAGE / name)
        return None, file.read_bytes() if file.is_file() else None

    def log_message(self, *_: object) -> None:
        pass


class Tab:
    """A page of the site, and what its console said."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.said: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def run(self, body: str, given: object = None) -> Any:
        """What an asynchronous function of `given` with this body returns."""
        late = "new Promise((_, no) => setTimeout(() => no(new Error('no answer')), 120000))"
        work = f"async (given) => {{ {PREAMBLE} {body} }}"
        return self.page.evaluate(f"(given) => Promise.race([({work})(given), {late}])", given)

    def answer(self, frames: list[np.ndarray], times_s: list[float] | None = None) -> Any:
        """The device's looks and its answer."""
        given = [
            [show(frame), 0.1 * i if times_s is None else times_s[i]]
            for i, frame in enumerate(frames)
        ]
        return self.run(
            """
            const device = await opened();
            await device.begin();
            const looks = [];
            for (const [name, time_s] of given) looks.push(await device.look(await load(name), time_s));
            return { looks, answer: await device.end() };
            """,
            given,
        )


def show(frame: np.ndarray) -> str:
    """Put a frame on the site; its name there."""
    name = f"{len(Site.frames)}.png"
    packed = io.BytesIO()
    Image.fromarray(frame).save(packed, "png", compress_level=1)
    Site.frames[name] = packed.getvalue()
    return name
