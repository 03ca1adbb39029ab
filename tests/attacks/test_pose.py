import numpy as np
import pytest

from vivant.attacks.pose import Pose, add_poses, hand_held
from vivant.errors import InputError


@pytest.mark.parametrize(
    ("pose", "expected"),
    [
        (Pose(yaw_deg=30.0), [0.5, 0, -np.sqrt(0.75)]),  # The nose goes to the right,
        (Pose(pitch_deg=30.0), [0, -0.5, -np.sqrt(0.75)]),  # up,
        (Pose(roll_deg=30.0), [0, 0, -1]),  # or stays.
    ],
)
def test_a_nose_turns_as_documented(pose, expected):
    np.testing.assert_allclose(pose.rotation() @ [0, 0, -1], expected, atol=1e-12)


def test_roll_is_clockwise_as_seen():
    np.testing.assert_allclose(Pose(roll_deg=90.0).rotation() @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_a_rotation_keeps_lengths_and_handedness():
    turn = Pose(yaw_deg=13.0, pitch_deg=-8.0, roll_deg=4.0).rotation()
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)


@pytest.mark.parametrize("wrong", [{"scale": 0.0}, {"yaw_deg": float("nan")}])
def test_an_impossible_pose_is_refused(wrong):
    with pytest.raises(InputError, match="finite numbers and a scale above 0"):
        Pose(**wrong)


def test_a_path_stays_within_its_extent_and_moves():
    extent = Pose(5.0, 4.0, 3.0, 20.0, 10.0, 1.05)
    path = hand_held(300, 30.0, extent, np.random.default_rng(0))
    numbers = np.array(
        [(p.yaw_deg, p.pitch_deg, p.roll_deg, p.x_px, p.y_px, np.log(p.scale)) for p in path]
    )
    limits = np.array([5, 4, 3, 20, 10, np.log(1.05)])
    assert (np.abs(numbers) <= limits + 1e-9).all()
    assert (np.ptp(numbers, axis=0) > 0.7 * limits).all()


def test_a_path_is_smooth_and_seeded():
    extent = Pose(x_px=10.0)
    path = hand_held(90, 30.0, extent, np.random.default_rng(3))
    assert np.abs(np.diff([pose.x_px for pose in path])).max() < 1.2
    assert path == hand_held(90, 30.0, extent, np.random.default_rng(3))
    assert path != hand_held(90, 30.0, extent, np.random.default_rng(4))


def test_a_path_without_frames_is_refused():
    with pytest.raises(InputError, match="at least one frame"):
        hand_held(0, 30.0, Pose(), np.random.default_rng(0))


def test_paths_add_up():
    assert add_poses(
        [Pose(1.0, 2.0, 3.0, 4.0, 5.0, 2.0)], [Pose(10.0, 10.0, 10.0, 10.0, 10.0, 3.0)]
    ) == (Pose(11.0, 12.0, 13.0, 14.0, 15.0, 6.0),)
    with pytest.raises(InputError, match="one length, got 1 and 2"):
        add_poses([Pose()], [Pose(), Pose()])
