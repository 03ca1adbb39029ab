import cv2
import numpy as np

from attacks.staged import filmed
from attacks.tracking import follow, off_plane_px
from vivant.attacks.pose import Pose

PATH = [Pose(-6.0, 3.0), Pose(6.0, -3.0, 2.0, 4.0)]


def followed(portrait, **look) -> float:
    """How far the points of a print are from one homography."""
    before, after = filmed("print", [portrait.pixels], PATH, gloss=0.0, **look)
    grey = cv2.cvtColor(before, cv2.COLOR_RGB2GRAY)
    found = cv2.goodFeaturesToTrack(grey[80:320, 80:320], 150, 0.02, 5)[:, 0] + 80
    return off_plane_px(found, follow(before, after, found))


def test_a_print_has_less_contrast_and_colour_than_its_picture(portrait):
    frame = next(filmed("print", [portrait.pixels], [Pose()]))
    inner = cv2.resize(frame[60:330, 65:335], (64, 64), interpolation=cv2.INTER_AREA)
    whole = cv2.resize(portrait.pixels[20:290, 25:295], (64, 64), interpolation=cv2.INTER_AREA)
    assert np.percentile(inner, 1) > np.percentile(whole, 1) + 15
    saturation = [
        cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)[..., 1:].astype(float).std()
        for pixels in (inner, whole)
    ]
    assert saturation[0] < saturation[1]


def test_all_points_of_a_flat_print_move_by_one_homography_and_of_a_bent_one_not(portrait):
    flat, bent = followed(portrait), followed(portrait, bend_deg=60.0)
    assert flat < 0.5
    assert bent > 2 * flat


def test_a_clip_cannot_be_printed_so_its_first_picture_is(portrait):
    black = np.zeros_like(portrait.pixels)
    frames = list(filmed("print", [portrait.pixels, black], [Pose(), Pose()]))
    assert np.abs(frames[0].astype(int) - frames[1]).mean() < 5
