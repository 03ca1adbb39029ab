"""Arithmetic of face boxes."""

from collections.abc import Sequence

import numpy as np

from vivant.errors import InputError
from vivant.records import FaceBox

__all__ = ["iou", "median_box", "share_inside"]


def iou(one: FaceBox, other: FaceBox) -> float:
    """Intersection over union, 0..1.

    >>> iou(FaceBox(0.0, 0.0, 2.0, 2.0), FaceBox(1.0, 0.0, 3.0, 2.0))
    0.3333333333333333
    """
    shared = _overlap(one, other)
    area = one.width_px * one.height_px + other.width_px * other.height_px - shared
    return shared / area if area > 0 else 0.0


def share_inside(box: FaceBox, width_px: int, height_px: int) -> float:
    """The share of a box's area that lies inside the frame, 0..1.

    >>> share_inside(FaceBox(-1.0, 0.0, 1.0, 2.0), 10, 10)
    0.5
    """
    area = box.width_px * box.height_px
    frame = FaceBox(0.0, 0.0, float(width_px), float(height_px))
    return _overlap(box, frame) / area if area > 0 else 0.0


def median_box(boxes: Sequence[FaceBox]) -> FaceBox:
    """The median of each edge: one box for all frames of a clip (D22).

    Raises:
        InputError: there is no box.
    """
    if not boxes:
        raise InputError("expected at least one face box, got none")
    edges = np.median([(box.x0, box.y0, box.x1, box.y1) for box in boxes], axis=0)
    return FaceBox(*(float(edge) for edge in edges))


def _overlap(one: FaceBox, other: FaceBox) -> float:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return max(width, 0.0) * max(height, 0.0)
