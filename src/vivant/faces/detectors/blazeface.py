"""BlazeFace full-range, the default: faces up to about five metres away, in 5 ms on one core.

Model and licence: NOTICE. What the numbers mean: MediaPipe's model card "BlazeFace (Full-range)".
"""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vivant.faces.detectors.detector import Detection, Detector, suppress
from vivant.faces.graph import Graph, packaged
from vivant.records import FaceBox

__all__ = ["BlazeFace", "blazeface"]

_SIDE = 192
_STRIDE = 4
_MIN_SCORE = 0.5  # MediaPipe's own: the mesh decides what passes (faces/track.py).
_MAX_OVERLAP = 0.3
_NUM_POINTS = 2  # Of six: the eyes.


def blazeface(model: Path | None = None) -> Detector:
    """MediaPipe's BlazeFace full-range, which ships with the package."""
    return BlazeFace(packaged("blazeface_full_range.onnx"))


class BlazeFace:
    """BlazeFace full-range at 192x192: one anchor for every 4x4 pixels.

    Args:
        model: The graph: uint8 picture in; boxes and logits out.
    """

    def __init__(self, model: bytes) -> None:
        self._graph = Graph(model)
        cells = (np.arange(_SIDE // _STRIDE) + 0.5) * _STRIDE
        self._anchors = np.stack(np.meshgrid(cells, cells), axis=-1).reshape(-1, 1, 2)  # (a, 1, 2)

    def detect(self, pixels: UInt8[np.ndarray, "height width 3"]) -> tuple[Detection, ...]:
        """See `Detector.detect`."""
        square, scale = _letterbox(pixels)
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
        corners = np.concatenate([centres - halves, centres + halves], axis=1) / scale  # (n, 2, 2)
        edges = corners.reshape(-1, 4)
        points = (values[:, 2 : 2 + _NUM_POINTS] + anchors) / scale
        scores = 1 / (1 + np.exp(-logits[good].astype(np.float64)))
        return tuple(
            Detection(FaceBox(*edges[i].tolist()), float(scores[i]), points[i])
            for i in suppress(edges, scores, _MAX_OVERLAP)
        )


def _letterbox(
    pixels: UInt8[np.ndarray, "height width 3"],
) -> tuple[UInt8[np.ndarray, "192 192 3"], Float[np.ndarray, "1 2"]]:
    """The frame shrunk into the upper left of a square; pixels of the square for one of it."""
    height, width, _ = pixels.shape
    largest = max(height, width)
    small = (max(1, round(width * _SIDE / largest)), max(1, round(height * _SIDE / largest)))
    square = np.zeros((_SIDE, _SIDE, 3), np.uint8)
    square[: small[1], : small[0]] = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
    return square, np.array([[small[0] / width, small[1] / height]])
