import cv2
import numpy as np
import pytest

from vivant.attacks.pose import Pose
from vivant.attacks.recapture import Sheet, before_scene, homography, project
from vivant.errors import InputError

FRAME = (320, 240)
FOCAL = 1.2 * 320


def to_frame(pose: Pose, x: float, y: float) -> np.ndarray:
    """Of a point of a sheet of 201x101 pixels, density 2."""
    matrix = homography(pose, (201, 101), 2.0, FRAME)
    return cv2.perspectiveTransform(np.array([[[x, y]]], np.float64), matrix)[0, 0]


def test_a_sheet_that_faces_the_camera_is_in_the_middle():
    np.testing.assert_allclose(to_frame(Pose(), 100, 50), [159.5, 119.5])
    np.testing.assert_allclose(to_frame(Pose(), 0, 0), [109.5, 94.5])  # Half as large.
    np.testing.assert_allclose(
        to_frame(Pose(x_px=5.0, y_px=-3.0, scale=2.0), 200, 100), [159.5 + 100 + 5, 119.5 + 50 - 3]
    )


def test_a_turned_sheet_is_seen_as_a_pinhole_camera_sees_it():
    # 30 degrees to the right: its right edge, 50 pixels from the middle, goes away from the
    # camera: x = 50 cos 30, z = 50 sin 30.
    expected = 159.5 + FOCAL * 50 * np.cos(np.pi / 6) / (FOCAL + 25)
    np.testing.assert_allclose(to_frame(Pose(yaw_deg=30.0), 200, 50), [expected, 119.5])
    # 30 degrees up: its upper edge, 25 above, goes away.
    expected = 119.5 - FOCAL * 25 * np.cos(np.pi / 6) / (FOCAL + 12.5)
    np.testing.assert_allclose(to_frame(Pose(pitch_deg=30.0), 100, 0)[1], expected, atol=1)


def test_a_turned_sheet_gets_narrower_on_the_far_side():
    left, right = (
        to_frame(Pose(yaw_deg=20.0), x, 100)[1] - to_frame(Pose(yaw_deg=20.0), x, 0)[1]
        for x in (0, 200)
    )
    assert abs(left - right) > 2


def test_a_sheet_behind_the_camera_is_refused():
    with pytest.raises(InputError, match="behind the camera"):
        homography(Pose(yaw_deg=89.0, scale=8.0), (201, 101), 2.0, FRAME)
    with pytest.raises(InputError, match="a density above 0, got 0"):
        Sheet(np.zeros((4, 4, 4), np.float32), 0.0)


def test_projection_keeps_colour_and_area():
    light = np.zeros((110, 210, 4), np.float32)
    light[5:-5, 5:-5] = (0.2, 0.5, 0.8, 1)
    pose = Pose(roll_deg=10.0, x_px=3.3)
    seen = project(Sheet(light, 2.0), homography(pose, (210, 110), 2.0, FRAME), FRAME)
    assert seen.shape == (240, 320, 4)
    np.testing.assert_allclose(seen[120, 160], (0.2, 0.5, 0.8, 1), atol=1e-5)
    assert seen[..., 3].sum() == pytest.approx(200 * 100 / 4, rel=0.01)


def test_projection_averages_what_is_finer_than_a_pixel():
    light = np.ones((200, 200, 4), np.float32)
    light[:, ::2, :3] = 0  # Stripes of one pixel, two to a pixel of the frame.
    seen = project(Sheet(light, 2.0), homography(Pose(), (200, 200), 2.0, FRAME), FRAME)
    np.testing.assert_allclose(seen[100:140, 140:180, :3], 0.5, atol=1e-3)


def test_projection_at_one_to_one_copies():
    light = np.random.default_rng(0).uniform(size=(100, 120, 4)).astype(np.float32)
    smooth = cv2.GaussianBlur(light, (0, 0), 3)
    seen = project(Sheet(smooth, 1.0), homography(Pose(), (120, 100), 1.0, FRAME), FRAME)
    np.testing.assert_allclose(seen[75:165, 105:215], smooth[5:95, 5:115], atol=0.02)


def test_a_sheet_hides_what_is_behind_it():
    scene = np.full((2, 2, 3), 0.4, np.float32)
    seen = np.zeros((2, 2, 4), np.float32)
    seen[0, 0] = (0.1, 0.2, 0.3, 1)
    seen[1, 1] = (0.05, 0.1, 0.15, 0.5)
    both = before_scene(seen, scene)
    np.testing.assert_allclose(both[0, 0], (0.1, 0.2, 0.3))
    np.testing.assert_allclose(both[1, 1], (0.25, 0.3, 0.35), atol=1e-6)
    np.testing.assert_allclose(both[0, 1], 0.4)
