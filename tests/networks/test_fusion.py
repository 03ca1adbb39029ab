import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vivant.networks.fusion import fuse

MODES = ("exp_add", "exp_mul", "mean", "am", "aam")
share = st.floats(0, 1)


@pytest.mark.parametrize(
    ("p", "q", "expected"),
    [
        (0, 0, 0),
        (1, 1, 1),
        (0.5, 0.5, 0.5),
        (1, 0, 0.632121),
        (0, 1, 0.367879),
        (0.9, 0.25, 0.657164),
        (0.25, 0.9, 0.493935),
    ],
)
def test_exp_add_gives_the_specified_values(p: float, q: float, expected: float) -> None:
    assert fuse("exp_add", p, q) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("p", "q", "expected"), [(0.9, 0.25, 0.425897), (0.25, 0.9, 0.845172)])
def test_exp_mul_gives_the_specified_values(p: float, q: float, expected: float) -> None:
    assert fuse("exp_mul", p, q) == pytest.approx(expected, abs=1e-6)


@given(share, st.floats(0.01, 0.99))
def test_exp_mul_is_a_shift_of_the_other_modules_logit(p: float, q: float) -> None:
    logit = math.log(q / (1 - q)) + 2 * p - 1
    assert fuse("exp_mul", p, q) == pytest.approx(1 / (1 + math.exp(-logit)))


@given(share, share)
def test_exp_add_is_the_difference_of_the_two_class_sums(p: float, q: float) -> None:
    bona_fide, attack = math.exp(p) + q, math.exp(1 - p) + 1 - q
    assert fuse("exp_add", p, q) == pytest.approx(0.5 + (bona_fide - attack) / (2 * math.e))


@pytest.mark.parametrize("mode", MODES)
@given(p=share, q=share)
def test_every_fusion_stays_in_range_and_is_symmetric_in_the_classes(
    mode: str, p: float, q: float
) -> None:
    score = fuse(mode, p, q)
    assert -1e-12 <= score <= 1 + 1e-12
    assert fuse(mode, 1 - p, 1 - q) == pytest.approx(1 - score, abs=1e-9)


@pytest.mark.parametrize("mode", MODES)
def test_arrays_and_tensors_get_the_same_answer(mode: str) -> None:
    p, q = np.array([0.1, 0.5, 0.9]), np.array([0.7, 0.2, 0.4])
    of_tensors = fuse(mode, torch.tensor(p), torch.tensor(q))
    np.testing.assert_allclose(of_tensors.numpy(), fuse(mode, p, q), rtol=1e-12)


def test_mean_is_the_mean_and_one_module_alone_is_itself() -> None:
    assert fuse("mean", 0.9, 0.1) == pytest.approx(0.5)
    assert fuse("am", 0.9, None) == 0.9
    assert fuse("aam", 0.9, 0.1) == 0.1
