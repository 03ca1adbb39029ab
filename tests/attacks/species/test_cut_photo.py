import numpy as np
import pytest

from attacks.staged import filmed
from vivant.attacks.pose import Pose

EYE, CHEEK = (159, 145, 33, 133), 50  # The eye on the left of the picture; a point beside the nose.


def frames_of(pictures, portrait, path, meshes=None, **look):
    plain = {"gloss": 0.0, "slip": 0.0, "fibres": 0.0, "streaks": 0.0, "grip": "unseen"}
    if meshes is None:
        meshes = np.repeat(portrait.points[None, :, :2], len(pictures), axis=0)
    return [
        frame.astype(int) for frame in filmed("cut_photo", pictures, path, meshes, **(plain | look))
    ]


def around(portrait, points, reach=2) -> tuple[slice, slice]:
    """On the frame, where the picture of 320x320 is in the middle of 400x400."""
    x, y = np.rint(portrait.points[list(points), :2].mean(axis=0) + 40).astype(int)
    return slice(y - reach, y + reach + 1), slice(x - reach, x + reach + 1)


def test_eyes_are_those_of_each_picture_and_the_rest_is_that_of_the_first(portrait):
    other = np.full_like(portrait.pixels, 230)
    first, second = frames_of([portrait.pixels, other], portrait, [Pose(), Pose()], shade=0.9)
    eye, cheek = around(portrait, EYE), around(portrait, [CHEEK])
    assert second[eye].mean() > first[eye].mean() + 60
    assert np.abs(second[cheek] - first[cheek]).mean() < 8


def test_a_mouth_is_cut_out_only_where_it_says_so(portrait):
    other = np.zeros_like(portrait.pixels)
    mouth = around(portrait, (13, 14))
    for kind, changes in (("whole", False), ("cut", True)):
        pictures = [portrait.pixels, other]
        first, second = frames_of(pictures, portrait, [Pose(), Pose()], mouth=kind)
        assert (np.abs(second[mouth] - first[mouth]).mean() > 40) == changes


def test_eyes_that_moved_in_their_picture_are_brought_back_to_their_holes(portrait):
    moved = np.roll(portrait.pixels, (12, -9), axis=(0, 1))
    meshes = portrait.points[None, :, :2] + np.array([[[0, 0]], [[-9, 12]]])
    first, second = frames_of([portrait.pixels, moved], portrait, [Pose()] * 2, meshes)
    eye = around(portrait, EYE, reach=4)
    assert np.abs(second[eye] - first[eye]).mean() < 8


def dark_column(frame: np.ndarray, portrait) -> float:
    """Where the iris is, in pixels from the middle of the eye."""
    eye = frame[around(portrait, EYE, reach=5)].mean(axis=-1)
    dark = np.clip(np.percentile(eye, 60) - eye, 0, None)
    return float((dark * (np.arange(11) - 5)).sum() / dark.sum())


@pytest.mark.parametrize("gap_cm", [0.1, 2.5])
def test_eyes_lie_behind_the_sheet_and_move_against_it_when_it_is_turned(portrait, gap_cm):
    path = [Pose(-8.0), Pose(8.0)]
    look = {"gap_cm": gap_cm, "picture_cm": 16.0, "dot_strength": 0.0, "opening": 1.6}
    left, right = (
        dark_column(frame, portrait)
        for frame in frames_of([portrait.pixels], portrait, path, **look)
    )
    # 2.5 of 16 cm are 50 pixels: 8 degrees to either side are 7 each, 0.3 with 0.1 cm.
    moved = left - right
    assert moved > 2 if gap_cm > 1 else abs(moved) < 2


def test_what_is_behind_is_in_the_shade(portrait):
    bright = np.full_like(portrait.pixels, 200)
    eye = around(portrait, EYE)
    lights = [
        frames_of([portrait.pixels, bright], portrait, [Pose()] * 2, shade=shade)[1][eye].mean()
        for shade in (0.4, 0.8)
    ]
    assert lights[0] < lights[1] - 20


def test_a_path_that_is_turned_all_the_time_still_shows_the_eyes(portrait):
    # A person looks through the holes: the eyes are where the camera sees them.
    seen = []
    for yaw in (0.0, 12.0):
        frame = frames_of([portrait.pixels], portrait, [Pose(yaw)], gap_cm=2.5, opening=1.6)[0]
        seen.append(dark_column(frame, portrait))
    assert abs(seen[1] - seen[0]) < 2.5
