import cv2
import numpy as np
import pytest

from vivant.attacks.pose import Pose
from vivant.attacks.recapture import (
    Bend,
    Lens,
    Sheet,
    before_scene,
    lay_over,
    light_up,
    locate,
    project,
    three,
)
from vivant.errors import InputError

LENS = Lens(640, 480)
FOCAL = 1.2 * 640
SIZE = (601, 401)


def in_space(pose: Pose, x: float, y: float, bend: Bend, behind: float = 0.0) -> np.ndarray:
    """A point of a sheet of 601x401 pixels, density 2, by going along the bent sheet step by step.

    The sheet's strip is walked from its axis in small steps, each turned a little further.
    """
    turn = np.radians(bend.axis_deg)
    axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    across, along = axes @ [x - 300, y - 200]
    steps = 4000
    angles = np.radians(bend.angle_deg) / SIZE[0] * across * (np.arange(steps) + 0.5) / steps
    bent_x, z = across * np.cos(angles).mean(), across * np.sin(angles).mean()
    flat = axes.T @ [bent_x, along]
    point = pose.scale / 2 * pose.rotation() @ [*flat, z + behind]
    return point + np.array([pose.x_px, pose.y_px, FOCAL])


def pixel(point: np.ndarray) -> np.ndarray:
    return FOCAL * point[:2] / point[2] + [319.5, 239.5]


@pytest.mark.parametrize(
    "pose", [Pose(), Pose(8.0, -5.0, 4.0, 3.0, 2.0, 1.1), Pose(-20.0, 10.0, -30.0, 5.0, 1.0, 0.8)]
)
@pytest.mark.parametrize("bend", [Bend(), Bend(50.0), Bend(-70.0, 20.0), Bend(0.01, 5.0)])
def test_each_pixel_looks_where_a_walk_over_the_sheet_ends_up(pose, bend):
    places = locate(pose, SIZE, 2.0, LENS, bend)
    for x, y in [(300, 200), (60, 100), (520, 360), (590, 15)]:
        column, row = pixel(in_space(pose, x, y, bend))
        near = np.array([[column - places.left, row - places.top]], np.float32)
        found = [
            float(cv2.remap(axis, near[:, :1], near[:, 1:], cv2.INTER_LINEAR)[0, 0])
            for axis in (places.columns, places.rows)
        ]
        assert found == pytest.approx([x, y], abs=0.2)  # A tenth of a pixel of the frame.


def test_what_lies_behind_moves_against_the_sheet_when_both_are_turned():
    seen = []
    for yaw in (-10.0, 10.0):
        places = locate(Pose(yaw_deg=yaw), SIZE, 2.0, LENS, behind_px=30.0)
        column, row = pixel(in_space(Pose(yaw_deg=yaw), 300, 200, Bend(), 30.0))
        at = (round(row) - places.top, round(column) - places.left)
        assert places.columns[at] == pytest.approx(300, abs=1.2)
        seen.append(places.columns[240 - places.top, 319 - places.left])
    # Of a sheet turned to the right the camera sees the left: its ray goes on to the right, and 30
    # pixels behind it is 30 tan 10 beside the middle.
    assert seen[1] - seen[0] == pytest.approx(2 * 30 * np.tan(np.radians(10)), abs=1.0)


def test_a_sheet_that_faces_the_camera_is_in_the_middle():
    places = locate(Pose(), SIZE, 2.0, LENS)
    rows, columns = places.part
    assert (rows.start, rows.stop, columns.start, columns.stop) == (138, 342, 168, 472)
    assert places.columns[102, 152] == pytest.approx(301)  # Pixel (320, 240): half a pixel beside.
    assert places.rows[102, 152] == pytest.approx(201)
    np.testing.assert_allclose(places.normals, np.broadcast_to([0, 0, -1], places.normals.shape))


def test_a_mirror_looks_back_and_a_turned_one_twice_as_far_aside():
    flat, turned = (locate(Pose(yaw_deg=yaw), SIZE, 2.0, LENS) for yaw in (0.0, 10.0))
    np.testing.assert_allclose(flat.mirrored()[13, 19], [0, 0, -1], atol=0.02)
    ahead = turned.mirrored()[13, 19]
    assert np.degrees(np.arctan2(ahead[0], -ahead[2])) == pytest.approx(20, abs=1)


def test_a_bent_sheet_faces_more_than_one_way():
    normals = locate(Pose(), SIZE, 2.0, LENS, Bend(60.0)).normals
    left, right = (
        float(np.degrees(np.arcsin(normals[13, column, 0]))) for column in (1, normals.shape[1] - 2)
    )
    assert left == pytest.approx(-right, abs=1)
    assert 20 < right < 30  # The middle is nearest: the right side looks to the right.


def test_no_homography_explains_a_bent_sheet():
    corners = [(0, 0), (600, 0), (600, 400), (0, 400), (150, 200), (300, 0), (300, 400), (450, 200)]
    points = np.array(corners, np.float64)
    for bend, least, most in ((Bend(), 0.0, 1e-3), (Bend(50.0), 2.0, 40.0)):
        seen = np.array([pixel(in_space(Pose(10.0), x, y, bend)) for x, y in corners])
        plane, _ = cv2.findHomography(points, seen, 0)
        fitted = cv2.perspectiveTransform(points[None], plane)[0]
        assert least <= np.abs(fitted - seen).max() <= most


def test_a_sheet_beside_the_frame_is_not_seen():
    assert locate(Pose(x_px=800.0), SIZE, 2.0, LENS) is None


def test_what_cannot_be_held_before_a_camera_is_refused():
    with pytest.raises(InputError, match="behind the camera"):
        locate(Pose(yaw_deg=89.0, scale=8.0), SIZE, 2.0, LENS)
    with pytest.raises(InputError, match="a density above 0, got 0"):
        Sheet(np.zeros((4, 4, 4), np.float32), 0.0)
    with pytest.raises(InputError, match="a bend of at most 120 degrees"):
        Bend(200.0)


def test_projection_keeps_colour_and_area():
    light = np.zeros((110, 210, 4), np.float32)
    light[5:-5, 5:-5] = (0.2, 0.5, 0.8, 1)
    places = locate(Pose(roll_deg=10.0, x_px=3.3), (210, 110), 2.0, LENS)
    seen = project(Sheet(light, 2.0), places)
    np.testing.assert_allclose(
        seen[240 - places.top, 320 - places.left], (0.2, 0.5, 0.8, 1), atol=1e-5
    )
    assert seen[..., 3].sum() == pytest.approx(200 * 100 / 4, rel=0.01)


def test_projection_at_one_to_one_copies():
    light = np.random.default_rng(0).uniform(size=(100, 120, 4)).astype(np.float32)
    smooth = cv2.GaussianBlur(light, (0, 0), 3)
    places = locate(Pose(), (120, 100), 1.0, LENS)
    seen = project(Sheet(smooth, 1.0), places)
    rows, columns = 195 - places.top, 265 - places.left
    np.testing.assert_allclose(
        seen[rows : rows + 90, columns : columns + 110], smooth[5:95, 5:115], atol=0.02
    )


def test_projection_stays_within_the_range_and_keeps_what_is_fine():
    """Halfway between pixels, where linear interpolation would halve the finest stripes."""
    stripes = np.zeros((40, 40, 4), np.float32)
    stripes[:, ::3] = 1.0
    stripes[..., 3] = 1.0
    places = locate(Pose(x_px=0.5), (40, 40), 1.0, Lens(80, 80))
    seen = project(Sheet(stripes, 1.0), places)
    linear = cv2.remap(stripes, places.columns, places.rows, cv2.INTER_LINEAR)
    assert seen[10:30, 10:30, 0].std() > 1.1 * linear[10:30, 10:30, 0].std()
    assert seen.min() >= 0
    assert seen[..., 3].max() <= 1


def test_a_sheet_hides_what_is_behind_it():
    scene = np.full((2, 2, 3), 0.4, np.float32)
    seen = np.zeros((2, 2, 4), np.float32)
    seen[0, 0] = (0.1, 0.2, 0.3, 1)
    seen[1, 1] = (0.05, 0.1, 0.15, 0.5)
    both = before_scene(seen, scene)
    np.testing.assert_allclose(both[0, 0], (0.1, 0.2, 0.3))
    np.testing.assert_allclose(both[1, 1], (0.25, 0.3, 0.35), atol=1e-6)
    np.testing.assert_allclose(both[0, 1], 0.4)


def test_what_a_part_of_the_frame_sees_is_laid_over_that_part():
    light = np.full((480, 640, 3), 0.4, np.float32)
    lay_over(light, None)
    assert (light == np.float32(0.4)).all()
    sheet = Sheet(np.ones((100, 120, 4), np.float32), 1.0)
    places = locate(Pose(), (120, 100), 1.0, LENS)
    lay_over(light, (places, project(sheet, places)))
    assert light[240, 320, 0] == 1
    assert (light[:180] == np.float32(0.4)).all()


def test_light_falls_on_what_is_there_and_leaves_its_cover():
    seen = np.zeros((1, 2, 4), np.float32)
    seen[0, 0] = (0.1, 0.2, 0.3, 0.5)
    light_up(seen, np.full((1, 2), 2.0, np.float32), np.full((1, 2), 0.1, np.float32))
    np.testing.assert_allclose(seen[0], [(0.25, 0.45, 0.65, 0.5), (0, 0, 0, 0)], atol=1e-6)
    values = np.array([[0.1, 0.7]], np.float32)
    np.testing.assert_array_equal(three(values), np.repeat(values[..., None], 3, axis=2))
