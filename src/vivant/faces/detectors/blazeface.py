"""BlazeFace full-range, the default: faces up to about five metres away, in 5 ms on one core.

It sees a frame on 192 pixels: in our measurements it found every face of at least 0.09 of the
longer side of what it was shown, and missed more and more of smaller ones. Where it finds nothing,
it looks once more at three squares of the frame, so that the longer side is the frame's shorter.

Model and licence: NOTICE. What the numbers mean: MediaPipe's model card "BlazeFace (Full-range)".
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from vivant.errors import InputError
from vivant.faces.detectors.detector import Detection, Detector, suppress
from vivant.faces.graph import Graph, packaged, read_model
from vivant.geometry.shrink import shrink
from vivant.records import FaceBox

__all__ = ["BlazeFace", "blazeface"]

_SIDE = 192
_STRIDE = 4
_MIN_SCORE = 0.5  # MediaPipe's own: the mesh decides what passes (faces/track.py).
_MAX_OVERLAP = 0.3
_NUM_POINTS = 2  # Of six: the eyes.
_FILE = "blazeface_full_range.onnx"
_OUTPUTS = {"boxes": (1, 2304, 16), "logits": (1, 2304, 1)}


def blazeface(model: Path | None = None) -> Detector:
    """MediaPipe's BlazeFace full-range.

    Args:
        model: A file of the same layout; None: the one that ships with the package.

    Raises:
        InputError: the file cannot be read, or has another layout.
    """
    if model is None:
        return BlazeFace(packaged(_FILE), _FILE)
    return BlazeFace(read_model(model), model.name)


class BlazeFace:
    """BlazeFace full-range at 192x192: one anchor for every 4x4 pixels.

    Args:
        model: The graph: uint8 picture in; boxes and logits out.
        name: What to call it in errors.

    Raises:
        InputError: it is no graph, or has other outputs.
    """

    def __init__(self, model: bytes, name: str) -> None:
        self._graph = Graph(model, name)
        if self._graph.outputs != _OUTPUTS:
            raise InputError(
                f"{name} is not a BlazeFace full-range: expected the outputs {_named(_OUTPUTS)}, "
                f"got {_named(self._graph.outputs)}"
            )
        cells = (np.arange(_SIDE // _STRIDE) + 0.5) * _STRIDE
        self._anchors = np.stack(np.meshgrid(cells, cells), axis=-1).reshape(-1, 1, 2)  # (a, 1, 2)

    def detect(self, pixels: UInt8[np.ndarray, "height width 3"]) -> tuple[Detection, ...]:
        """See `Detector.detect`."""
        found = self._find(pixels, 0, 0)
        if found:
            return found
        closer = [
            part for x, y in _squares(pixels) for part in self._find(_cut(pixels, x, y), x, y)
        ]
        if not closer:
            return ()
        edges = np.array([(f.box.x0, f.box.y0, f.box.x1, f.box.y1) for f in closer])
        scores = np.array([f.score for f in closer])
        return tuple(closer[i] for i in suppress(edges, scores, _MAX_OVERLAP))

    def _find(
        self, pixels: UInt8[np.ndarray, "height width 3"], x: int, y: int
    ) -> tuple[Detection, ...]:
        """The faces of a part of a frame whose upper left corner is (x, y)."""
        square, scale = letterbox(pixels)
        boxes, logits = self._graph.run(square[None])
        logits = logits.reshape(-1)
        good = np.flatnonzero(logits > np.log(_MIN_SCORE / (1 - _MIN_SCORE)))
        if not len(good):
            return ()
        # (x, y) of centre, (width, height), then points: all in pixels of the square.
        values = boxes.reshape(-1, 8, 2)[good].astype(np.float64)
        anchors = self._anchors[good]
        centres = values[:, :1] + anchors
        halves = values[:, 1:2] / 2
        corner = np.array([[x, y]])
        corners = np.concatenate([centres - halves, centres + halves], axis=1)  # (n, 2, 2)
        edges = (corners / scale + corner).reshape(-1, 4)
        points = (values[:, 2 : 2 + _NUM_POINTS] + anchors) / scale + corner
        scores = 1 / (1 + np.exp(-logits[good].astype(np.float64)))
        return tuple(
            Detection(FaceBox(*edges[i].tolist()), float(scores[i]), points[i])
            for i in suppress(edges, scores, _MAX_OVERLAP)
        )


def _squares(pixels: UInt8[np.ndarray, "height width 3"]) -> list[tuple[int, int]]:
    """Corners of the squares at both ends and in the middle; none where the frame is one itself."""
    height, width, _ = pixels.shape
    longer = abs(width - height)
    places = sorted({0, longer // 2, longer}) if longer else []
    return [(place, 0) if width > height else (0, place) for place in places]


def _cut(
    pixels: UInt8[np.ndarray, "height width 3"], x: int, y: int
) -> UInt8[np.ndarray, "side side 3"]:
    side = min(pixels.shape[:2])
    return pixels[y : y + side, x : x + side]


def letterbox(
    pixels: UInt8[np.ndarray, "height width 3"],
) -> tuple[UInt8[np.ndarray, "192 192 3"], Float[np.ndarray, "1 2"]]:
    """The frame, resized into the upper left of a square; pixels of the square for one of it."""
    height, width, _ = pixels.shape
    largest = max(height, width)
    small = (max(1, round(width * _SIDE / largest)), max(1, round(height * _SIDE / largest)))
    square = np.zeros((_SIDE, _SIDE, 3), np.uint8)
    square[: small[1], : small[0]] = shrink(pixels, *small)
    return square, np.array([[small[0] / width, small[1] / height]])


def _named(outputs: Mapping[str, Sequence[object]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in outputs.items())
