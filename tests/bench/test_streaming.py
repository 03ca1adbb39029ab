"""Counts and ratios of a timed stream; that it scores rightly is tests/session/test_stream.py."""

from people import swaying
from vivant.bench.streaming import time_stream
from vivant.records import Frame
from vivant.runtimes.onnx import OnnxRunner
from vivant.session.session import STARTER


def test_stream_is_timed_window_by_window() -> None:
    runner = OnnxRunner(STARTER, num_threads=1)
    frames = [Frame(pixels, i / 10) for i, pixels in enumerate(swaying(9))]
    exact, once = time_stream("onnx", runner, frames)
    assert (exact.patches, once.patches) == ("exact", "once")
    assert exact.num_windows == 5
    assert exact.encoded_per_window == 9 / 5
    assert exact.patches_per_window == 4
    assert exact.score_difference < 1e-4
    assert exact.times_as_fast == exact.scratch_ms / exact.ms
    assert exact.overhead >= 1
