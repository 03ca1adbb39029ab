"""What a detector is: a frame in, boxes and eyes out."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vivant.records import FaceBox

# `suppress` is for detectors: a function in `__all__` would be taken for one (vivant.plugins).
__all__ = ["Detection", "Detector"]


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """Something that looks like a face."""

    box: FaceBox
    score: float
    """How much so, 0..1, by the detector's own measure."""
    eyes: Float[np.ndarray, "2 2"]
    """(x, y) of the eye on the left of the picture, then of the other, in pixels of the frame."""


@runtime_checkable
class Detector(Protocol):
    """Finds faces. Safe to call from several threads."""

    def detect(self, pixels: UInt8[np.ndarray, "height width 3"]) -> tuple[Detection, ...]:
        """Everything that looks like a face, the best first; none is a usual answer.

        Args:
            pixels: RGB, 0..255, upright.
        """
        ...


def suppress(
    edges: Float[np.ndarray, "n 4"], scores: Float[np.ndarray, " n"], max_overlap: float
) -> list[int]:
    """The boxes that no better one overlaps, the best first (non-maximum suppression).

    Args:
        edges: x0 y0 x1 y1.
        scores: Above 0, higher is better.
        max_overlap: Intersection over union above which the worse of two is dropped.

    Returns:
        Positions in `edges`.
    """
    corners = [(x0, y0, x1 - x0, y1 - y0) for x0, y0, x1, y1 in edges.tolist()]
    # Scores are above 0, so OpenCV leaves none out for its score.
    kept = cv2.dnn.NMSBoxes(corners, scores.tolist(), 0.0, max_overlap)
    return [int(index) for index in np.asarray(kept).reshape(-1)]
