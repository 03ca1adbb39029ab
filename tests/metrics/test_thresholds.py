import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivant.errors import InputError
from vivant.metrics.rates import rates
from vivant.metrics.thresholds import (
    apcer_at_bpcer,
    bpcer_at_apcer,
    eer_threshold,
    error_curves,
)

BONA_FIDE = np.array([0.95, 0.90, 0.85, 0.80, 0.75, 0.70, 0.60, 0.55, 0.45, 0.30])
PRINT = np.array([0.10, 0.15, 0.20, 0.25, 0.35, 0.40, 0.50, 0.05])
REPLAY = np.array([0.02, 0.12, 0.22, 0.32, 0.42, 0.52, 0.62, 0.72])
ATTACKS = {"print": PRINT, "replay": REPLAY}
SCORES = st.lists(st.integers(0, 20).map(lambda i: i / 20), min_size=1, max_size=20).map(np.array)


def test_worked_examples() -> None:
    assert eer_threshold(BONA_FIDE, ATTACKS, "pooled") == (0.52, 0.19375)
    i = np.arange(20)
    bona_fide = np.round(np.sqrt((i + 0.5) / 20), 4)
    attacks = {"print": 0.6 * (i + 0.5) / 20, "replay": 0.8 * (i + 0.5) / 20}
    threshold, rate = eer_threshold(bona_fide, attacks, "pooled")
    assert (threshold, rate) == (pytest.approx(0.5244), pytest.approx(0.25))
    threshold, rate = eer_threshold(bona_fide, attacks)
    assert (threshold, rate) == (pytest.approx(0.555, abs=6e-3), pytest.approx(0.30))


@given(SCORES, SCORES, SCORES)
def test_like_trying_every_threshold(bona_fide, one, other) -> None:
    attacks = {"print": one, "replay": other}
    tried = [
        (round(abs(r.apcer - r.bpcer), 12), round(max(r.apcer, r.bpcer), 12), r.threshold, r.acer)
        for r in (
            rates(bona_fide, attacks, t)
            for t in [*np.unique(np.concatenate([bona_fide, one, other])), np.inf]
        )
    ]
    _, _, threshold, rate = min(tried)
    assert eer_threshold(bona_fide, attacks) == (threshold, pytest.approx(rate))


@given(SCORES, SCORES, SCORES)
def test_curves_are_the_rates_at_their_thresholds(bona_fide, one, other) -> None:
    attacks = {"print": one, "replay": other}
    thresholds, apcer, bpcer = error_curves(bona_fide, attacks, "worst")
    assert (np.diff(apcer) <= 0).all()
    assert (np.diff(bpcer) >= 0).all()
    for at, threshold in enumerate(thresholds):
        found = rates(bona_fide, attacks, float(threshold))
        assert (apcer[at], bpcer[at]) == (pytest.approx(found.apcer), pytest.approx(found.bpcer))


def test_perfect_scores_have_no_error() -> None:
    threshold, rate = eer_threshold(np.array([0.8, 0.9]), {"print": np.array([0.1, 0.2])})
    assert rate == 0.0
    assert 0.2 < threshold <= 0.8


def test_no_attacks_are_refused() -> None:
    with pytest.raises(InputError, match="at least one PAI species"):
        eer_threshold(BONA_FIDE, {})


def test_worked_examples_at_a_limit_on_one_error() -> None:
    for limit in (0.1, 0.05, 0.01):
        assert bpcer_at_apcer(BONA_FIDE, ATTACKS, limit) == (0.75, 0.5)
    assert apcer_at_bpcer(BONA_FIDE, ATTACKS, 0.1) == (0.45, 0.375)
    assert apcer_at_bpcer(BONA_FIDE, ATTACKS, 0.2) == (0.55, 0.25)
    assert apcer_at_bpcer(BONA_FIDE, ATTACKS, 0.05) == (0.30, 0.625)
    i = np.arange(20)
    bona_fide = np.round(np.sqrt((i + 0.5) / 20), 4)
    attacks = {"print": 0.6 * (i + 0.5) / 20, "replay": 0.8 * (i + 0.5) / 20}
    # bob's far_threshold takes scores of attacks alone: one more bona fide presentation rejected.
    for limit, threshold, rate, of_bob in (
        (0.10, 0.7246, 0.50, 0.55), (0.05, 0.7583, 0.55, 0.60), (0.01, 0.7906, 0.60, 0.60),
    ):  # fmt: skip
        found = bpcer_at_apcer(bona_fide, attacks, limit)
        assert found == (pytest.approx(threshold), pytest.approx(rate))
        assert found[1] <= of_bob + 1e-12


@given(SCORES, SCORES, SCORES, st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_a_limit_on_one_error_is_like_trying_every_threshold(bona_fide, one, other, limit) -> None:
    attacks = {"print": one, "replay": other}
    tried = [
        rates(bona_fide, attacks, t)
        for t in [*np.unique(np.concatenate([bona_fide, one, other])), np.inf]
    ]
    lowest = next(found for found in tried if round(found.apcer, 12) <= limit)
    assert bpcer_at_apcer(bona_fide, attacks, limit) == (
        lowest.threshold, pytest.approx(lowest.bpcer),
    )  # fmt: skip
    highest = [found for found in tried if round(found.bpcer, 12) <= limit][-1]
    assert apcer_at_bpcer(bona_fide, attacks, limit) == (
        highest.threshold, pytest.approx(highest.apcer),
    )  # fmt: skip


@pytest.mark.parametrize("function", [bpcer_at_apcer, apcer_at_bpcer])
def test_a_limit_that_is_no_rate_is_refused(function) -> None:
    with pytest.raises(InputError, match=r"of 0 to 1 \(1 % is 0.01\), got 5.0"):
        function(BONA_FIDE, ATTACKS, 5.0)
