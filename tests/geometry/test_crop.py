import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import MATRICES
from vivant.errors import InputError
from vivant.geometry.crop import CropBox, crop_box, cut
from vivant.records import FaceBox
from vivant.video.display import orient


@st.composite
def faces_on_frames(draw: st.DrawFn) -> tuple[FaceBox, int, int]:
    """A face of quarter pixels, so that halves occur and are exact, partly on a frame."""
    width, height = draw(st.integers(8, 200)), draw(st.integers(8, 200))
    face_width, face_height = draw(st.integers(1, 600)) / 4, draw(st.integers(1, 600)) / 4
    outside = st.sampled_from((0.0, 0.5, 1.0))  # Of the face, to the right or below.
    x1 = draw(st.integers(1, 4 * width - 1)) / 4 + draw(outside) * face_width
    y1 = draw(st.integers(1, 4 * height - 1)) / 4 + draw(outside) * face_height
    return FaceBox(x1 - face_width, y1 - face_height, x1, y1), width, height


@pytest.fixture
def frame() -> np.ndarray:
    """48 rows of 64 pixels of noise: no two pieces are alike."""
    return np.random.default_rng(3).integers(0, 256, (48, 64, 3)).astype(np.uint8)


def test_crop_is_the_scaled_face_about_its_centre() -> None:
    # Longer side 20, times 1.5 is 30; the centre (40, 30) less 15.
    assert crop_box(FaceBox(30.0, 21.0, 50.0, 39.0), 100, 80, 1.5) == CropBox(25, 15, 30)
    # The same for the other side being the longer one.
    assert crop_box(FaceBox(31.0, 20.0, 49.0, 40.0), 100, 80, 1.5) == CropBox(25, 15, 30)
    # Side 13 about (40.25, 30): 33.75 and 23.5 go to the nearest pixel, halves to the right.
    assert crop_box(FaceBox(35.25, 25.0, 45.25, 35.0), 100, 80, 1.3) == CropBox(34, 24, 13)


@pytest.mark.parametrize(
    ("centre", "expected"),
    [
        ((5.0, 40.0), (0, 25)),  # left
        ((95.0, 40.0), (70, 25)),  # right
        ((50.0, 5.0), (35, 0)),  # top
        ((50.0, 75.0), (35, 50)),  # bottom
        ((5.0, 5.0), (0, 0)),
        ((95.0, 5.0), (70, 0)),
        ((5.0, 75.0), (0, 50)),
        ((95.0, 75.0), (70, 50)),
        ((-5.0, 85.0), (0, 50)),  # The face's centre is outside, its edge is not.
    ],
)
def test_crop_that_would_leave_the_frame_is_moved_inside(
    centre: tuple[float, float], expected: tuple[int, int]
) -> None:
    x, y = centre
    face = FaceBox(x - 10, y - 10, x + 10, y + 10)
    assert crop_box(face, 100, 80, 1.5) == CropBox(*expected, 30)


def test_crop_is_no_larger_than_the_frame() -> None:
    assert crop_box(FaceBox(10.0, 10.0, 70.0, 70.0), 100, 80, 1.5) == CropBox(0, 0, 80)
    assert crop_box(FaceBox(40.0, 10.0, 90.0, 70.0), 100, 80, 1.5) == CropBox(20, 0, 80)
    assert crop_box(FaceBox(-50.0, -50.0, 150.0, 130.0), 100, 80, 1.3) == CropBox(10, 0, 80)
    assert crop_box(FaceBox(3.0, 3.0, 3.25, 3.25), 100, 80, 1.3) == CropBox(3, 3, 1)


@given(faces_on_frames(), st.floats(1.0, 3.0))
def test_every_crop_is_inside_and_has_the_specified_side(
    case: tuple[FaceBox, int, int], scale: float
) -> None:
    face, width, height = case
    crop = crop_box(face, width, height, scale)
    assert 0 <= crop.x <= width - crop.side_px
    assert 0 <= crop.y <= height - crop.side_px
    wanted = round(max(face.width_px, face.height_px) * scale)
    assert crop.side_px == max(1, min(wanted, width, height))


@given(faces_on_frames())
def test_crop_holds_what_the_frame_shows_of_the_face(case: tuple[FaceBox, int, int]) -> None:
    face, width, height = case
    crop = crop_box(face, width, height, 1.3)
    for first, last, start, length in (
        (face.x0, face.x1, crop.x, width),
        (face.y0, face.y1, crop.y, height),
    ):
        if crop.side_px > max(face.width_px, face.height_px):  # Else it cannot.
            assert start <= max(first, 0) + 0.5  # Whole pixels.
            assert start + crop.side_px >= min(last, length) - 0.5


@given(
    st.integers(4, 160), st.integers(4, 160), st.integers(0, 80), st.integers(0, 80),
    st.integers(0, 9), st.integers(0, 9),
)  # fmt: skip
def test_crop_goes_where_the_face_goes(
    width: int, height: int, x: int, y: int, right: int, down: int
) -> None:
    """In quarter pixels: a crop between two pixels is never pulled to the even one."""
    face = FaceBox(100 + x / 4, 100 + y / 4, 100 + (x + width) / 4, 100 + (y + height) / 4)
    moved = FaceBox(face.x0 + right, face.y0 + down, face.x1 + right, face.y1 + down)
    crop = crop_box(face, 300, 300, 1.3)
    assert crop_box(moved, 300, 300, 1.3) == CropBox(crop.x + right, crop.y + down, crop.side_px)


def test_cut_of_the_same_size_is_a_slice(frame: np.ndarray) -> None:
    crop = cut(frame, CropBox(7, 5, 30), 30)
    np.testing.assert_array_equal(crop, frame[5:35, 7:37])
    assert crop.flags.c_contiguous


def test_shrinking_averages_areas(frame: np.ndarray) -> None:
    square = frame[4:44, 8:48].astype(np.float64)
    expected = square.reshape(10, 4, 10, 4, 3).mean(axis=(1, 3))  # (10, 10, 3)
    crop = cut(frame, CropBox(8, 4, 40), 10)
    assert np.abs(crop - expected).max() <= 0.5  # Rounded.


def test_enlarging_is_bilinear() -> None:
    frame = np.zeros((4, 4, 3), np.uint8)
    frame[:, 2:] = 100
    crop = cut(frame, CropBox(1, 1, 2), 4)  # Columns 0 and 100, at 0.5 and 1.5 of 2.
    assert crop[0, :, 0].tolist() == [0, 25, 75, 100]


@pytest.mark.parametrize("side", [13, 24, 30, 224])
def test_crops_are_the_bytes_of_slicing_and_resizing(frame: np.ndarray, side: int) -> None:
    box = crop_box(FaceBox(20.25, 10.0, 40.5, 33.0), 64, 48, 1.3)
    assert box == CropBox(15, 7, 30)
    piece = frame[7:37, 15:45].copy()
    how = cv2.INTER_AREA if side < 30 else cv2.INTER_LINEAR
    expected = cv2.resize(piece, (side, side), interpolation=how)
    assert cut(frame, box, side).tobytes() == expected.tobytes()


def test_frame_with_a_border_more_gives_the_same_bytes(frame: np.ndarray) -> None:
    face = FaceBox(25.25, 15.5, 40.0, 31.0)
    plain = cut(frame, crop_box(face, 64, 48, 1.3), 28)
    wider = np.pad(frame, ((3, 2), (7, 4), (0, 0)))
    moved = FaceBox(face.x0 + 7, face.y0 + 3, face.x1 + 7, face.y1 + 3)
    assert cut(wider, crop_box(moved, 75, 53, 1.3), 28).tobytes() == plain.tobytes()


@pytest.mark.parametrize(("exif", "turns", "mirrored"), [
    (1, 0, False), (2, 0, True), (3, 2, False), (4, 2, True),
    (5, 1, True), (6, 1, False), (7, 3, True), (8, 3, False),
])  # fmt: skip
def test_turned_frame_gives_the_bytes_of_the_upright_one(
    frame: np.ndarray, exif: int, turns: int, mirrored: bool
) -> None:
    """As a camera held otherwise writes it: what is stored, turned as its matrix says."""
    mirror = frame[:, ::-1] if mirrored else frame
    stored = np.ascontiguousarray(np.rot90(mirror, turns))  # Counter-clockwise.
    shown = orient(stored, MATRICES[exif])
    height, width, _ = shown.shape
    box = crop_box(FaceBox(20.0, 10.0, 40.5, 33.0), width, height, 1.3)
    expected = cut(frame, crop_box(FaceBox(20.0, 10.0, 40.5, 33.0), 64, 48, 1.3), 28)
    assert cut(shown, box, 28).tobytes() == expected.tobytes()


def test_points_of_the_crop_come_back_to_the_frame() -> None:
    box = CropBox(15, 7, 30)
    assert box.to_frame(0.0, 0.0, 224) == (15.0, 7.0)
    assert box.to_frame(224.0, 224.0, 224) == (45.0, 37.0)
    assert box.to_frame(112.0, 56.0, 224) == (30.0, 14.5)


@given(st.floats(0, 224), st.floats(0, 224))
def test_to_frame_is_the_inverse_of_the_cut(x: float, y: float) -> None:
    box = CropBox(15, 7, 30)
    there_x, there_y = box.to_frame(x, y, 224)
    assert (there_x - 15) * 224 / 30 == pytest.approx(x, abs=1e-9)
    assert (there_y - 7) * 224 / 30 == pytest.approx(y, abs=1e-9)


def test_a_dot_is_where_to_frame_says() -> None:
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[20, 33] = 255  # Its middle is (33.5, 20.5).
    box = CropBox(15, 7, 30)
    crop = cut(frame, box, 240)[..., 0].astype(np.float64)
    rows, columns = np.indices(crop.shape) + 0.5
    x, y = (crop * columns).sum() / crop.sum(), (crop * rows).sum() / crop.sum()
    assert box.to_frame(float(x), float(y), 240) == pytest.approx((33.5, 20.5), abs=0.02)


@pytest.mark.parametrize("edges", [
    (5.0, 5.0, 5.0, 9.0), (9.0, 5.0, 5.0, 9.0), (5.0, 9.0, 9.0, 5.0),
    (math.nan, 0.0, 9.0, 9.0), (0.0, 0.0, math.inf, 9.0),
])  # fmt: skip
def test_face_box_that_is_none_is_refused(edges: tuple[float, float, float, float]) -> None:
    with pytest.raises(InputError, match="expected a face box with x0 < x1 and y0 < y1, got"):
        crop_box(FaceBox(*edges), 64, 48, 1.3)


@pytest.mark.parametrize("edges", [
    (-9.0, 0.0, 0.0, 9.0), (64.0, 0.0, 70.0, 9.0), (0.0, -9.0, 9.0, 0.0), (0.0, 48.0, 9.0, 60.0),
])  # fmt: skip
def test_face_outside_the_frame_is_refused(edges: tuple[float, float, float, float]) -> None:
    with pytest.raises(InputError, match=r"the face box .* is outside the frame of 64x48"):
        crop_box(FaceBox(*edges), 64, 48, 1.3)


@pytest.mark.parametrize("scale", [0.0, -1.3, math.nan, math.inf])
def test_scale_that_is_no_size_is_refused(scale: float) -> None:
    with pytest.raises(InputError, match="expected a crop scale above 0, got"):
        crop_box(FaceBox(5.0, 5.0, 9.0, 9.0), 64, 48, scale)


def test_face_larger_than_any_number_is_refused() -> None:
    with pytest.raises(InputError, match="expected a face box with x0 < x1"):
        crop_box(FaceBox(-1.5e308, 0.0, 1.5e308, 9.0), 64, 48, 1.3)


@pytest.mark.parametrize("box", [
    CropBox(-1, 0, 10), CropBox(0, -1, 10), CropBox(55, 0, 10), CropBox(0, 39, 10),
    CropBox(5, 5, 0), CropBox(5, 5, -3),
])  # fmt: skip
def test_crop_outside_the_frame_is_refused(frame: np.ndarray, box: CropBox) -> None:
    with pytest.raises(InputError, match=r"expected a crop inside the frame of 64x48, got CropBox"):
        cut(frame, box, 28)
