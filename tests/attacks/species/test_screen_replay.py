from dataclasses import replace

import cv2
import numpy as np
import pytest

from attacks.staged import CAMERA, filmed
from attacks.tracking import follow, off_plane_px
from vivant.attacks.camera import Camera
from vivant.attacks.light import Light
from vivant.attacks.pose import Pose
from vivant.attacks.recapture import Lens, locate
from vivant.attacks.species.screen_replay import moire

GREY = np.full((300, 300, 3), 150, np.uint8)
# 2.54 cm of so many pixels per inch: on 300 pixels of the frame one is 300 / ppi wide.
FINE = {"picture_cm": 2.54, "bezel_cm": 0.1}


def moire_by_counting(places, pitch, camera, side, fine=40):
    """The stripes drawn 40 times finer, blurred by the lens, averaged over each pixel's opening."""
    border = 3
    inner = (np.arange((side + 2 * border) * fine) + 0.5) / fine - 0.5 - border + 10
    u, v = (
        np.stack(
            [np.interp(inner, np.arange(axis.shape[0]), line) for line in _columns(axis, inner)],
            axis=1,
        )
        / pitch
        for axis in (places.columns, places.rows)
    )
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


def _columns(axis: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Each row of a map, finer along it; then the columns of that."""
    return np.stack([np.interp(inner, np.arange(axis.shape[1]), line) for line in axis]).T


@pytest.mark.parametrize(
    "pose", [Pose(roll_deg=2.0), Pose(8.0, -5.0, 4.0, 3.0, 2.0, 1.1), Pose(-12.0, 6.0, -3.0)]
)
def test_moire_is_what_averaging_finer_stripes_gives(pose):
    camera = Camera(defocus_px=0.3, aperture=0.6)
    places = locate(pose, (300, 300), 1.5, Lens(320, 240))
    found = moire(places, 1.13 * 1.5, camera)[10:34, 10:34]
    expected = moire_by_counting(places, 1.13 * 1.5, camera, 24)
    assert expected.std() > 0.05
    assert np.abs(found - expected).max() < 0.04


def test_a_blurred_lens_sees_no_moire():
    places = locate(Pose(), (300, 300), 1.5, Lens(64, 64))
    assert moire(places, 1.7, Camera(defocus_px=1.5)) is None


def peak(frame: np.ndarray) -> float:
    """The highest peak of coarse detail in the middle of a frame, against the usual there."""
    middle = frame[136:264, 136:264, 1].astype(float)
    middle -= cv2.GaussianBlur(middle, (0, 0), 12)
    window = np.outer(np.hanning(128), np.hanning(128))
    spectrum = np.abs(np.fft.fft2(middle * window))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128)))
    coarse = spectrum[(frequency > 0.05) & (frequency < 0.25)]
    return float(coarse.max() / np.median(coarse))


def test_a_screen_has_a_peak_in_its_spectrum_that_finer_pixels_and_a_print_lack():
    pose = [Pose(2.0, 1.0)]
    coarse, fine = (
        next(filmed("replay", [GREY], pose, ppi=300 / pitch, **FINE)) for pitch in (1.13, 0.3)
    )
    printed = next(filmed("print", [GREY], pose))
    assert peak(coarse) > 30
    assert peak(fine) < 10
    assert peak(printed) < 10


def test_a_screen_shows_one_picture_after_the_other():
    dark, light = (np.full((100, 100, 3), value, np.uint8) for value in (20, 220))
    first, second = filmed("replay", [dark, light], [Pose(), Pose()])
    assert second[200, 200].mean() > first[200, 200].mean() + 100
    assert first[180:220, 180:220].mean() > 20  # A screen's black is not black.


def test_a_screen_shines_by_itself_and_has_not_the_room_s_colour():
    plain = {"coolness": 0.0, "black": 0.0, "reflection": 0.0, "grip": "unseen", "ppi": 2000.0}
    before, after = (
        next(filmed("replay", [GREY], [Pose()], light=light, **plain)).astype(float)
        for light in (Light(), Light(red=1.15, blue=0.8))
    )
    screen = np.s_[150:250, 150:250]
    wall = np.s_[:30, :30]
    colour = after[screen].mean(axis=(0, 1)) - before[screen].mean(axis=(0, 1))
    np.testing.assert_allclose(colour, 0, atol=1)
    assert (after[wall] - before[wall]).mean(axis=(0, 1))[0] > 3
    assert (after[wall] - before[wall]).mean(axis=(0, 1))[2] < -5


def test_a_bezel_is_black_and_as_wide_as_stated():
    plain = {"picture_cm": 10.0, "reflection": 0.0, "grip": "unseen"}
    widths = []
    for bezel_cm in (1.0, 2.0):
        frame = next(filmed("replay", [GREY[:200, :200]], [Pose()], bezel_cm=bezel_cm, **plain))
        widths.append((frame[200, :200].mean(axis=-1) < 50).sum())
    # A tenth and a fifth of 200 pixels, less two of bright metal and a soft edge.
    assert widths == pytest.approx([20 - 3, 40 - 3], abs=2)


def test_few_pixels_show_little_detail():
    stripes = np.full((200, 200, 3), 40, np.uint8)
    stripes[:, ::4] = stripes[:, 1::4] = 210
    strengths = []
    for ppi in (65.0, 400.0):  # 65 pixels cannot show 50 stripes.
        frames = filmed("replay", [stripes], [Pose()], picture_cm=2.54, ppi=ppi, reflection=0.0)
        middle = next(frames)[168:232, 168:232, 1].astype(float)
        strengths.append(np.abs(np.fft.fft(middle.mean(axis=0)))[16])  # Of a period of 4 pixels.
    assert strengths[0] < 0.3 * strengths[1]


def test_a_band_runs_over_the_screen():
    still = {"reflection": 0.0, "falloff": 0.0, "ppi": 2000.0, "grip": "unseen"}
    path = [Pose(scale=1.5)] * 3  # Fills the frame.
    frames = filmed("replay", [GREY], path, band=0.5, band_step=0.1, **still)
    rows = [frame.mean(axis=(1, 2)) for frame in frames]
    rows = [int(cv2.blur(np.tile(row, 3)[:, None], (1, 41))[400:800].argmin()) for row in rows]
    assert np.diff(rows) % 400 == pytest.approx([40, 40], abs=10)  # A tenth of the height.


def test_what_the_glass_mirrors_runs_over_it_when_it_is_turned():
    dark = np.zeros((300, 300, 3), np.uint8)
    look = {"reflection": 0.5, "black": 0.0, "ppi": 2000.0, "grip": "unseen", "band": 0.0}
    changes = []
    for seed in range(3):  # The window is somewhere else.
        path = [Pose(-8.0), Pose(8.0)]
        before, after = filmed("replay", [dark], path, seed=seed, **look)
        changes.append(np.abs(before[80:320, 80:320].astype(int) - after[80:320, 80:320]).max())
    assert max(changes) > 60


def test_all_points_of_a_screen_move_by_one_homography(portrait):
    # Moire moves by itself: a screen of fine pixels shows how the picture moves.
    path = [Pose(-6.0, 3.0), Pose(6.0, -3.0, 2.0, 4.0)]
    before, after = filmed("replay", [portrait.pixels], path, ppi=2000.0, reflection=0.0)
    grey = cv2.cvtColor(before, cv2.COLOR_RGB2GRAY)
    found = cv2.goodFeaturesToTrack(grey[100:300, 100:300], 120, 0.02, 5)[:, 0] + 100
    assert off_plane_px(found, follow(before, after, found)) < 0.5


def test_hands_are_before_the_screen():
    bright = np.full((300, 300, 3), 255, np.uint8)
    held, free = (
        next(filmed("replay", [bright], [Pose()], grip=grip, picture_cm=8.0, bezel_cm=0.3))
        for grip in ("thumbs", "unseen")
    )
    differs = np.abs(held.astype(int) - free).max(axis=-1) > 40
    assert differs[320:].sum() > 200
    assert not differs[:250].any()


def test_hands_are_as_blurred_by_the_lens_as_the_rest():
    """Below the device, where there is nothing but arms before an even wall."""
    steepest = []
    for defocus_px in (0.0, 2.5):
        lens = replace(CAMERA, defocus_px=defocus_px, shot_noise=0.0, read_noise=0.0, mosaic=False)
        frames = filmed(
            "replay", [GREY], [Pose()], camera=lens, ppi=2000.0, picture_cm=8.0, bezel_cm=0.3
        )
        below = next(frames)[375:390, :, 1].astype(int)
        steepest.append(np.abs(np.diff(below, axis=1)).max())
    assert steepest[0] > 15
    assert steepest[1] < 0.6 * steepest[0]
