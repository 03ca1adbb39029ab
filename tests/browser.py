"""Debian's chromium for tests, with a film for a camera. Without it such tests say that they skip.

Where VIVANT_REQUIRE_BROWSER is set, as in .ci/run, they fail instead.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

CHROMIUM = shutil.which("chromium")
IS_REQUIRED = bool(os.environ.get("VIVANT_REQUIRE_BROWSER"))
IS_HERE = CHROMIUM is not None and find_spec("playwright") is not None

needs_browser = pytest.mark.skipif(
    not IS_HERE and not IS_REQUIRED,
    reason="browser tests need Debian's chromium and playwright: apt-get install chromium",
)


@contextmanager
def browser(film: Path | None = None, *, may_film: bool = True) -> Iterator[Any]:
    """A browser.

    Args:
        film: What its camera shows, over and over: a file of `write_film`; None: it has none.
        may_film: Whether its person allows the camera when a page asks.
    """
    from playwright.sync_api import sync_playwright

    assert CHROMIUM is not None, "VIVANT_REQUIRE_BROWSER is set, and chromium is not installed"
    arguments = ["--no-sandbox"]
    if film is not None:
        arguments += [
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={film}",
        ]
    if may_film:
        arguments += ["--use-fake-ui-for-media-stream"]
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield opened
        finally:
            opened.close()


def write_film(path: Path, frames: Sequence[np.ndarray], rate: int) -> Path:
    """Frames for a camera, there and back again so that the end meets the beginning.

    Args:
        path: Ends in .y4m.
        frames: (height, width, 3), RGB, 0..255.
        rate: Frames a second.
    """
    height, width, _ = frames[0].shape
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{rate}:1 Ip A1:1 C420jpeg\n".encode())
        for pixels in [*frames, *frames[-2:0:-1]]:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            planes = picture.reformat(format="yuv420p", threads=1).to_ndarray()
            file.write(b"FRAME\n" + planes.tobytes())
    return path
