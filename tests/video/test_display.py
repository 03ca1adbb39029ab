import struct

import numpy as np
import pytest
from PIL import Image

from media import MATRICES, pattern
from vivant.errors import MediaError, Refusal
from vivant.video.display import IDENTITY, orient, read_matrix

# How Pillow brings a picture of each EXIF orientation upright (ImageOps.exif_transpose).
TRANSPOSED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def side_data(a: float, b: float, c: float, d: float) -> bytes:
    one = 2**16
    return struct.pack(
        "<9i", int(a * one), int(b * one), 0, int(c * one), int(d * one), 0, 0, 0, 2**30
    )


@pytest.mark.parametrize(("exif", "matrix"), MATRICES.items())
def test_each_turn_is_that_of_pillow(exif: int, matrix: tuple[int, int, int, int]) -> None:
    pixels = pattern(3, 40, 30)
    expected = Image.fromarray(pixels)
    if exif in TRANSPOSED:
        expected = expected.transpose(TRANSPOSED[exif])
    assert read_matrix(side_data(*matrix)) == matrix
    shown = orient(pixels, matrix)
    np.testing.assert_array_equal(shown, np.asarray(expected))
    assert shown.flags.c_contiguous


def test_quarter_turn_takes_the_left_side_to_the_top() -> None:
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[1, 0] = 9  # Lower left.
    assert orient(pixels, MATRICES[6])[0, 0].tolist() == [9, 9, 9]


@pytest.mark.parametrize("matrix", MATRICES.values())
def test_every_pixel_lands_where_the_matrix_sends_it(matrix: tuple[int, int, int, int]) -> None:
    a, b, c, d = matrix
    pixels = pattern(0, 7, 5)
    places = {(a * x + c * y, b * x + d * y): pixels[y, x] for y in range(5) for x in range(7)}
    left, top = (min(place[axis] for place in places) for axis in (0, 1))
    shown = orient(pixels, matrix)
    for (x, y), pixel in places.items():
        assert (shown[y - top, x - left] == pixel).all()


def test_scaled_and_nearly_exact_matrices_are_read() -> None:
    assert read_matrix(side_data(0.5, 0, 0, 0.5)) == IDENTITY
    assert read_matrix(side_data(0.001, 1, -1, 0.001)) == MATRICES[6]


@pytest.mark.parametrize(
    "matrix", [(0.7, 0.7, -0.7, 0.7), (0, 0, 0, 0), (1, 0, 1, 0), (1, 0, 0, 0.5), (1, 1, 1, 1)]
)
def test_other_matrices_are_refused(matrix: tuple[float, float, float, float]) -> None:
    with pytest.raises(MediaError, match="no multiple of 90 degrees") as caught:
        read_matrix(side_data(*matrix))
    assert caught.value.code == Refusal.UNSUPPORTED_FORMAT
