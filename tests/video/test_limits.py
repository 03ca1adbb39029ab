import pytest
from pydantic import ValidationError

from vivant.video.limits import VideoLimits


def test_limits_are_those_of_the_policy() -> None:
    limits = VideoLimits()
    assert limits.max_bytes == 64 * 2**20
    assert (limits.min_side_px, limits.max_side_px) == (64, 4096)
    assert limits.max_pixels == 4096 * 2304
    assert (limits.max_seconds, limits.max_frames) == (60, 1800)
    assert limits.max_total_pixels == 1800 * 1920 * 1080
    assert (limits.max_streams, limits.max_boxes, limits.max_box_depth) == (8, 20_000, 16)
    assert (limits.min_corrupt_frames, limits.max_corrupt_share) == (3, 0.25)
    assert limits.max_memory_bytes == 2**30


@pytest.mark.parametrize(
    ("num_frames", "num_pixels", "seconds"),
    [(0, 0, 5), (1, 1920 * 1080, 5.02), (1800, 1920 * 1080, 41), (100, 1920 * 540, 6)],
)
def test_processor_time_grows_with_frames_and_their_pixels(
    num_frames: int, num_pixels: int, seconds: float
) -> None:
    assert VideoLimits().cpu_budget_s(num_frames, num_pixels) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "wrong", [{"max_bytes": 0}, {"max_seconds": -1}, {"max_corrupt_share": 1.1}, {"max_size": 3}]
)
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        VideoLimits(**wrong)


def test_limits_cross_to_the_worker_as_they_are() -> None:
    limits = VideoLimits(max_seconds=7.5, max_frames=3)
    assert VideoLimits.model_validate(limits.model_dump(mode="json")) == limits
