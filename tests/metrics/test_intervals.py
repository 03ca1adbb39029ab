import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from vivant.errors import InputError
from vivant.metrics.intervals import (
    clopper_pearson,
    num_for_zero_errors,
    rule_of_three,
    subject_bootstrap,
    wilson,
)

COUNTS = st.integers(1, 500).flatmap(lambda num: st.tuples(st.integers(0, num), st.just(num)))


@pytest.mark.parametrize(
    ("num_errors", "num", "of_wilson", "of_clopper_pearson"),
    [
        (0, 20, (0, 0.161125), (0, 0.168433)),
        (1, 20, (0.008881, 0.236131), (0.001265, 0.248733)),
        (0, 120, (0, 0.031019), (0, 0.030273)),
        (1, 120, (0.001473, 0.045696), (0.000211, 0.045556)),
        (3, 120, (0.008538, 0.070930), (0.005186, 0.071323)),
        (0, 240, (0, 0.015754), (0, 0.015253)),
        (5, 100, (0.021544, 0.111750), (0.016432, 0.112835)),
        (10, 10, (0.722467, 1), (0.691503, 1)),
        (0, 600, (0, 0.006362), (0, 0.006129)),
    ],
)
def test_worked_examples(num_errors, num, of_wilson, of_clopper_pearson) -> None:
    assert wilson(num_errors, num) == pytest.approx(of_wilson, abs=5e-7)
    assert clopper_pearson(num_errors, num) == pytest.approx(of_clopper_pearson, abs=5e-7)


@given(COUNTS, st.floats(0.5, 0.999))
def test_like_scipy(counts, coverage) -> None:
    test = binomtest(*counts)
    for ours, method in ((wilson, "wilson"), (clopper_pearson, "exact")):
        theirs = test.proportion_ci(coverage, method=method)
        assert ours(*counts, coverage) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(COUNTS)
def test_the_rate_lies_within(counts) -> None:
    rate = counts[0] / counts[1]
    for low, high in (wilson(*counts), clopper_pearson(*counts)):
        assert 0 <= low <= rate <= high <= 1


@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0), "a presentation, got 0 of 0"),
        ((3, 2), "got 3 of 2"),
        ((-1, 2), "got -1 of 2"),
        ((1, 2, 1.0), "coverage above 0 and below 1, got 1.0"),
    ],
)
def test_counts_that_are_none_are_refused(interval, arguments, message) -> None:
    with pytest.raises(InputError, match=message):
        interval(*arguments)


def test_errors_of_one_subject_widen_the_interval() -> None:
    subjects = [number // 6 for number in range(120)]
    is_error = np.zeros(120, bool)
    is_error[:3] = True
    found = subject_bootstrap(is_error, subjects)
    assert found == pytest.approx((0.0, 0.075))
    assert found.high > wilson(3, 120).high


def test_bootstrap_is_like_drawing_one_subject_after_the_other() -> None:
    generator = np.random.default_rng(3)
    subjects = generator.choice(["a", "b", "c", "d"], 60).tolist()
    is_error = generator.random(60) < 0.3
    of = {name: is_error[np.array(subjects) == name] for name in subjects}
    names = list(of)
    drawn = np.random.default_rng(7).integers(len(names), size=(50, len(names)))
    rates = [np.concatenate([of[names[at]] for at in row]).mean() for row in drawn]
    expected = np.percentile(rates, [5, 95])
    found = subject_bootstrap(is_error, subjects, coverage=0.9, num_draws=50, seed=7)
    assert found == pytest.approx(tuple(expected))


@pytest.mark.parametrize(
    ("is_error", "subjects", "message"),
    [
        (np.array([True]), ["a"], "two subjects or more to draw from, got 1"),
        (np.array([True, False]), ["a"], "and 1 subjects"),
        (np.array([1, 0]), ["a", "b"], "one boolean and one subject a presentation, got int64"),
    ],
)
def test_bootstrap_refuses_what_it_cannot_draw_from(is_error, subjects, message) -> None:
    with pytest.raises(InputError, match=message):
        subject_bootstrap(is_error, subjects)


def test_rule_of_three() -> None:
    expected = {20: 0.15, 100: 0.03, 120: 0.025, 240: 0.0125, 300: 0.01, 600: 0.005, 1000: 0.003}
    assert {num: rule_of_three(num) for num in expected} == pytest.approx(expected)
    assert rule_of_three(1) == 1


@given(st.floats(0.001, 0.9))
def test_presentations_without_an_error_that_a_claim_takes(rate) -> None:
    num = num_for_zero_errors(rate)
    assert (1 - rate) ** num <= 0.05 < (1 - rate) ** (num - 1)


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1])
def test_no_number_shows_a_rate_of_none(rate) -> None:
    with pytest.raises(InputError, match="rate above 0 and below 1"):
        num_for_zero_errors(rate)
