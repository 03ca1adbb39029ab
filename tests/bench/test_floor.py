from collections.abc import Callable

import numpy as np
import onnxruntime
import pytest

from vivant.bench.floor import SHAPES, Shape, chain, peak_gmacs


def test_multiply_adds_are_counted_by_hand() -> None:
    # 4 layers x 5 pictures x (8 x 8 channels) x (3 x 3) taps x (7 x 7) places.
    assert Shape(5, 8, 7, 3).gmacs == pytest.approx(4 * 5 * 64 * 9 * 49 / 1e9)


@pytest.mark.parametrize("shape", [Shape(2, 4, 6, 3), Shape(1, 8, 5, 1)])
def test_chain_runs_and_keeps_its_shape(shape: Shape) -> None:
    session = onnxruntime.InferenceSession(
        chain(shape).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    given = np.ones((shape.batch, shape.channels, shape.side, shape.side), np.float32)
    (answer,) = session.run(None, {"x": given})
    assert answer.shape == given.shape
    assert np.isfinite(answer).all()
    assert (answer >= 0).all()


def test_peak_is_the_best_rate_over_the_shapes() -> None:
    """A fake runtime takes a millisecond whatever it is given: the largest shape is the best."""
    asked, now_s = [], 0.0

    def work() -> None:
        nonlocal now_s
        now_s += 1e-3

    def build(shape: Shape) -> Callable[[], object]:
        asked.append(shape)
        return work

    rate = peak_gmacs(build, seconds=0.01, clock=lambda: now_s)
    assert asked == list(SHAPES)
    assert rate == pytest.approx(max(shape.gmacs for shape in SHAPES) / 1e-3)
