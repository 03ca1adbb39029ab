from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from attacks.tracking import follow, off_plane_px
from vivant.attacks.camera import Camera
from vivant.attacks.pose import Pose
from vivant.attacks.species.flat_print import PrintLook, flat_print
from vivant.errors import InputError

SCENE = np.full((400, 400, 3), 90, np.uint8)
LARGE = PrintLook(width=0.8)


def prints(picture: np.ndarray, path: list[Pose], seed: int = 0) -> Iterator[np.ndarray]:
    return flat_print([picture], SCENE, path, Camera(), np.random.default_rng(seed), LARGE)


def test_frames_have_the_scene_s_size_and_show_it_beside_the_sheet(portrait):
    frames = list(prints(portrait.pixels, [Pose(), Pose(5.0)]))
    assert len(frames) == 2
    assert all((frame.shape, frame.dtype) == (SCENE.shape, np.uint8) for frame in frames)
    np.testing.assert_allclose(frames[0][:20].mean(axis=(0, 1)), 90, atol=1.5)


def test_a_print_has_less_contrast_and_colour_than_its_picture(portrait):
    frame = next(prints(portrait.pixels, [Pose()]))
    inner = cv2.resize(frame[60:330, 65:335], (64, 64), interpolation=cv2.INTER_AREA)
    whole = cv2.resize(portrait.pixels, (64, 64), interpolation=cv2.INTER_AREA)
    assert np.percentile(inner, 1) > np.percentile(whole, 1) + 15
    saturation = [
        cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)[..., 1:].astype(float).std()
        for pixels in (inner, whole)
    ]
    assert saturation[0] < saturation[1]


def test_all_points_of_a_print_move_by_one_homography(portrait):
    before, after = prints(portrait.pixels, [Pose(-6.0, 3.0), Pose(6.0, -3.0, 2.0, 4.0)])
    # Where the face is on the first frame does not matter: points of the middle will do.
    grey = cv2.cvtColor(before, cv2.COLOR_RGB2GRAY)
    found = cv2.goodFeaturesToTrack(grey[100:300, 100:300], 120, 0.02, 5)[:, 0] + 100
    assert off_plane_px(found, follow(before, after, found)) < 0.5


def test_the_seed_decides_about_every_pixel(portrait):
    first, same, other = (next(prints(portrait.pixels, [Pose(3.0)], seed)) for seed in (1, 1, 2))
    assert first.tobytes() == same.tobytes()
    assert first.tobytes() != other.tobytes()


def test_paper_without_a_margin_is_printed_to_its_edge():
    red = np.full((100, 100, 3), (200, 20, 20), np.uint8)
    look = PrintLook(width=0.5, margin=0.0, sheen=0.0)
    frame = next(flat_print([red], SCENE, [Pose()], Camera(), np.random.default_rng(0), look))
    edge = frame[120:200, 103].astype(int)
    assert (edge[:, 0] - edge[:, 1]).min() > 50


def test_two_pictures_do_not_fit_on_a_sheet(portrait):
    with pytest.raises(InputError, match="expected one picture to print, got 2"):
        next(flat_print([portrait.pixels] * 2, SCENE, [Pose()], Camera(), np.random.default_rng(0)))
