"""Counts and ratios of a timed stream; that it scores rightly is tests/session/test_stream.py."""

from pathlib import Path

from context_models import save_context_model
from people import swaying
from vivant.bench.streaming import time_stream
from vivant.records import Frame
from vivant.runtimes.onnx import OnnxRunner
from vivant.runtimes.torch import TorchRunner
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


def test_stream_with_a_wider_crop_is_timed(tmp_path: Path) -> None:
    runner = TorchRunner(save_context_model(tmp_path))
    frames = [Frame(pixels, i / 10) for i, pixels in enumerate(swaying(5))]
    exact, _ = time_stream("torch", runner, frames)
    assert exact.num_windows == 3
    assert exact.score_difference < 1e-4
