"""Numbers over all thresholds: the area under the curve, the half total error, DET points."""

from collections.abc import Mapping
from statistics import NormalDist
from typing import Literal

import numpy as np
from jaxtyping import Float, Shaped

from vivant.errors import InputError
from vivant.metrics.rates import checked, checked_species, rates
from vivant.metrics.thresholds import error_curves

__all__ = ["auc", "det_points", "hter", "probit"]


def auc(
    bona_fide_scores: Shaped[np.ndarray, "..."], attack_scores: Shaped[np.ndarray, "..."]
) -> float:
    """P(bona fide > attack) + P(bona fide = attack) / 2, of two presentations drawn at random.

    Args:
        bona_fide_scores: (n,), higher is bona fide.
        attack_scores: (m,), of all attacks or of one PAI species.

    Raises:
        InputError: no scores, or not finite.

    >>> auc(np.array([0.9, 0.5]), np.array([0.5, 0.1]))
    0.875
    """
    bona_fide = checked(bona_fide_scores, "bona fide presentations")
    attacks = np.sort(checked(attack_scores, "attacks"))
    below = np.searchsorted(attacks, bona_fide, side="left")
    not_above = np.searchsorted(attacks, bona_fide, side="right")
    return float((below + not_above).mean() / (2 * len(attacks)))


def hter(
    bona_fide_scores: Shaped[np.ndarray, "..."],
    attack_scores: Mapping[str, Shaped[np.ndarray, "..."]],
    threshold: float,
) -> float:
    """Half total error rate: the mean of both errors, attacks of all species in one.

    Args:
        bona_fide_scores: (n,), higher is bona fide.
        attack_scores: By PAI species.
        threshold: Accepted from it on.

    Raises:
        InputError: scores that are none, or a threshold that is not a number.
    """
    pooled = np.concatenate([*checked_species(attack_scores).values()])
    return rates(bona_fide_scores, {"all": pooled}, threshold).acer


def det_points(
    bona_fide_scores: Shaped[np.ndarray, "..."],
    attack_scores: Mapping[str, Shaped[np.ndarray, "..."]],
    attacks: Literal["worst", "pooled"] = "worst",
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """APCER and BPCER of a DET curve: the corners of its staircase, and no point between.

    Args:
        bona_fide_scores: (n,), higher is bona fide.
        attack_scores: By PAI species.
        attacks: APCER of the worst PAI species, or of all attacks in one.

    Returns:
        APCER (falling) and BPCER (rising), 0..1, each (m,).

    Raises:
        InputError: scores that are none.
    """
    _, apcer, bpcer = error_curves(bona_fide_scores, attack_scores, attacks)
    is_new = np.append(True, (np.diff(apcer) != 0) | (np.diff(bpcer) != 0))
    apcer, bpcer = apcer[is_new], bpcer[is_new]
    # A point that lies on a straight line with the ones beside it says nothing.
    same_apcer = (apcer[1:-1] == apcer[:-2]) & (apcer[1:-1] == apcer[2:])
    same_bpcer = (bpcer[1:-1] == bpcer[:-2]) & (bpcer[1:-1] == bpcer[2:])
    is_corner = np.concatenate([[True], ~(same_apcer | same_bpcer), [True]])
    return apcer[is_corner], bpcer[is_corner]


def probit(rate: float) -> float:
    """Where a rate lies on the axes of a DET plot.

    Raises:
        InputError: not above 0 and below 1: such a point has no place there.
    """
    if not 0 < rate < 1:
        raise InputError(f"expected a rate above 0 and below 1, got {rate}")
    return NormalDist().inv_cdf(rate)
