import cv2
import numpy as np
import pytest

from attacks.tracking import follow, off_plane_px
from vivant.attacks.motion import MovingHead, Turning
from vivant.attacks.pose import Pose
from vivant.errors import InputError

NOSE, EARS = 1, [234, 454]
MARKED = [1, 33, 263, 50, 280, 61, 291, 199, 151]  # Nose, eyes, cheeks, mouth, chin, forehead.


def turned(points: np.ndarray, pivot: np.ndarray, yaw: float, pitch: float) -> np.ndarray:
    """(x, y) of points that turn about a pivot, by school trigonometry: first yaw, then pitch."""
    x, y, z = (points - pivot).T
    a, b = np.radians([yaw, pitch])
    ahead = x * np.cos(a) - z * np.sin(a)
    depth = x * np.sin(a) + z * np.cos(a)
    return np.stack([ahead, y * np.cos(b) + depth * np.sin(b)], axis=1) + pivot[:2]


def test_a_head_that_does_not_move_is_the_picture(head, portrait):
    frame = head.frame(Pose())
    assert (frame.shape, frame.dtype) == (portrait.pixels.shape, np.uint8)
    assert np.abs(frame.astype(int) - portrait.pixels).max() <= 1


def test_a_shift_of_whole_pixels_shifts_the_person(head, portrait):
    frame = head.frame(Pose(x_px=7.0, y_px=4.0))
    x0, y0 = portrait.points[[33, 10], [0, 1]].astype(int)  # From forehead to chin, eye to eye.
    x1, y1 = portrait.points[[263, 152], [0, 1]].astype(int)
    before = portrait.pixels[y0:y1, x0:x1].astype(int)
    assert np.abs(frame[y0 + 4 : y1 + 4, x0 + 7 : x1 + 7] - before).max() <= 1


def test_the_background_stays_behind_and_moves_by_itself(head, portrait):
    corner = (slice(0, 60), slice(0, 30))
    np.testing.assert_array_equal(
        head.frame(Pose(10.0, 5.0, 3.0, 8.0))[corner], portrait.pixels[corner]
    )
    panned = head.frame(Pose(), background_px=(5.0, 0.0))
    np.testing.assert_array_equal(panned[:60, 5:35], portrait.pixels[:60, :30])
    x, y = portrait.points[NOSE, :2].astype(int)
    face = (slice(y - 20, y + 20), slice(x - 20, x + 20))
    assert np.abs(panned[face].astype(int) - portrait.pixels[face]).max() <= 1


@pytest.mark.parametrize(
    ("yaw", "pitch"), [(10.0, 0.0), (-10.0, 0.0), (0.0, 7.0), (0.0, -7.0), (8.0, -5.0)]
)
def test_marks_on_the_face_go_where_a_turned_head_takes_them(portrait, yaw, pitch):
    pixels = portrait.pixels.copy()
    marks = portrait.points[MARKED]
    for x, y, _ in marks:  # Green dots of two pixels, at parts of a pixel.
        cv2.circle(pixels, np.rint([x * 16, y * 16]).astype(int), 32,
                   (0, 255, 0), -1, cv2.LINE_AA, 4)  # fmt: skip
    frame = MovingHead(pixels, portrait.points).frame(Pose(yaw, pitch)).astype(float)
    green = np.clip(frame[..., 1] - frame[..., [0, 2]].max(axis=-1) - 60, 0, None)
    pivot = portrait.points[EARS].mean(axis=0)
    for expected in turned(marks, pivot, yaw, pitch):
        column, row = np.rint(expected).astype(int)
        window = green[row - 6 : row + 7, column - 6 : column + 7]
        rows, columns = np.indices(window.shape) - 6
        found = np.array([(window * columns).sum(), (window * rows).sum()]) / window.sum()
        assert np.linalg.norm(found - (expected - (column, row))) < 1.5


def test_the_nose_moves_more_than_the_ears_and_to_the_side_it_turns_to(head, portrait):
    points = portrait.points
    moved = head.move(points, Pose(yaw_deg=10.0))[:, 0] - points[:, 0]
    depth = points[EARS, 2].mean() - points[NOSE, 2]
    parallax = moved[NOSE] - moved[EARS].mean()
    assert parallax == pytest.approx(np.sin(np.radians(10)) * depth, abs=0.7)
    assert parallax > 8
    np.testing.assert_allclose(
        head.move(points, Pose(6.0, -4.0)), turned(points, head.pivot, 6, -4), atol=1e-9
    )


def test_no_homography_explains_how_a_face_turns(head, portrait):
    points = portrait.points[:, :2]
    followed = follow(head.frame(Pose(-6.0)), head.frame(Pose(6.0)), points)
    assert off_plane_px(points, followed) > 1


def test_nearer_is_larger(head, portrait):
    points = portrait.points
    moved = head.move(points, Pose(scale=1.1))
    np.testing.assert_allclose(np.ptp(moved, axis=0), 1.1 * np.ptp(points[:, :2], axis=0))
    assert np.abs(head.frame(Pose(scale=1.1)).astype(int) - head.frame(Pose())).mean() > 1


def test_eyes_close(head, portrait):
    x, y = portrait.points[[159, 145], :2].mean(axis=0).astype(int)
    eye = (slice(y - 2, y + 3), slice(x - 3, x + 4))
    assert head.frame(Pose(), 1.0)[eye].mean() > head.frame(Pose())[eye].mean() + 10


def test_the_same_pose_is_the_same_frame(head, portrait):
    pose = Pose(4.0, -3.0, 2.0, 3.0, 1.0, 1.02)
    again = MovingHead(portrait.pixels, portrait.points)
    assert head.frame(pose, 0.5).tobytes() == again.frame(pose, 0.5).tobytes()


def test_what_a_picture_cannot_show_is_refused(head, portrait):
    with pytest.raises(InputError, match="a yaw within 25 .* got 40.0 and 0.0: the picture"):
        head.frame(Pose(yaw_deg=40.0))
    with pytest.raises(InputError, match="eyelids in 0..1"):
        head.frame(Pose(), eyelids=1.5)
    with pytest.raises(InputError, match="outside the picture"):
        MovingHead(portrait.pixels, portrait.points + 400)


def test_what_else_moves_is_added_to_the_turning(portrait):
    height, width, _ = portrait.pixels.shape
    turning = Turning(portrait.points, np.ones((height, width), np.float32))
    half = np.zeros((height // 2, width // 2, 2), np.float32)
    still = turning.sources(Pose())
    np.testing.assert_allclose(still[0][10], np.arange(width), atol=1e-4)
    np.testing.assert_allclose(still[1][:, 10], np.arange(height), atol=1e-4)
    half[..., 0] = 3.0  # All goes three pixels to the right: it comes from the left.
    columns, rows = turning.sources(Pose(), half)
    np.testing.assert_allclose(columns, still[0] - 3, atol=1e-4)
    np.testing.assert_allclose(rows, still[1], atol=1e-4)


def test_coarse_values_are_means_of_four_pixels(portrait):
    height, width, _ = portrait.pixels.shape
    turning = Turning(portrait.points, np.ones((height, width), np.float32))
    values = np.random.default_rng(0).uniform(size=(height, width)).astype(np.float32)
    expected = values.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(turning.coarse(values), expected, atol=1e-6)
