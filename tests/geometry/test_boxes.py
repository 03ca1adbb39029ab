import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivant.errors import InputError
from vivant.geometry.boxes import iou, median_box, share_inside
from vivant.records import FaceBox

WHOLE = st.integers(-20, 30)


@st.composite
def whole_boxes(draw: st.DrawFn) -> FaceBox:
    """A box of whole pixels, that may have no area."""
    x0, y0 = draw(WHOLE), draw(WHOLE)
    width, height = draw(st.integers(0, 20)), draw(st.integers(0, 20))
    return FaceBox(float(x0), float(y0), float(x0 + width), float(y0 + height))


def painted(box: FaceBox) -> np.ndarray:
    """The box's pixels in a field that holds them all; its first row and column are -20."""
    field = np.zeros((80, 80), dtype=bool)
    x0, y0, x1, y1 = (round(edge) + 20 for edge in (box.x0, box.y0, box.x1, box.y1))
    field[y0:y1, x0:x1] = True
    return field


def test_overlap_of_boxes_by_hand() -> None:
    box = FaceBox(0.0, 0.0, 4.0, 2.0)
    assert iou(box, box) == 1.0
    assert iou(box, FaceBox(2.0, 1.0, 6.0, 3.0)) == pytest.approx(2 / 14)
    assert iou(box, FaceBox(1.0, 0.5, 3.0, 1.5)) == pytest.approx(2 / 8)  # One in the other.
    assert iou(box, FaceBox(4.0, 0.0, 8.0, 2.0)) == 0.0  # They touch.
    assert iou(box, FaceBox(9.0, 9.0, 10.0, 10.0)) == 0.0


@given(whole_boxes(), whole_boxes())
def test_overlap_is_that_of_painted_pixels(one: FaceBox, other: FaceBox) -> None:
    both = np.logical_or(painted(one), painted(other)).sum()
    shared = np.logical_and(painted(one), painted(other)).sum()
    assert iou(one, other) == pytest.approx(shared / both if both else 0.0)
    assert iou(one, other) == iou(other, one)


@given(whole_boxes())
def test_share_inside_is_that_of_painted_pixels(box: FaceBox) -> None:
    inside = painted(box)[20:35, 20:45].sum()  # A frame of 25x15.
    total = painted(box).sum()
    assert share_inside(box, 25, 15) == pytest.approx(inside / total if total else 0.0)


def test_box_without_area_overlaps_nothing() -> None:
    line = FaceBox(1.0, 1.0, 1.0, 5.0)
    assert iou(line, line) == 0.0
    assert share_inside(line, 10, 10) == 0.0


def test_overlap_with_a_box_that_is_no_number_is_none() -> None:
    box = FaceBox(math.nan, 0.0, 1.0, 1.0)
    assert iou(box, FaceBox(0.0, 0.0, 1.0, 1.0)) == 0.0
    assert share_inside(box, 10, 10) == 0.0


def test_median_box_is_the_median_of_each_edge() -> None:
    boxes = [
        FaceBox(0.0, 10.0, 20.0, 30.0),
        FaceBox(2.0, 12.0, 90.0, 31.0),
        FaceBox(4.0, 11.0, 22.0, 29.0),
    ]
    assert median_box(boxes) == FaceBox(2.0, 11.0, 22.0, 30.0)
    assert median_box(boxes[:2]) == FaceBox(1.0, 11.0, 55.0, 30.5)
    assert median_box(boxes[::-1]) == median_box(boxes)


def test_median_of_no_boxes_is_refused() -> None:
    with pytest.raises(InputError, match="expected at least one face box, got none"):
        median_box([])
