import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivant.errors import InputError
from vivant.metrics.rates import apcer, bpcer, rates

# Worked example 1 of the specification.
BONA_FIDE = np.array([0.95, 0.90, 0.85, 0.80, 0.75, 0.70, 0.60, 0.55, 0.45, 0.30])
PRINT = np.array([0.10, 0.15, 0.20, 0.25, 0.35, 0.40, 0.50, 0.05])
REPLAY = np.array([0.02, 0.12, 0.22, 0.32, 0.42, 0.52, 0.62, 0.72])
ATTACKS = {"print": PRINT, "replay": REPLAY}

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=30).map(np.array)


def test_worked_example() -> None:
    at_half = rates(BONA_FIDE, ATTACKS, 0.5)
    assert at_half.apcer_by_species == {"print": 0.125, "replay": 0.375}
    assert (at_half.apcer, at_half.bpcer, at_half.acer) == (0.375, 0.2, 0.2875)


def test_score_at_the_threshold_is_accepted() -> None:
    assert apcer(np.array([0.5]), 0.5) == 1.0
    assert bpcer(np.array([0.5]), 0.5) == 0.0


def test_second_worked_example() -> None:
    i = np.arange(20)
    bona_fide = np.round(np.sqrt((i + 0.5) / 20), 4)
    found = rates(bona_fide, {"print": 0.6 * (i + 0.5) / 20, "replay": 0.8 * (i + 0.5) / 20}, 0.5)
    assert found.apcer_by_species == pytest.approx({"print": 0.15, "replay": 0.40})
    assert found.bpcer == 0.25
    assert found.acer == pytest.approx(0.325)


@given(SCORES, SCORES, st.floats(0, 1))
def test_like_counting(bona_fide: np.ndarray, attack: np.ndarray, threshold: float) -> None:
    found = rates(bona_fide, {"print": attack}, threshold)
    assert found.bpcer == sum(s < threshold for s in bona_fide) / len(bona_fide)
    assert found.apcer == sum(s >= threshold for s in attack) / len(attack)


def test_infinite_threshold_accepts_nothing() -> None:
    found = rates(BONA_FIDE, ATTACKS, np.inf)
    assert (found.apcer, found.bpcer) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("bona_fide", "attacks", "message"),
    [
        (np.array([]), ATTACKS, "at least one score of bona fide presentations, got none"),
        (BONA_FIDE, {"print": np.array([])}, "at least one score of the PAI species 'print'"),
        (BONA_FIDE, {}, "at least one PAI species, got none"),
        (np.array([0.1, np.nan]), ATTACKS, "got 1 of 2 that are not"),
        (BONA_FIDE, {"print": np.array([np.inf])}, "finite scores of the PAI species 'print'"),
        (BONA_FIDE[None], ATTACKS, "expected a list of numbers"),
        (np.array(["a"]), ATTACKS, "expected a list of numbers"),
    ],
)
def test_scores_that_are_none_are_refused(bona_fide, attacks, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rates(bona_fide, attacks, 0.5)


def test_threshold_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="expected a threshold, got NaN"):
        rates(BONA_FIDE, ATTACKS, np.nan)
