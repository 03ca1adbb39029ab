import numpy as np
import pytest

from vivant.attacks.hand import Hands
from vivant.attacks.pose import Pose
from vivant.attacks.recapture import Lens

LENS = Lens(320, 240)
SIZE = (120.0, 90.0)  # In the middle of the frame: from 100 to 220 and from 75 to 165.


def held(seed: int = 0, width_cm: float = 20.0, pose: Pose | None = None, scale: float = 1.0):
    """What the whole frame sees of the hands."""
    size = (SIZE[0] / scale, SIZE[1] / scale)
    hands = Hands(size, scale, width_cm, 0.1, LENS, np.random.default_rng(seed))
    places, seen = hands.seen(pose or Pose(scale=scale))
    frame = np.zeros((240, 320, 4), np.float32)
    frame[places.part] = seen
    return frame


def test_thumbs_lie_on_the_lower_corners_and_nowhere_else():
    frame = held()
    np.testing.assert_array_equal(frame[:140], 0)
    np.testing.assert_array_equal(frame[:166, 130:190], 0)
    for corner in (frame[150:165, 100:125], frame[150:165, 195:220]):
        assert corner[..., 3].max() > 0.99
        assert corner[..., :3].max() > 0.02


def test_arms_reach_out_of_the_frame():
    bottom = held()[-1, :, 3]
    assert bottom[:160].max() > 0.99
    assert bottom[160:].max() > 0.99


def test_a_thumb_is_as_wide_as_two_centimetres_are_and_a_wrist_three_times_that():
    for width_cm in (12.0, 24.0):
        left = held(width_cm=width_cm)[:, :160, 3]
        tip = int(np.nonzero(left.max(axis=1) > 0.99)[0][0])
        thumb_px = 2 * 0.95 / width_cm * 120
        assert left[tip + round(0.5 * thumb_px)].sum() == pytest.approx(thumb_px, rel=0.5)
        wrist = tip + round(5.5 * thumb_px)
        if wrist < 240:
            assert left[wrist].sum() > 2.2 * thumb_px


def test_hands_move_with_what_they_hold():
    still, moved = held(), held(pose=Pose(x_px=12.0))
    np.testing.assert_allclose(moved[140:200, 112:], still[140:200, 100:-12], atol=0.02)
    assert np.abs(held(scale=2.0) - still).max() < 0.05  # The same on the frame, however drawn.


def test_a_thumb_throws_a_shadow_that_only_takes_light():
    frame = held()
    shadow = (frame[..., 3] > 0.05) & (frame[..., 3] < 0.41) & (frame[..., :3].max(axis=-1) == 0)
    assert shadow[:170].sum() > 20
    assert frame.min() >= 0
    assert frame[..., 3].max() <= 1 + 1e-6


def test_hands_beside_the_frame_are_not_seen():
    hands = Hands(SIZE, 1.0, 20.0, 0.1, LENS, np.random.default_rng(0))
    assert hands.seen(Pose(x_px=900.0)) is None


def test_the_seed_decides_about_skin_and_sleeves():
    hands = [held(seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(hands[0], hands[1])
    assert np.abs(hands[0] - hands[2]).max() > 0.05
