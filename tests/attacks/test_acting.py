from dataclasses import replace

import numpy as np
import pytest

from vivant.attacks.acting import Manner, act
from vivant.errors import InputError

STILL = Manner(0.0, 0.0, 0.0, 0.0, 0.0, 1e-9, 0.0, 0.0, 0.0)


def test_an_act_is_as_long_as_asked_and_the_same_from_the_same_generator():
    one = act(20, 10.0, 360, np.random.default_rng(1))
    other = act(20, 10.0, 360, np.random.default_rng(1))
    assert len(one) == len(one.eyelids) == len(one.smile) == len(one.brows) == 20
    assert one.shake_px.shape == (20, 2)
    assert one.head == other.head
    np.testing.assert_array_equal(one.shake_px, other.shake_px)


def test_who_keeps_still_does():
    acting = act(10, 10.0, 360, np.random.default_rng(0), STILL)
    assert all(pose.yaw_deg == pose.x_px == 0 and pose.scale == 1 for pose in acting.head)
    assert set(acting.eyelids) == {0.0}
    assert np.abs(acting.shake_px).max() == 0


def test_nobody_moves_further_than_the_manner_says():
    manner = Manner(yaw_deg=6.0, looks_aside_deg=4.0, shake=0.02)
    for seed in range(20):
        acting = act(100, 10.0, 360, np.random.default_rng(seed), manner)
        assert max(abs(pose.yaw_deg - 4) for pose in acting.head) <= 6
        assert np.abs(acting.shake_px).max() <= 0.02 * 360
        assert max(map(abs, acting.smile)) <= manner.smile
        assert min(acting.eyelids) == 0
        assert max(acting.eyelids) <= 1


def test_people_blink_as_often_as_they_are_said_to():
    manner = replace(STILL, blinks_hz=0.5)
    acting = act(6000, 30.0, 360, np.random.default_rng(0), manner)
    closed = np.array(acting.eyelids) > 0.9
    starts = int((closed[1:] & ~closed[:-1]).sum())
    # 200 s; a blink takes 0.3 s, so there is one in 2.3 s: 87.
    assert starts == pytest.approx(200 / 2.3, abs=20)


@pytest.mark.parametrize(("frames", "rate"), [(0, 10.0), (5, 0.0)])
def test_no_frames_or_no_rate_is_refused(frames, rate):
    with pytest.raises(InputError, match="at least one frame and a rate above 0"):
        act(frames, rate, 360, np.random.default_rng(0))
