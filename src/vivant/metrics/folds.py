"""Several folds of one protocol: each rate's mean, and how far the folds lie apart."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vivant.errors import InputError

__all__ = ["FoldSummary", "summarise_folds"]


class FoldSummary(NamedTuple):
    """Of one rate over the folds of a protocol."""

    mean: float
    std_population: float
    """Divided by n (ddof 0)."""
    std_sample: float | None
    """Divided by n - 1 (ddof 1): papers do not say which they print. None for one fold."""


def summarise_folds(values: Sequence[float]) -> FoldSummary:
    """Mean and both deviations.

    Args:
        values: Of one rate, a fold each. ACER is taken within each fold first.

    Raises:
        InputError: none, or one is not finite.

    >>> summarise_folds([5.0, 0.0, 10.0])
    FoldSummary(mean=5.0, std_population=4.08248290463863, std_sample=5.0)
    """
    numbers = np.asarray(values, np.float64)
    if numbers.ndim != 1 or not len(numbers) or not np.isfinite(numbers).all():
        raise InputError(f"expected a finite number of each fold, got {list(values)}")
    sample = float(numbers.std(ddof=1)) if len(numbers) > 1 else None
    return FoldSummary(float(numbers.mean()), float(numbers.std()), sample)
