"""The largest clip that is legal, through the process that decodes."""

from fractions import Fraction

import numpy as np
import pytest

from media import pattern, remux, video
from vivant.video.isolation import DecoderPool
from vivant.video.limits import VideoLimits

LIMITS = VideoLimits()


@pytest.mark.slow
def test_largest_legal_clip_is_accepted() -> None:
    """1,800 frames of 1080p, a minute, tens of MiB."""
    noise = np.random.default_rng(3).integers(0, 60, (270, 480, 3), dtype=np.uint8) // 2
    frames = [
        np.roll(np.kron(noise, np.ones((4, 4, 1), np.uint8)), 40 * index, axis=1)
        + pattern(index, 1920, 1080) // 2
        for index in range(8)
    ]
    few = video(frames, 30, "libx264", options={"g": "1", "qp": "40"})
    data = remux(few, range(1800), Fraction(1, 30), "mp4")
    assert 20 * 2**20 < len(data) <= 64 * 2**20
    with DecoderPool(LIMITS) as pool:
        times = [frame.time_s for frame in pool.read_media(data, 0.1).frames]
    assert len(times) == 601  # The last is near the place just behind the end.
    assert times[-1] == pytest.approx(1799 / 30, abs=1e-3)
