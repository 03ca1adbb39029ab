"""How far a measured rate can be trusted: intervals for a share of errors."""

import math
from collections.abc import Hashable, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped
from scipy.stats import beta

from vivant.errors import InputError

__all__ = [
    "Interval",
    "clopper_pearson",
    "mean_bootstrap",
    "num_for_zero_errors",
    "rule_of_three",
    "subject_bootstrap",
    "wilson",
]

COVERAGE = 0.95
NUM_DRAWS = 2000
"""Of a bootstrap (specification 4)."""


class Interval(NamedTuple):
    """Both ends, as shares 0..1."""

    low: float
    high: float


def wilson(num_errors: int, num: int, coverage: float = COVERAGE) -> Interval:
    """Wilson's score interval: near its nominal coverage on average, whatever the rate.

    Args:
        num_errors: Of `num` presentations.
        num: All of them.
        coverage: How often the interval is to hold the true rate; above 0, below 1.

    Raises:
        InputError: no presentations, more errors than presentations, or no such coverage.

    >>> tuple(round(end, 6) for end in wilson(5, 100))
    (0.021544, 0.11175)
    """
    _require_counts(num_errors, num, coverage)
    z = NormalDist().inv_cdf((1 + coverage) / 2)
    rate, scale = num_errors / num, 1 + z**2 / num
    middle = (rate + z**2 / (2 * num)) / scale
    half = z / scale * math.sqrt(rate * (1 - rate) / num + z**2 / (4 * num**2))
    # At no error, and at nothing else, the end is exact: rounding must not move it.
    low = 0.0 if num_errors == 0 else max(middle - half, 0.0)
    return Interval(low, 1.0 if num_errors == num else min(middle + half, 1.0))


def clopper_pearson(num_errors: int, num: int, coverage: float = COVERAGE) -> Interval:
    """The exact interval: never less than its coverage, and wider than Wilson's for it.

    Args:
        num_errors: Of `num` presentations.
        num: All of them.
        coverage: How often the interval is to hold the true rate; above 0, below 1.

    Raises:
        InputError: no presentations, more errors than presentations, or no such coverage.

    >>> tuple(round(end, 6) for end in clopper_pearson(5, 100))
    (0.016432, 0.112835)
    """
    _require_counts(num_errors, num, coverage)
    tail = (1 - coverage) / 2
    low, high = 0.0, 1.0
    if num_errors > 0:
        low = float(beta.ppf(tail, num_errors, num - num_errors + 1))
    if num_errors < num:
        high = float(beta.ppf(1 - tail, num_errors + 1, num - num_errors))
    return Interval(low, high)


def subject_bootstrap(
    is_error: Shaped[np.ndarray, " n"],
    subjects: Sequence[Hashable],
    *,
    coverage: float = COVERAGE,
    num_draws: int = NUM_DRAWS,
    seed: int = 0,
) -> Interval:
    """Percentiles of the rate over draws of subjects: presentations of one person are alike.

    Args:
        is_error: Of each presentation; boolean.
        subjects: Who each is of.
        coverage: How often the interval is to hold the true rate; above 0, below 1.
        num_draws: Draws of as many subjects as there are, with replacement.
        seed: Of PCG64.

    Raises:
        InputError: no presentations, no subject for one, or fewer than two subjects.
    """
    errors = np.asarray(is_error)
    if errors.ndim != 1 or errors.dtype != np.bool_ or len(errors) != len(subjects):
        raise InputError(
            f"expected one boolean and one subject a presentation, got {errors.dtype} "
            f"{errors.shape} and {len(subjects)} subjects"
        )
    return mean_bootstrap(
        errors.astype(np.float64), subjects, coverage=coverage, num_draws=num_draws, seed=seed
    )


def mean_bootstrap(
    values: Shaped[np.ndarray, " n"],
    subjects: Sequence[Hashable],
    *,
    coverage: float = COVERAGE,
    num_draws: int = NUM_DRAWS,
    seed: int = 0,
) -> Interval:
    """Percentiles of a mean over draws of subjects, such as of a distance in pixels.

    Args:
        values: Of each presentation or clip.
        subjects: Who each is of.
        coverage: How often the interval is to hold the true mean; above 0, below 1.
        num_draws: Draws of as many subjects as there are, with replacement.
        seed: Of PCG64.

    Raises:
        InputError: a value that is not finite, no subject for one, or fewer than two subjects.
    """
    numbers = np.asarray(values, np.float64)
    if numbers.ndim != 1 or len(numbers) != len(subjects) or not np.isfinite(numbers).all():
        raise InputError(
            f"expected one finite number and one subject each, got {numbers.shape} and "
            f"{len(subjects)} subjects"
        )
    _require_coverage(coverage)
    known: dict[Hashable, int] = {}
    of = np.array([known.setdefault(subject, len(known)) for subject in subjects], np.int64)
    if len(known) < 2:
        raise InputError(f"expected two subjects or more to draw from, got {len(known)}")
    all_of = np.bincount(of, minlength=len(known))
    sum_of = np.bincount(of, numbers, minlength=len(known))
    drawn = np.random.default_rng(seed).integers(len(known), size=(num_draws, len(known)))
    means = sum_of[drawn].sum(1) / all_of[drawn].sum(1)
    tail = 100 * (1 - coverage) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return Interval(float(low), float(high))


def rule_of_three(num: int) -> float:
    """After no error in `num` presentations the rate is below this with 95 %: about 3 / num.

    Raises:
        InputError: no presentations.

    >>> rule_of_three(120)
    0.025
    """
    _require_counts(0, num, COVERAGE)
    return min(3 / num, 1.0)


def num_for_zero_errors(rate: float, coverage: float = COVERAGE) -> int:
    """Presentations without one error that it takes to claim less than a rate.

    Args:
        rate: Above 0, below 1.
        coverage: One-sided; 0.95 is usual.

    Raises:
        InputError: no such rate or coverage.

    >>> [num_for_zero_errors(rate) for rate in (0.10, 0.05, 0.03, 0.02, 0.01, 0.001)]
    [29, 59, 99, 149, 299, 2995]
    """
    if not 0 < rate < 1:
        raise InputError(f"expected a rate above 0 and below 1, got {rate}")
    _require_coverage(coverage)
    return math.ceil(math.log(1 - coverage) / math.log(1 - rate))


def _require_coverage(coverage: float) -> None:
    """Raises: InputError: it is none."""
    if not 0 < coverage < 1:
        raise InputError(f"expected a coverage above 0 and below 1, got {coverage}")


def _require_counts(num_errors: int, num: int, coverage: float) -> None:
    """Raises: InputError: they are none."""
    if num < 1 or not 0 <= num_errors <= num:
        raise InputError(
            f"expected 0 <= errors <= presentations, and a presentation, got {num_errors} of {num}"
        )
    _require_coverage(coverage)
