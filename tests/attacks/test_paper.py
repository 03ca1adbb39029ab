from dataclasses import replace

import cv2
import numpy as np
import pytest

from vivant.attacks.camera import Camera
from vivant.attacks.paper import Paper, PaperLook
from vivant.attacks.pose import Pose
from vivant.attacks.recapture import Lens

LENS = Lens(320, 240)
CAMERA = Camera(defocus_px=0.25, aperture=0.7)
EVEN = PaperLook(
    fibres=0.0,
    streaks=0.0,
    gloss=0.0,
    grip="unseen",
    margin=0.0,
    dot_strength=0.0,
    warmth=0.0,
    gamma=1.0,
)
GREY = np.full((160, 200, 3), 170, np.uint8)


def seen(picture=GREY, pose=None, seed=0, camera=CAMERA, holes=None, **changed):
    look = replace(EVEN, **changed)
    paper = Paper(picture, 1.0, look, np.random.default_rng(seed), holes)
    places, light = paper.seen(pose or Pose(), LENS, camera)
    return places, light


def inner(light: np.ndarray) -> np.ndarray:
    height, width = light.shape[:2]
    return light[height // 4 : -height // 4, width // 4 : -width // 4, :3]


def test_paper_gives_back_the_light_of_the_picture_between_its_black_and_its_white():
    lights = []
    for level in (0, 255):
        picture = np.full((160, 200, 3), level, np.uint8)
        _, light = seen(picture, blackest=0.04, whitest=0.8)
        lights.append(inner(light).mean())
    assert lights == pytest.approx([0.04, 0.8], rel=0.03)


def test_inks_are_paler_than_the_picture():
    red = np.full((160, 200, 3), (200, 30, 30), np.uint8)
    full, half = (inner(seen(red, saturation=s)[1]).mean(axis=(0, 1)) for s in (1.0, 0.5))
    assert half[0] - half[1] == pytest.approx(0.5 * (full[0] - full[1]), rel=0.02)


def test_a_contrasty_print_keeps_the_light_of_skin():
    def back(level: int, gamma: float) -> float:
        picture = np.full((160, 200, 3), level, np.uint8)
        return inner(seen(picture, blackest=0.0, whitest=1.0, gamma=gamma)[1]).mean()

    # 124 is the light 0.202; 188 is 0.503, so that 0.2 * (0.503 / 0.2)**1.5 = 0.797.
    assert back(124, 1.5) == pytest.approx(back(124, 1.0), rel=0.03)
    assert back(188, 1.5) == pytest.approx(0.797, rel=0.03)
    assert back(60, 1.5) < 0.7 * back(60, 1.0)


@pytest.mark.parametrize("lines", [12.0, 20.0])
def test_dots_have_the_distance_that_lines_per_inch_and_width_make(lines):
    _, light = seen(dot_strength=1.0, lines_per_inch=lines, picture_cm=10.0)
    green = light[20:148, 20:148, 1]  # Green's dots are at 75 degrees.
    spectrum = np.abs(np.fft.fft2((green - green.mean()) * np.outer(*[np.hanning(128)] * 2)))
    row, column = np.unravel_index(spectrum[:64].argmax(), (64, 128))
    frequency = np.hypot(np.fft.fftfreq(128)[row], np.fft.fftfreq(128)[column])
    assert 1 / frequency == pytest.approx(2.54 / lines * 200 / 10, rel=0.05)
    assert green.mean() == pytest.approx(inner(seen()[1])[..., 1].mean(), rel=0.02)


def test_strewn_dots_are_finer_the_more_there_are():
    spread = [
        inner(seen(screen="dither", dot_strength=1.0, dots_per_inch=dots)[1]).std()
        for dots in (100.0, 600.0)
    ]
    assert spread[0] > 2.5 * spread[1] > 0


def test_white_paper_has_no_dots():
    white = np.full((160, 200, 3), 255, np.uint8)
    assert inner(seen(white, dot_strength=1.0, lines_per_inch=40.0)[1]).std() < 0.01


def test_gloss_runs_over_the_sheet_when_it_is_turned():
    spots = []
    for yaw in (-6.0, 6.0):
        pose = Pose(yaw_deg=yaw)
        lit, plain = (seen(pose=pose, gloss=gloss, polish=60.0)[1] for gloss in (0.3, 0.0))
        added = (lit - plain)[..., 0].clip(0)
        assert added.max() > 0.02
        spots.append((added.sum(axis=0) * np.arange(added.shape[1])).sum() / added.sum())
    assert abs(spots[1] - spots[0]) > 8


def test_a_bent_sheet_is_shaded_from_one_side_to_the_other():
    for seed in range(3):  # The lamp stands elsewhere.
        flat, bent = (
            inner(seen(bend_deg=bend, seed=seed)[1])[..., 0].mean(axis=0) for bend in (0.0, 60.0)
        )
        assert np.ptp(bent) > 3 * np.ptp(flat) + 0.01


def test_streaks_run_along_rows_and_fibres_everywhere():
    streaked = inner(seen(streaks=0.05)[1])[..., 0]
    assert streaked.mean(axis=1).std() > 5 * streaked.mean(axis=0).std()
    assert inner(seen(fibres=0.05)[1]).std() > 0.005


def test_through_a_hole_one_sees_what_is_behind():
    holes = np.zeros((160, 200), np.float32)
    holes[60:100, 80:120] = 1
    places, light = seen(holes=holes)
    middle = (120 - places.top, 160 - places.left)
    np.testing.assert_array_equal(light[middle], 0)
    assert light[middle[0], middle[1] + 40, 3] == 1
    assert light[..., 3].sum() == pytest.approx(200 * 160 - 40 * 40, rel=0.02)


def test_a_margin_is_white():
    black = np.zeros((160, 200, 3), np.uint8)
    _, light = seen(black, margin=0.08)
    assert light[8, 108, 0] > 0.6
    assert light[40, 108, 0] < 0.06


def test_dots_stay_off_the_margin():
    strong = {"dot_strength": 1.0, "lines_per_inch": 30.0, "margin": 0.08}
    places, light = seen(**strong)
    _, plain = seen(**(strong | {"dot_strength": 0.0}))
    changed = np.abs(light - plain).max(axis=-1) > 0.02
    middle = (120 - places.top, 160 - places.left)
    assert changed[middle[0] - 70 : middle[0] + 70, middle[1] - 90 : middle[1] + 90].mean() > 0.3
    rows, columns = np.nonzero(changed)
    assert abs(rows - middle[0]).max() <= 81
    assert abs(columns - middle[1]).max() <= 101


def test_hands_hold_it_where_the_look_has_them():
    for grip, are_there in (("unseen", False), ("thumbs", True)):
        paper = Paper(GREY, 1.0, replace(EVEN, grip=grip), np.random.default_rng(0))
        hands = paper.hands(1.0, LENS, np.random.default_rng(0))
        assert (hands is not None) == are_there


def test_the_seed_decides_about_the_paper():
    changed = {"fibres": 0.03}
    first, same, other = (seen(seed=seed, **changed)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert first.shape == other.shape
    assert np.abs(first - other).max() > 0.01


def test_a_sheet_beside_the_frame_is_not_seen():
    paper = Paper(GREY, 1.0, EVEN, np.random.default_rng(0))
    assert paper.seen(Pose(x_px=500.0), LENS, CAMERA) is None


def test_a_sheet_far_larger_than_the_frame_is_drawn_no_finer_than_it_can_be_seen():
    large = cv2.resize(GREY, (1000, 500))
    assert Paper(large, 4.0, EVEN, np.random.default_rng(0)).density == 1.6
