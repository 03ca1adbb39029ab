import cv2
import numpy as np
import pytest

from vivant.attacks.camera import Camera
from vivant.attacks.gratings import INVISIBLE, seen_wave
from vivant.attacks.pose import Pose
from vivant.attacks.recapture import Bend, Lens, Places, locate

LENS = Lens(160, 120)


def by_averaging(places: Places, frequency, camera: Camera, fine: int = 16):
    """The wave drawn finer, blurred by the lens, averaged over each pixel's opening."""
    height, width = places.columns.shape
    border = 3
    x, y = (
        (np.arange((count + 2 * border) * fine) + 0.5) / fine - 0.5 - border
        for count in (width, height)
    )
    phase = frequency[0] * places.columns + frequency[1] * places.rows
    finer = np.stack([np.interp(x, np.arange(width), line) for line in phase])
    finer = np.stack([np.interp(y, np.arange(height), line) for line in finer.T], axis=1)
    light = cv2.GaussianBlur(np.cos(2 * np.pi * finer), (0, 0), camera.defocus_px * fine)
    opening = round(camera.aperture * fine)
    first = border * fine + (fine - opening) // 2
    sums = np.stack([light[first + n * fine :][:opening].mean(axis=0) for n in range(height)])
    return np.stack(
        [sums[:, first + n * fine :][:, :opening].mean(axis=1) for n in range(width)], axis=1
    )


@pytest.mark.parametrize("bend", [Bend(), Bend(40.0, 10.0)])
@pytest.mark.parametrize("frequency", [(0.5, 0.1), (0.05, -0.6)])
def test_a_wave_is_what_averaging_a_finer_one_gives(bend, frequency):
    camera = Camera(defocus_px=0.3, aperture=0.75)
    places = locate(Pose(6.0, -4.0, 3.0), (150, 100), 1.4, LENS, bend)
    cosine, sine = seen_wave(places, frequency, 1.0, camera)
    inner = (slice(8, -8), slice(8, -8))
    expected = by_averaging(places, frequency, camera)[inner]
    assert expected.std() > 0.05
    assert np.abs(cosine[inner] - expected).max() < 0.05
    size = np.hypot(cosine, sine)[inner]
    assert np.abs(expected).max() == pytest.approx(size.max(), rel=0.1)


def test_sampling_folds_a_fine_wave_into_a_coarse_one():
    camera = Camera(defocus_px=0.2, aperture=0.5)
    places = locate(Pose(), (120, 90), 1.0, LENS)
    cosine, _ = seen_wave(places, (1.05, 0.0), 1.0, camera)  # 1.05 cycles a pixel: 0.05 are seen.
    line = cosine[40] - cosine[40].mean()
    assert np.abs(np.fft.rfft(line)).argmax() == round(0.05 * len(line))


def test_what_is_under_the_noise_is_not_made():
    places = locate(Pose(), (120, 90), 1.0, LENS)
    assert seen_wave(places, (1.0, 0.0), 1.0, Camera(defocus_px=1.0)) is None
    weak = INVISIBLE / 2
    assert seen_wave(places, (0.01, 0.0), weak, Camera()) is None
