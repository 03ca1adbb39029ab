import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivant.errors import InputError
from vivant.metrics.rates import rates
from vivant.metrics.thresholds import eer_threshold, error_curves

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
