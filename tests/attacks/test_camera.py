import cv2
import numpy as np
import pytest

from vivant.attacks.camera import Camera, Filming, to_light, to_pixels
from vivant.attacks.light import Light
from vivant.errors import InputError


def camera(**changed) -> Camera:
    """One that copies, but for what is changed."""
    plain = {"defocus_px": 0.0, "shot_noise": 0.0, "read_noise": 0.0, "exposure_speed": 0.0}
    plain |= {"vignetting": 0.0, "contrast": 0.0, "sharpening": 0.0, "mosaic": False}
    return Camera(**(plain | changed))


def filming(seed: int = 0, **changed) -> Filming:
    return Filming(camera(**changed), np.random.default_rng(seed))


def grey(light: float, height: int = 64, width: int = 80) -> np.ndarray:
    return np.full((height, width, 3), light, np.float32)


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


def test_a_camera_without_faults_copies():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    np.testing.assert_array_equal(filming().film(to_light(pixels)), pixels)


def test_noise_has_the_spread_that_was_asked_for_and_gain_strengthens_it():
    noisy = {"shot_noise": 0.02, "read_noise": 0.003}
    for gain in (1.0, 4.0):
        filmed = to_light(filming(gain=gain, **noisy).record(grey(0.25 / gain, 200, 200)))
        # The light's own noise counts photons: a quarter of them, four times amplified.
        expected = np.sqrt(0.25 * gain * 0.02**2 + 0.003**2)
        assert filmed.std() == pytest.approx(expected, rel=0.05)
        assert filmed.mean() == pytest.approx(0.25, abs=1e-3)


def test_blur_spreads():
    light = np.zeros((21, 21, 3), np.float32)
    light[10, 10] = 0.5
    blurred = filming(defocus_px=1.5).focus(light)
    assert blurred.sum() == pytest.approx(light.sum(), rel=1e-3)
    columns = np.arange(21)
    variance = (blurred[..., 0] * (columns - 10) ** 2).sum() / blurred[..., 0].sum()
    assert variance == pytest.approx(1.5**2, rel=0.1)


def test_through_a_bayer_filter_a_plain_colour_stays():
    for colour in ([200, 40, 30], [20, 180, 60], [30, 60, 220]):
        pixels = np.full((32, 40, 3), colour, np.uint8)
        filmed = filming(mosaic=True).film(to_light(pixels))
        assert np.abs(filmed.astype(int) - colour).max() <= 1


def test_a_bayer_filter_makes_colours_out_of_fine_stripes():
    light = grey(0.1)
    light[:, ::2] = 0.6  # Only these columns see red, and only the others blue.
    filmed = filming(mosaic=True).film(light)[8:-8, 8:-8].astype(int)
    assert (filmed[..., 0] - filmed[..., 2]).mean() > 80
    assert np.ptp(filming().film(light), axis=-1).max() == 0


def test_white_balance_and_vignetting_are_as_stated():
    light = grey(0.4, 101, 101)
    filmed = to_light(filming(red=1.1, blue=0.9, vignetting=0.3).film(light))
    np.testing.assert_allclose(filmed[50, 50], [0.44, 0.4, 0.36], atol=0.004)
    np.testing.assert_allclose(filmed[0, 0], 0.7 * np.array([0.44, 0.4, 0.36]), atol=0.004)


def test_exposure_has_settled_on_the_first_frame_and_follows_slowly():
    film = filming(exposure=0.2, exposure_speed=0.1)
    assert to_light(film.film(grey(0.4))).mean() == pytest.approx(0.2, abs=0.002)
    means = [to_light(film.film(grey(0.1))).mean() for _ in range(60)]
    assert means[0] == pytest.approx(0.05 * 4**0.1, abs=0.002)  # A tenth of the way, in stops.
    assert all(np.diff(means) >= 0)
    assert means[-1] == pytest.approx(0.2, abs=0.003)


def test_a_dark_room_stays_dark():
    assert filming(exposure_speed=0.1).film(grey(0.001)).mean() < 25


def test_a_dimmer_room_is_as_bright_in_the_end_and_noisier():
    lens = camera(shot_noise=0.02, exposure_speed=0.1)
    lit, dim = (
        to_light(
            Filming(lens, np.random.default_rng(0), Light(level=level)).film(grey(0.2, 200, 200))
        )
        for level in (1.0, 0.25)
    )
    assert dim.mean() == pytest.approx(lit.mean(), abs=0.002)
    assert dim.std() == pytest.approx(2 * lit.std(), rel=0.05)  # A quarter of the photons.


def test_without_auto_exposure_the_level_is_seen():
    frame = Filming(camera(), np.random.default_rng(0), Light(level=0.5)).film(grey(0.4))
    assert to_light(frame).mean() == pytest.approx(0.2, abs=0.003)


def test_the_light_has_its_colour_on_all_that_is_seen():
    light = Light(red=1.1, blue=0.8)
    filmed = Filming(camera(red=0.9), np.random.default_rng(0), light).film(grey(0.4))
    colour = to_light(filmed).mean(axis=(0, 1))
    np.testing.assert_allclose(colour, [0.396, 0.4, 0.32], atol=0.004)


def test_bright_and_dark_scenes_get_the_same_mean():
    means = [to_light(filming(exposure_speed=0.1).film(grey(light))).mean() for light in (0.1, 0.7)]
    assert means == pytest.approx([0.2, 0.2], abs=0.003)


def test_sharpening_and_contrast_steepen_edges():
    light = grey(0.1)
    light[:, 40:] = 0.5
    soft = cv2.GaussianBlur(light, (0, 0), 0.8)
    steepest = [
        int(np.abs(np.diff(filming(**changed).film(soft)[32, :, 1].astype(int))).max())
        for changed in ({}, {"sharpening": 0.8}, {"contrast": 0.5})
    ]
    assert steepest[1] > steepest[0] + 5
    assert steepest[2] > steepest[0] + 2


def test_the_generator_decides_about_the_noise():
    first, same, other = (
        Filming(Camera(), np.random.default_rng(seed)).film(grey(0.3)) for seed in (1, 1, 2)
    )
    assert first.tobytes() == same.tobytes()
    assert first.tobytes() != other.tobytes()


@pytest.mark.parametrize(
    "wrong",
    [{"aperture": 0.0}, {"aperture": 1.5}, {"gain": -1.0}, {"contrast": 2.0}, {"red": np.inf}],
)
def test_an_impossible_camera_is_refused(wrong):
    with pytest.raises(InputError, match="an aperture in 0..1"):
        Camera(**wrong)
