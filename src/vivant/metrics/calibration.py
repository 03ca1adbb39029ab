"""Is a score a probability? Brier score, negative log likelihood, expected calibration error."""

import numpy as np
from jaxtyping import Float, Shaped

from vivant.errors import InputError
from vivant.metrics.rates import checked

__all__ = ["brier", "expected_calibration_error", "negative_log_likelihood"]

NUM_BINS = 15
"""Of the calibration error, as it is usually printed."""
_SMALLEST = 1e-12
"""A score of 0 or 1 that is wrong would cost infinitely much."""


def brier(
    bona_fide_scores: Shaped[np.ndarray, "..."], attack_scores: Shaped[np.ndarray, "..."]
) -> float:
    """Mean squared distance of the score from 1 (bona fide) or 0 (attack); 0 is best.

    Args:
        bona_fide_scores: (n,), 0..1, higher is bona fide.
        attack_scores: (m,), of all attacks.

    Raises:
        InputError: no scores, or not within 0..1.

    >>> round(brier(np.array([0.9, 0.8]), np.array([0.7, 0.2, 0.1])), 6)
    0.118
    """
    scores, is_bona_fide = _joined(bona_fide_scores, attack_scores)
    return float(((scores - is_bona_fide) ** 2).mean())


def negative_log_likelihood(
    bona_fide_scores: Shaped[np.ndarray, "..."], attack_scores: Shaped[np.ndarray, "..."]
) -> float:
    """Mean of -ln of the probability that was given to what it was, in nats; 0 is best.

    Args:
        bona_fide_scores: (n,), 0..1, higher is bona fide.
        attack_scores: (m,), of all attacks.

    Raises:
        InputError: no scores, or not within 0..1.

    >>> round(negative_log_likelihood(np.array([0.9, 0.8]), np.array([0.7, 0.2, 0.1])), 6)
    0.372196
    """
    scores, is_bona_fide = _joined(bona_fide_scores, attack_scores)
    of_truth = np.where(is_bona_fide == 1, scores, 1 - scores)
    return float(-np.log(np.maximum(of_truth, _SMALLEST)).mean())


def expected_calibration_error(
    bona_fide_scores: Shaped[np.ndarray, "..."],
    attack_scores: Shaped[np.ndarray, "..."],
    num_bins: int = NUM_BINS,
) -> float:
    """How far the share of bona fide lies from the mean score, in the mean over bins of the score.

    Args:
        bona_fide_scores: (n,), 0..1, higher is bona fide.
        attack_scores: (m,), of all attacks.
        num_bins: Of equal width; a score on an edge is in the upper bin, 1 in the last.

    Raises:
        InputError: no scores, not within 0..1, or no bins.

    >>> round(expected_calibration_error(np.array([0.75, 0.75]), np.array([0.25]), 2), 6)
    0.25
    """
    if num_bins < 1:
        raise InputError(f"expected at least one bin, got {num_bins}")
    scores, is_bona_fide = _joined(bona_fide_scores, attack_scores)
    bins = np.minimum((scores * num_bins).astype(np.int64), num_bins - 1)
    too_high = np.bincount(bins, scores - is_bona_fide, minlength=num_bins)
    return float(np.abs(too_high).sum() / len(scores))


def _joined(
    bona_fide_scores: Shaped[np.ndarray, "..."], attack_scores: Shaped[np.ndarray, "..."]
) -> tuple[Float[np.ndarray, " nm"], Float[np.ndarray, " nm"]]:
    """Scores, and 1 for those of bona fide.

    Raises:
        InputError: no scores, or not within 0..1.
    """
    bona_fide = checked(bona_fide_scores, "bona fide presentations")
    attacks = checked(attack_scores, "attacks")
    scores = np.concatenate([bona_fide, attacks])
    if scores.min() < 0 or scores.max() > 1:
        raise InputError(
            f"expected scores of 0 to 1, got {scores.min():.4g} to {scores.max():.4g}: they are no "
            "probabilities"
        )
    return scores, np.repeat([1.0, 0.0], [len(bona_fide), len(attacks)])
