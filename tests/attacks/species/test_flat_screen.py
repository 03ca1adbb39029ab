import cv2
import numpy as np
import pytest

from attacks.tracking import follow, off_plane_px
from vivant.attacks.camera import Camera
from vivant.attacks.pose import Pose
from vivant.attacks.recapture import homography
from vivant.attacks.species.flat_print import PrintLook, flat_print
from vivant.attacks.species.flat_screen import ScreenLook, flat_screen, moire
from vivant.errors import InputError
from vivant.plugins import discover

SCENE = np.full((400, 400, 3), 90, np.uint8)
GREY = np.full((100, 100, 3), 150, np.uint8)
LARGE = ScreenLook(width=0.8)


def screens(pictures, path, seed=0, look=LARGE):
    return flat_screen(pictures, SCENE, path, Camera(), np.random.default_rng(seed), look)


def moire_by_counting(to_screen, pitch, camera, side, fine=40):
    """The stripes drawn 40 times finer, blurred by the lens, averaged over each pixel's opening."""
    border = 3
    places = (np.arange((side + 2 * border) * fine) + 0.5) / fine - 0.5 - border
    x, y = np.meshgrid(places, places)
    u, v, w = np.einsum("ij,jrc->irc", to_screen, np.stack([x, y, np.ones_like(x)]))
    u, v = u / w / pitch, v / w / pitch
    # Of each pixel, stripe c is the third about 1/3 (c - 1), and the line the middle 3/4.
    lit = [
        (np.abs((u - (c - 1) / 3 + 0.5) % 1 - 0.5) < 1 / 6) & (np.abs((v + 0.5) % 1 - 0.5) < 0.375)
        for c in range(3)
    ]
    light = np.stack(lit, axis=-1).astype(np.float32) / (1 / 3 * 0.75)
    light = cv2.GaussianBlur(light, (0, 0), camera.defocus_px * fine)
    opening = round(camera.aperture * fine)
    first = border * fine + (fine - opening) // 2
    starts = first + np.arange(side) * fine
    rows = np.stack([light[start : start + opening].mean(axis=0) for start in starts])
    return np.stack([rows[:, start : start + opening].mean(axis=1) for start in starts], axis=1)


@pytest.mark.parametrize(
    "pose", [Pose(roll_deg=2.0), Pose(8.0, -5.0, 4.0, 3.0, 2.0, 1.1), Pose(-12.0, 6.0, -3.0)]
)
def test_moire_is_what_averaging_finer_stripes_gives(pose):
    camera = Camera(defocus_px=0.3, aperture=0.6)
    there = np.array([[1, 0, 150], [0, 1, 110], [0, 0, 1]])  # A piece of the frame.
    to_screen = np.linalg.inv(homography(pose, (300, 300), 1.5, (320, 240))) @ there
    found = moire(to_screen, 1.13 * 1.5, camera, (24, 24))
    expected = moire_by_counting(to_screen, 1.13 * 1.5, camera, 24)
    assert expected.std() > 0.05
    assert np.abs(found - expected).max() < 0.03


def test_a_blurred_lens_sees_no_moire():
    to_screen = np.linalg.inv(homography(Pose(), (300, 300), 1.5, (64, 64)))
    np.testing.assert_array_equal(moire(to_screen, 1.7, Camera(defocus_px=1.5), (64, 64)), 1)


def peak(frame: np.ndarray) -> float:
    """The highest peak of coarse detail in the middle of a frame, against the usual there."""
    middle = frame[136:264, 136:264, 1].astype(float)
    middle -= cv2.GaussianBlur(middle, (0, 0), 12)
    window = np.outer(np.hanning(128), np.hanning(128))
    spectrum = np.abs(np.fft.fft2(middle * window))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128)))
    coarse = spectrum[(frequency > 0.05) & (frequency < 0.25)]
    return float(coarse.max() / np.median(coarse))


def test_a_screen_has_a_peak_in_its_spectrum_that_a_print_lacks():
    screen = next(screens([GREY], [Pose(2.0, 1.0)]))
    printed = next(
        flat_print(
            [GREY],
            SCENE,
            [Pose(2.0, 1.0)],
            Camera(),
            np.random.default_rng(0),
            PrintLook(width=0.8),
        )
    )
    assert peak(screen) > 30
    assert peak(printed) < 10


def test_frames_have_the_scene_s_size_and_show_it_beside_the_device(portrait):
    frames = list(screens([portrait.pixels], [Pose(), Pose(5.0)]))
    assert len(frames) == 2
    assert all((frame.shape, frame.dtype) == (SCENE.shape, np.uint8) for frame in frames)
    np.testing.assert_allclose(frames[0][:15].mean(axis=(0, 1)), 90, atol=1.5)
    assert frames[0][200, 45:50].mean() < 60  # The bezel.


def test_a_screen_shows_one_picture_after_the_other():
    dark, light = (np.full((100, 100, 3), value, np.uint8) for value in (20, 220))
    first, second = screens([dark, light], [Pose(), Pose()])
    assert second[200, 200].mean() > first[200, 200].mean() + 100
    assert first[180:220, 180:220].mean() > 20  # A screen's black is not black.


def test_all_points_of_a_screen_move_by_one_homography(portrait):
    # Moire moves by itself: a lens that sees none of it shows how the picture moves.
    path, camera = [Pose(-6.0, 3.0), Pose(6.0, -3.0, 2.0, 4.0)], Camera(defocus_px=0.8)
    look = ScreenLook(width=0.8, reflection=0.0)
    before, after = flat_screen(
        [portrait.pixels], SCENE, path, camera, np.random.default_rng(0), look
    )
    grey = cv2.cvtColor(before, cv2.COLOR_RGB2GRAY)
    found = cv2.goodFeaturesToTrack(grey[100:300, 100:300], 120, 0.02, 5)[:, 0] + 100
    assert off_plane_px(found, follow(before, after, found)) < 0.5


def test_the_seed_decides_about_every_pixel(portrait):
    first, same, other = (next(screens([portrait.pixels], [Pose(3.0)], seed)) for seed in (1, 1, 2))
    assert first.tobytes() == same.tobytes()
    assert first.tobytes() != other.tobytes()


def test_pictures_that_a_screen_cannot_show_are_refused():
    with pytest.raises(InputError, match="one picture or 3, one for each frame, got 2"):
        next(screens([GREY, GREY], [Pose()] * 3))
    with pytest.raises(InputError, match="pictures of one size"):
        next(screens([GREY, GREY[:50]], [Pose()] * 2))


def test_the_species_are_found_by_name():
    assert {"flat_print", "flat_screen"} <= set(discover("vivant.attacks.species"))
