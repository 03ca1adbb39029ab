"""The camera before both classes."""

import numpy as np
import pytest
from tests.attacks.test_recapturing import FACE, picture

from vivant.attacks.filming import film
from vivant.errors import InputError


def filmed(seed: int, num_frames: int = 1, strength: float = 1.0) -> np.ndarray:
    frames = picture()[None].repeat(num_frames, 0)
    return film(frames, FACE, np.random.default_rng(seed), strength)


def test_without_strength_nothing_changes() -> None:
    assert np.array_equal(filmed(1, strength=0.0), picture()[None])


def test_generator_decides_and_nothing_else() -> None:
    assert np.array_equal(filmed(1), filmed(1))
    assert not np.array_equal(filmed(1), filmed(2))


def test_more_strength_changes_more_pictures() -> None:
    unchanged = [
        sum(np.array_equal(filmed(seed, strength=s), picture()[None]) for seed in range(40))
        for s in (0.1, 0.4, 1.0)
    ]
    assert unchanged[0] > unchanged[1] > unchanged[2]


def test_camera_is_the_clips_and_noise_is_each_frames() -> None:
    """Frames differ, by noise and by the hand; their colours and exposure do not."""
    for seed in range(6):
        clip = filmed(seed, num_frames=4).astype(int)
        assert all(np.abs(clip[0] - frame).mean() > 0 for frame in clip[1:])
        assert np.ptp(clip.mean((1, 2)), axis=0).max() < 5


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_strength_is_a_share(strength: float) -> None:
    with pytest.raises(InputError, match="strength of 0 to 1"):
        filmed(1, strength=strength)
