import cv2
import numpy as np
import pytest

from vivant.errors import InputError
from vivant.geometry.shrink import shrink


def picture(width: int, height: int) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 2))


def test_quarter_is_the_mean_of_four_by_four() -> None:
    pixels = picture(64, 48)
    means = pixels.reshape(12, 4, 16, 4, 3).mean(axis=(1, 3))
    assert np.abs(shrink(pixels, 16, 12) - means).max() <= 1  # Two roundings.


@pytest.mark.parametrize("size", [(192, 108), (192, 192), (31, 17), (640, 360), (1279, 719)])
def test_like_one_step_of_area_averaging(size: tuple[int, int]) -> None:
    pixels = picture(1280, 720)
    expected = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(int)
    shrunk = shrink(pixels, *size).astype(int)
    assert np.abs(shrunk - expected).max() <= 12
    assert np.abs(shrunk - expected).mean() <= 2
    assert abs(shrunk.mean() - expected.mean()) <= 0.6


def test_odd_sizes_and_one_pixel() -> None:
    assert shrink(picture(641, 479), 192, 143).shape == (143, 192, 3)
    assert shrink(picture(5, 4), 1, 1).shape == (1, 1, 3)


def test_enlarging_works_too() -> None:
    assert shrink(picture(64, 64), 192, 192).shape == (192, 192, 3)


def test_no_size_is_an_error() -> None:
    with pytest.raises(InputError, match="expected a size of at least 1x1, got 0x3"):
        shrink(picture(8, 8), 0, 3)
