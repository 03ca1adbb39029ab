"""A made-up person before a made-up camera: something to look at, drawn on the spot."""

from collections.abc import Iterator

from vivant.datasets.synthetic_film import Studio
from vivant.datasets.synthetic_plan import FRAME_RATE, plan
from vivant.records import Frame

__all__ = ["film"]

_LAYOUT, _SEED, _VIDEO = "oulu-npu", 2026, "Test_files/3_1_38_1.avi"  # That of `make demo`.


def film(seconds: float, interval_s: float) -> Iterator[Frame]:
    """A bona fide presentation, a frame each interval, SYNTHETIC.

    Args:
        seconds: How long.
        interval_s: Time between two frames.
    """
    stride = max(1, round(interval_s * FRAME_RATE))
    num_frames = int(seconds * FRAME_RATE)
    video = next(one for one in plan(_LAYOUT, "tiny") if one.path == _VIDEO)
    for number, pixels in enumerate(Studio(_LAYOUT, _SEED, num_frames).film(video)):
        if number % stride == 0:
            yield Frame(pixels, number / FRAME_RATE, number)
