import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from vivant.errors import InputError
from vivant.metrics.curves import auc, det_points, hter, probit
from vivant.metrics.thresholds import error_curves

BONA_FIDE = np.array([0.95, 0.90, 0.85, 0.80, 0.75, 0.70, 0.60, 0.55, 0.45, 0.30])
PRINT = np.array([0.10, 0.15, 0.20, 0.25, 0.35, 0.40, 0.50, 0.05])
REPLAY = np.array([0.02, 0.12, 0.22, 0.32, 0.42, 0.52, 0.62, 0.72])
ATTACKS = {"print": PRINT, "replay": REPLAY}
SCORES = st.lists(st.integers(0, 20).map(lambda i: i / 20), min_size=1, max_size=20).map(np.array)


def second_example() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    i = np.arange(20)
    bona_fide = np.round(np.sqrt((i + 0.5) / 20), 4)
    return bona_fide, {"print": 0.6 * (i + 0.5) / 20, "replay": 0.8 * (i + 0.5) / 20}


def test_worked_examples() -> None:
    assert auc(BONA_FIDE, np.concatenate([PRINT, REPLAY])) == 0.89375
    assert hter(BONA_FIDE, ATTACKS, 0.5) == pytest.approx(0.225)
    bona_fide, attacks = second_example()
    assert auc(bona_fide, np.concatenate([*attacks.values()])) == pytest.approx(0.8325)
    assert hter(bona_fide, attacks, 0.5) == pytest.approx(0.2625)


@given(SCORES, SCORES)
def test_auc_is_that_of_scikit_learn(bona_fide, attacks) -> None:
    labels = np.repeat([1, 0], [len(bona_fide), len(attacks)])
    theirs = roc_auc_score(labels, np.concatenate([bona_fide, attacks]))
    assert auc(bona_fide, attacks) == pytest.approx(theirs)


@given(SCORES, SCORES)
def test_auc_does_not_change_with_a_monotone_map(bona_fide, attacks) -> None:
    assert auc(np.exp(bona_fide), np.exp(attacks)) == auc(bona_fide, attacks)


@given(SCORES, SCORES, SCORES)
def test_det_points_are_the_corners_of_the_curve(bona_fide, one, other) -> None:
    attacks = {"print": one, "replay": other}
    apcer, bpcer = det_points(bona_fide, attacks)
    _, all_apcer, all_bpcer = error_curves(bona_fide, attacks, "worst")
    assert {*zip(apcer, bpcer, strict=True)} <= {*zip(all_apcer, all_bpcer, strict=True)}
    assert (apcer[0], bpcer[0]) == (all_apcer[0], all_bpcer[0])
    assert (apcer[-1], bpcer[-1]) == (0, 1)
    for a, b in zip(all_apcer, all_bpcer, strict=True):
        on = [
            (x0 == x1 == a and y0 <= b <= y1) or (y0 == y1 == b and x1 <= a <= x0)
            for x0, x1, y0, y1 in zip(apcer[:-1], apcer[1:], bpcer[:-1], bpcer[1:], strict=True)
        ]
        assert any(on) or (a, b) in {*zip(apcer, bpcer, strict=True)}


@given(st.floats(1e-6, 1 - 1e-6))
def test_probit_is_that_of_scipy(rate) -> None:
    assert probit(rate) == pytest.approx(norm.ppf(rate), abs=1e-9)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_the_ends_have_no_place_on_the_axes(rate) -> None:
    with pytest.raises(InputError, match="above 0 and below 1"):
        probit(rate)


def test_scores_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="at least one score of attacks"):
        auc(BONA_FIDE, np.array([]))
    with pytest.raises(InputError, match="expected a threshold, got NaN"):
        hter(BONA_FIDE, ATTACKS, np.nan)
    with pytest.raises(InputError, match="at least one PAI species"):
        hter(BONA_FIDE, {}, 0.5)
    with pytest.raises(InputError, match="at least one score of the PAI species 'print'"):
        hter(BONA_FIDE, {"print": np.array([])}, 0.5)
