import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivant.attacks.coding import as_jpeg, as_video, resample
from vivant.attacks.draws import Draws, Sizes
from vivant.records import FaceBox


def clip(num_frames: int = 3, height: int = 48, width: int = 64) -> np.ndarray:
    """A coloured ramp that moves."""
    row, column = np.mgrid[:height, :width]
    frames = [
        np.dstack([4 * ((column + 2 * t) % width), 5 * row, 255 - 2 * column - row])
        for t in range(num_frames)
    ]
    return np.stack(frames).clip(0, 255).astype(np.uint8)


def loss(coded: np.ndarray, frames: np.ndarray) -> float:
    return float(np.abs(coded.astype(int) - frames).mean())


def test_jpeg_loses_more_at_a_lower_quality_and_keeps_colours_in_their_order() -> None:
    (frame,) = clip(1)
    good, bad = as_jpeg(frame, 95), as_jpeg(frame, 20)
    assert 0 < loss(good, frame) < loss(bad, frame)
    np.testing.assert_allclose(good.mean((0, 1)), frame.mean((0, 1)), atol=2)


def test_video_loses_more_at_a_higher_crf_and_keeps_frames_in_their_order() -> None:
    frames = clip(5)
    good, bad = as_video(frames, 18), as_video(frames, 40)
    assert 0 < loss(good, frames) < loss(bad, frames)
    nearest = [np.abs(frames - each.astype(int)).mean((1, 2, 3)).argmin() for each in good]
    assert nearest == [0, 1, 2, 3, 4]


def test_the_same_clip_is_coded_the_same() -> None:
    np.testing.assert_array_equal(as_video(clip(), 28), as_video(clip(), 28))


@given(st.integers(1, 4), st.integers(1, 70), st.integers(1, 70))
def test_odd_and_tiny_clips_come_back_whole(num_frames: int, height: int, width: int) -> None:
    frames = clip(num_frames, height, width)
    assert as_video(frames, 24).shape == frames.shape


def sizes(side: int) -> Sizes:
    """Of a usual crop that fills a picture."""
    edge = side / 1.3
    return Sizes(side, side, FaceBox(0.0, 0.0, edge, edge))


def variance_left(side: int, least: float) -> float:
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    left = [
        resample(noise, Draws(np.random.default_rng(seed)), sizes(side), least).var()
        for seed in range(20)
    ]
    return float(np.median(left) / noise.var())


def test_fewer_pixels_are_blurrier() -> None:
    assert variance_left(128, 0.2) < variance_left(128, 0.8) < 1


def test_of_a_larger_picture_more_pixels_are_lost() -> None:
    """A wide picture of 1024 pixels is brought to what one of 256 would have."""
    assert variance_left(1024, 0.8) < 0.5 * variance_left(128, 0.8)


def test_full_size_is_kept() -> None:
    (frame,) = clip(1, 64, 64)
    kept = resample(frame, Draws(np.random.default_rng(0)), sizes(64), 1.0)
    np.testing.assert_array_equal(kept, frame)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 2)])
def test_tiny_pictures_are_resampled(shape: tuple[int, int]) -> None:
    pixels = np.full((*shape, 3), 90, np.uint8)
    of = Sizes(*shape, FaceBox(0.0, 0.0, 1.0, 1.0))
    np.testing.assert_array_equal(
        resample(pixels, Draws(np.random.default_rng(0)), of, 0.4), pixels
    )
