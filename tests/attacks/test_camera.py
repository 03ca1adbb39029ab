import numpy as np
import pytest

from vivant.attacks.camera import Camera, film, focus, record, to_light, to_pixels
from vivant.errors import InputError

QUIET = Camera(defocus_px=0.0, shot_noise=0.0, read_noise=0.0)


def test_every_pixel_survives_the_way_to_light_and_back():
    levels = np.arange(256, dtype=np.uint8)
    pixels = np.repeat(levels[None, :, None], 3, axis=2)
    light = to_light(pixels)
    np.testing.assert_array_equal(to_pixels(light), pixels)
    assert (light.min(), light.max()) == (0, 1)


def test_half_the_light_is_pixel_188():
    half = np.full((1, 1, 3), 0.5, np.float32)
    np.testing.assert_array_equal(to_pixels(half), 188)  # 1.055 * 0.5**(1/2.4) - 0.055 = 0.7354


def test_light_beyond_the_range_is_cut_off():
    light = np.array([[[-1, 0, 7]]], np.float32)
    np.testing.assert_array_equal(to_pixels(light), [[[0, 0, 255]]])


def test_without_blur_and_noise_a_camera_copies():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    filmed = film(to_light(pixels), QUIET, np.random.default_rng(0))
    np.testing.assert_array_equal(filmed, pixels)


def test_noise_has_the_spread_that_was_asked_for():
    camera = Camera(shot_noise=0.02, read_noise=0.003)
    light = np.full((200, 200, 3), 0.25, np.float32)
    filmed = to_light(record(light, camera, np.random.default_rng(0)))
    expected = np.sqrt(0.25 * 0.02**2 + 0.003**2)
    assert filmed.std() == pytest.approx(expected, rel=0.05)
    assert filmed.mean() == pytest.approx(0.25, abs=1e-3)


def test_gain_brightens_and_blur_spreads():
    light = np.zeros((21, 21, 3), np.float32)
    light[10, 10] = 0.5
    blurred = focus(light, Camera(defocus_px=1.5))
    assert blurred.sum() == pytest.approx(light.sum(), rel=1e-3)
    columns = np.arange(21)
    variance = (blurred[..., 0] * (columns - 10) ** 2).sum() / blurred[..., 0].sum()
    assert variance == pytest.approx(1.5**2, rel=0.1)
    brighter = Camera(0.0, 1.0, 0.0, 0.0, gain=2.0)
    np.testing.assert_array_equal(
        film(light, brighter, np.random.default_rng(0))[10, 10], [255, 255, 255]
    )


@pytest.mark.parametrize("wrong", [{"aperture": 0.0}, {"aperture": 1.5}, {"gain": -1.0}])
def test_an_impossible_camera_is_refused(wrong):
    with pytest.raises(InputError, match="an aperture in 0..1"):
        Camera(**wrong)
