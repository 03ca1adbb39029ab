import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivant.errors import InputError
from vivant.geometry.crop import CropBox, crop_box, cut
from vivant.preparation.settings import PreparationSettings
from vivant.preparation.square import Square, choose_quarters, place_square
from vivant.records import FaceBox

SETTINGS = PreparationSettings()


def face(x: float, y: float, side: float) -> FaceBox:
    return FaceBox(x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def test_small_face_is_stored_as_it_was_filmed() -> None:
    assert choose_quarters(face(300.0, 300.0, 120.0), SETTINGS, None) == 4
    square = place_square(face(300.0, 300.0, 120.0), 640, 480, 4, SETTINGS)
    assert square.box == crop_box(face(300.0, 300.0, 120.0), 640, 480, 1.75)
    assert square.side_px == square.box.side_px == 210


def test_large_face_is_shrunk_to_the_pixels_that_training_needs() -> None:
    # 4 * 430 / 172 = 10 quarters: 2.5 pixels of the frame for one.
    quarters = choose_quarters(face(500.0, 500.0, 430.0), SETTINGS, None)
    assert quarters == 10
    square = place_square(face(500.0, 500.0, 430.0), 1080, 1920, quarters, SETTINGS)
    assert square.step_px == 5
    assert square.side_px == square.box.side_px * 4 / 10
    assert 430 * 4 / quarters >= 172


def test_factor_stays_in_mid_video_until_the_face_lacks_detail_or_wastes_space() -> None:
    # 301 pixels ask for 7 quarters; 300 for 6, 344 for 8, 473 for 11.
    assert [choose_quarters(face(0.0, 0.0, side), SETTINGS, 7) for side in (301.0, 344.0)] == [7, 7]
    assert choose_quarters(face(0.0, 0.0, 300.0), SETTINGS, 7) == 6
    assert choose_quarters(face(0.0, 0.0, 473.0), SETTINGS, 7) == 11


@given(
    x=st.floats(0, 640), y=st.floats(0, 480), side=st.floats(20, 900), quarters=st.integers(4, 40)
)
def test_squares_of_one_factor_lie_on_one_grid_inside_the_frame(
    x: float, y: float, side: float, quarters: int
) -> None:
    square = place_square(face(x, y, side), 640, 480, quarters, SETTINGS)
    box = square.box
    assert box.x % square.step_px == box.y % square.step_px == box.side_px % square.step_px == 0
    assert square.side_px * quarters == 4 * box.side_px
    assert min(box.x, box.y) >= 0
    assert box.x + box.side_px <= 640
    assert box.y + box.side_px <= 480
    wanted = crop_box(face(x, y, side), 640, 480, SETTINGS.margin)
    assert box.side_px >= min(wanted.side_px, 480 - square.step_px)


def test_crop_of_an_unshrunk_square_is_the_crop_of_the_frame() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    where = face(211.3, 250.8, 100.4)
    square = place_square(where, 640, 480, 4, SETTINGS)
    crop = crop_box(where, 640, 480, 1.3)
    stored = cut(square.cut(frame), square.within(crop), 224)
    np.testing.assert_array_equal(stored, cut(frame, crop, 224))


def test_crop_of_a_shrunk_square_is_the_crop_of_the_frame_to_half_a_stored_pixel() -> None:
    square = Square(CropBox(20, 40, 500), 10)
    # 2.5 pixels for one: (101 - 20) / 2.5 = 32.4, (203 - 40) / 2.5 = 65.2, 251 / 2.5 = 100.4.
    assert square.within(CropBox(101, 203, 251)) == CropBox(32, 65, 100)


def test_still_crop_stands_still_in_moving_squares() -> None:
    crop = CropBox(203, 151, 223)
    lefts = []
    for shift in range(0, 40, 7):
        square = place_square(face(310.0 + shift, 260.0, 230.0), 640, 480, 5, SETTINGS)
        within = square.within(crop)
        lefts.append(square.box.x * 4 / 5 + within.x)  # On the shrunk frame.
    assert len(set(lefts)) == 1


def test_points_follow_the_pixels() -> None:
    square = Square(CropBox(20, 40, 500), 10)
    points = np.array([[20.0, 40.0, 5.0], [520.0, 540.0, -10.0]])
    np.testing.assert_allclose(square.to_stored(points), [[0, 0, 2], [200, 200, -4]])


def test_crop_beyond_the_square_is_refused() -> None:
    with pytest.raises(InputError, match="reaches beyond the stored square"):
        Square(CropBox(20, 40, 100), 4).within(CropBox(10, 40, 90))


def test_face_outside_the_frame_is_refused() -> None:
    with pytest.raises(InputError, match="outside the frame"):
        place_square(face(-200.0, 100.0, 100.0), 640, 480, 4, SETTINGS)
