from inspect import signature

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivant.faces.detectors import detector
from vivant.faces.detectors.detector import suppress
from vivant.plugins import discover


def plain_suppress(edges: np.ndarray, scores: np.ndarray, max_overlap: float) -> list[int]:
    """The textbook's loop."""
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        x0, y0, x1, y1 = edges[index]
        for better in kept:
            a0, b0, a1, b1 = edges[better]
            shared = max(0.0, min(x1, a1) - max(x0, a0)) * max(0.0, min(y1, b1) - max(y0, b0))
            both = (x1 - x0) * (y1 - y0) + (a1 - a0) * (b1 - b0) - shared
            if shared / both > max_overlap:
                break
        else:
            kept.append(int(index))
    return kept


def test_the_worse_of_two_that_overlap_is_dropped() -> None:
    edges = np.array([[0, 0, 10, 10], [2, 0, 12, 10], [20, 0, 30, 10.0]])
    scores = np.array([0.6, 0.9, 0.7])
    # The first two share 80 of 120.
    assert suppress(edges, scores, 0.3) == [1, 2]
    assert suppress(edges, scores, 0.7) == [1, 2, 0]


def test_what_a_dropped_box_overlaps_stays() -> None:
    edges = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10.0]])
    assert suppress(edges, np.array([0.9, 0.8, 0.7]), 0.3) == [0, 2]


def test_scores_near_zero_are_not_left_out() -> None:
    edges = np.array([[0, 0, 10, 10.0]])
    assert suppress(edges, np.array([1e-6]), 0.3) == [0]


def test_no_boxes_stay_none() -> None:
    assert suppress(np.zeros((0, 4)), np.zeros(0), 0.3) == []


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from([0.1, 0.3, 0.6]))
def test_suppression_is_the_textbooks(seed: int, number: int, max_overlap: float) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-20, 80, (number, 2))
    edges = np.concatenate([corners, corners + rng.uniform(1, 50, (number, 2))], axis=1)
    scores = rng.permutation(number) / number + 0.01  # All different.
    assert suppress(edges, scores, max_overlap) == plain_suppress(edges, scores, max_overlap)


def test_detectors_are_found_and_nothing_else() -> None:
    assert set(discover("vivant.faces.detectors")) == {"blazeface", "centerface"}
    assert discover(detector.__name__) == {}


@pytest.mark.parametrize("name", ["blazeface", "centerface"])
def test_every_builder_takes_a_path_or_none(name: str) -> None:
    (parameter,) = signature(discover("vivant.faces.detectors")[name]).parameters.values()
    assert (parameter.name, parameter.default) == ("model", None)
