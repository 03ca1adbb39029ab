from pathlib import Path

import numpy as np

from prepared import filled, frame, prepared, presentation
from vivant.geometry.crop import CropBox, crop_box
from vivant.preparation.index import FrameIndex, place_crop
from vivant.preparation.square import Square
from vivant.records import FaceBox

FACE = FaceBox(100.0, 100.0, 180.0, 200.0)


def test_rows_are_found_by_presentation_and_in_the_order_of_time(tmp_path: Path) -> None:
    rows = [
        prepared(presentation("a"), [frame(2), frame(0), frame(1, faults=("POSE",))]),
        prepared(presentation("b"), [frame(0, face_x=120.0)]),
    ]
    index = FrameIndex.read(filled(tmp_path / "store", rows))
    places = index.places()
    assert places[0].tolist() == [1, 2, 0]
    assert index.time_s[places[0]].tolist() == [0, 0.1, 0.2]
    assert index.number[places[0]].tolist() == [0, 3, 6]
    assert index.is_usable[places[0]].tolist() == [True, False, True]
    assert index.square(int(places[1][0])) == Square(CropBox(106, 60, 64), 4)


def test_face_of_a_clip_is_the_median(tmp_path: Path) -> None:
    frames = [frame(i, face_x=x) for i, x in enumerate([100.0, 104.0, 140.0])]
    index = FrameIndex.read(filled(tmp_path / "store", [prepared(presentation("a"), frames)]))
    assert index.face((0, 1, 2)) == FaceBox(104.0, 74.0, 140.0, 110.0)


def test_store_without_frames_has_an_empty_index(tmp_path: Path) -> None:
    index = FrameIndex.read(filled(tmp_path / "store", [prepared(presentation("a"), [])]))
    assert index.places() == {}


def test_crop_is_the_sessions_where_all_of_it_is_stored() -> None:
    squares = tuple(Square(CropBox(x, 50, 200), 4) for x in (40, 50, 60))
    assert place_crop(FACE, squares, (640, 480), 1.3) == crop_box(FACE, 640, 480, 1.3)


def test_crop_stays_within_all_squares() -> None:
    squares = (Square(CropBox(75, 50, 200), 4), Square(CropBox(95, 60, 200), 4))
    # Wanted: 150 about (140, 150): x 65, y 75; stored of both: x from 95, y from 60.
    assert place_crop(FACE, squares, (640, 480), 1.5) == CropBox(95, 75, 150)


def test_crop_is_smaller_where_less_is_stored() -> None:
    squares = (Square(CropBox(40, 50, 120), 4), Square(CropBox(60, 50, 120), 4))
    crop = place_crop(FACE, squares, (640, 480), 1.5)
    assert crop == CropBox(60, 70, 100)


def test_squares_that_share_nothing_give_no_crop() -> None:
    squares = (Square(CropBox(0, 50, 100), 4), Square(CropBox(100, 50, 100), 4))
    assert place_crop(FACE, squares, (640, 480), 1.5) is None


def test_empty_column_keeps_its_type(tmp_path: Path) -> None:
    index = FrameIndex.read(filled(tmp_path / "store", [prepared(presentation("a"), [])]))
    assert index.squares.shape == (0, 3)
    assert np.issubdtype(index.faces.dtype, np.floating)
