"""`vivant doctor`: what is installed, what works, and what is missing."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vivant.errors import VivantError

__all__ = ["doctor"]

_BASE = ("numpy", "av", "Pillow", "opencv-python-headless", "onnxruntime", "pydantic")
_DATA = ("pylance", "pyarrow", "fsspec", "universal-pathlib")
_TRAIN = ("torch", "safetensors", "onnx", "onnxscript", "huggingface_hub")
_SERVE = (
    "fastapi", "uvicorn", "httptools", "websockets", "python-multipart", "prometheus-client",
)  # fmt: skip
_STYLES = {"works": "green", "note": "yellow", "broken": "bold red"}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at."""

    what: str
    state: Literal["works", "note", "broken"]
    """`note`: not there, and nothing that checking a clip needs."""
    detail: str


def doctor(
    model: Annotated[
        Path | None, typer.Option(help="Card of a model.", show_default="the one that ships")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Say what is installed, which parts work, and what is missing.

    Exit code: 0 where clips can be checked, 1 where something that this needs is broken.
    """
    lines = [
        *_packages(),
        _tried("decoding, isolated", _decode),
        _tried("face models", _see),
        _runtime("runtime onnx", "onnxruntime", "pip install vivant"),
        _runtime("runtime torch", "torch", "pip install 'vivant[train]'"),
        _tried("model", lambda: _open(model)),
        Line(
            "doubts by profile",
            "note",
            "OUT_OF_DISTRIBUTION and WINDOWS_DISAGREE are off unless a profile is in use: `vivant "
            "calibrate` sets their limits on development data, `vivant check --profile` has them",
        ),
    ]
    broken = any(line.state == "broken" for line in lines)
    if as_json:
        content = {"works": not broken, "lines": [asdict(line) for line in lines]}
        typer.echo(json.dumps(content, indent=2))
    else:
        table = Table(box=None, pad_edge=False)
        table.add_column("what", no_wrap=True)
        table.add_column("state", no_wrap=True)
        table.add_column("detail", overflow="fold")
        for line in lines:
            table.add_row(line.what, Text(line.state, _STYLES[line.state]), Text(line.detail))
        Console().print(table)
    raise typer.Exit(int(broken))


def _packages() -> list[Line]:
    lines = []
    for what, names, missing in (
        ("base", _BASE, "broken"),
        ("extra data", _DATA, "note"),
        ("extra train", _TRAIN, "note"),
        ("extra serve", _SERVE, "note"),
        ("extra ray", ("ray",), "note"),
    ):
        found = {name: _version(name) for name in names}
        absent = [name for name, number in found.items() if number is None]
        there = ", ".join(f"{name} {number}" for name, number in found.items() if number)
        if absent:
            detail = f"not installed: {', '.join(absent)}" + (f"; there: {there}" if there else "")
            lines.append(Line(what, missing, detail))  # type: ignore[arg-type]
        else:
            lines.append(Line(what, "works", there))
    return lines


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _tried(what: str, attempt: Callable[[], Line]) -> Line:
    """What came of trying it; an error of ours is what it says."""
    try:
        return attempt()
    except (VivantError, ImportError, OSError) as error:
        return Line(what, "broken", str(error))


def _decode() -> Line:
    """Decode a video that is made here, in a locked process."""
    import io

    import av
    import numpy as np

    from vivant.video.isolation import DecoderPool
    from vivant.video.limits import VideoLimits

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10, width=64, height=64, pix_fmt="yuv420p")
        picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 128, np.uint8))
        for packet in stream.encode(picture) + stream.encode(None):
            container.mux(packet)
    with DecoderPool(VideoLimits()) as pool:
        num_frames = len(list(pool.read_media(file.getvalue(), 0.1).frames))
        missing = pool.not_locked
    if num_frames != 1:
        return Line("decoding, isolated", "broken", f"expected 1 frame, got {num_frames}")
    if missing:
        return Line("decoding, isolated", "note", f"not locked whole: {'; '.join(missing)}")
    return Line(
        "decoding, isolated", "works", "no files, no network, no programs; memory and time bounded"
    )


def _see() -> Line:
    """Load the models that see, and ask them about nothing."""
    import numpy as np

    from vivant.faces.mesh import FaceMesh, Region
    from vivant.plugins import discover, find

    nothing = np.zeros((240, 320, 3), np.uint8)
    faces = find("vivant.faces.detectors", "blazeface", "detector")(None).detect(nothing)
    mesh = FaceMesh().fit(nothing, Region(160.0, 120.0, 100.0, 0.0))
    if faces or mesh.presence_logit > 0:
        return Line("face models", "broken", "they see a face where there is none")
    names = ", ".join(discover("vivant.faces.detectors"))
    return Line("face models", "works", f"BlazeFace and FaceMesh; detectors: {names}")


def _runtime(what: str, package: str, advice: str) -> Line:
    number = _version(package)
    if number is None:
        return Line(what, "note", f"{package} is not installed: {advice}")
    return Line(what, "works", f"{package} {number}")


def _open(model: Path | None) -> Line:
    from vivant.runtimes.opening import open_runner
    from vivant.session.decision import doubts_about_model
    from vivant.session.session import STARTER

    card = open_runner(model or STARTER).card
    doubts = doubts_about_model(card)
    if doubts:
        return Line("model", "note", "; ".join(doubt.message for doubt in doubts))
    assert card.training is not None
    kind = "simulated attacks" if card.training.is_synthetic else "attacks"
    return Line("model", "works", f"{card.model}, trained on {kind} of {card.training.data}")
