import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from vivant.errors import InputError
from vivant.metrics.calibration import brier, expected_calibration_error, negative_log_likelihood

SCORES = st.lists(st.integers(1, 19).map(lambda i: i / 20), min_size=1, max_size=20).map(np.array)


def test_worked_example() -> None:
    bona_fide, attacks = np.array([0.9, 0.8]), np.array([0.7, 0.2, 0.1])
    assert brier(bona_fide, attacks) == pytest.approx(0.118)
    assert negative_log_likelihood(bona_fide, attacks) == pytest.approx(0.372196, abs=5e-7)


@given(SCORES, SCORES)
def test_like_scikit_learn(bona_fide, attacks) -> None:
    scores = np.concatenate([bona_fide, attacks])
    labels = np.repeat([1, 0], [len(bona_fide), len(attacks)])
    assert brier(bona_fide, attacks) == pytest.approx(brier_score_loss(labels, scores))
    theirs = log_loss(labels, scores, labels=[0, 1])
    assert negative_log_likelihood(bona_fide, attacks) == pytest.approx(theirs)


@given(SCORES, SCORES, st.integers(1, 20))
def test_calibration_error_is_like_a_loop_over_bins(bona_fide, attacks, num_bins) -> None:
    scores = np.concatenate([bona_fide, attacks])
    labels = np.repeat([1, 0], [len(bona_fide), len(attacks)])
    expected = 0.0
    for number in range(num_bins):
        within = np.minimum(np.floor(scores * num_bins), num_bins - 1) == number
        if within.any():
            gap = abs(scores[within].mean() - labels[within].mean())
            expected += within.mean() * gap
    found = expected_calibration_error(bona_fide, attacks, num_bins)
    assert found == pytest.approx(expected)


def test_a_score_that_means_what_it_says_has_no_error() -> None:
    assert expected_calibration_error(np.full(3, 0.75), np.array([0.75])) == pytest.approx(0)


def test_certain_and_wrong_is_finite() -> None:
    assert np.isfinite(negative_log_likelihood(np.array([0.0]), np.array([1.0])))


@pytest.mark.parametrize("function", [brier, negative_log_likelihood, expected_calibration_error])
def test_what_is_no_probability_is_refused(function) -> None:
    with pytest.raises(InputError, match="expected scores of 0 to 1, got -1 to 0.5"):
        function(np.array([0.5]), np.array([-1.0]))
    with pytest.raises(InputError, match="at least one score of attacks, got none"):
        function(np.array([0.5]), np.array([]))


def test_no_bins() -> None:
    with pytest.raises(InputError, match="at least one bin, got 0"):
        expected_calibration_error(np.array([0.5]), np.array([0.5]), 0)
