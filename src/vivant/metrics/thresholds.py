"""Where to put the threshold: always on data that the result is not measured on."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from jaxtyping import Float, Shaped

from vivant.errors import InputError
from vivant.metrics.rates import checked, checked_species

__all__ = [
    "apcer_at_bpcer",
    "bpcer_at_apcer",
    "candidates",
    "eer_threshold",
    "error_curves",
]


def candidates(*scores: Float[np.ndarray, " _"]) -> Float[np.ndarray, " m"]:
    """All thresholds that can tell apart: the distinct scores, ascending, and infinity.

    >>> candidates(np.array([0.5, 0.1]), np.array([0.5])).tolist()
    [0.1, 0.5, inf]
    """
    return np.append(np.unique(np.concatenate(scores)), np.inf)


def error_curves(
    bona_fide_scores: Shaped[np.ndarray, "..."],
    attack_scores: Mapping[str, Shaped[np.ndarray, "..."]],
    attacks: Literal["worst", "pooled"],
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """APCER and BPCER at every threshold that can tell apart.

    Args:
        bona_fide_scores: (n,), higher is bona fide.
        attack_scores: By PAI species.
        attacks: APCER of the worst PAI species, or of all attacks in one.

    Returns:
        Thresholds ascending, APCER (falling), BPCER (rising), each (m,).

    Raises:
        InputError: scores that are none.
    """
    bona_fide = np.sort(checked(bona_fide_scores, "bona fide presentations"))
    groups = [np.sort(scores) for scores in checked_species(attack_scores).values()]
    thresholds = candidates(bona_fide, *groups)
    bpcer = np.searchsorted(bona_fide, thresholds, side="left") / len(bona_fide)
    if attacks == "pooled":
        groups = [np.sort(np.concatenate(groups))]
    accepted = [
        1 - np.searchsorted(group, thresholds, side="left") / len(group) for group in groups
    ]
    return thresholds, np.max(accepted, axis=0), bpcer


def eer_threshold(
    bona_fide_scores: Shaped[np.ndarray, "..."],
    attack_scores: Mapping[str, Shaped[np.ndarray, "..."]],
    attacks: Literal["worst", "pooled"] = "worst",
) -> tuple[float, float]:
    """The threshold at which APCER and BPCER are nearest to each other, and the rate there.

    Of thresholds that are equally near the one with the smaller larger error is taken, then the
    lowest. The rate (D-EER) is the mean of both errors.

    Args:
        bona_fide_scores: (n,), higher is bona fide: of the development set.
        attack_scores: By PAI species: of the development set.
        attacks: APCER of the worst PAI species, or of all attacks in one.

    Returns:
        Threshold and D-EER, 0..1.

    Raises:
        InputError: scores that are none.
    """
    thresholds, apcer, bpcer = error_curves(bona_fide_scores, attack_scores, attacks)
    distance = np.round(np.abs(apcer - bpcer), 12)  # 0.3 - 0.2 and 0.2 - 0.1 are one distance.
    larger = np.round(np.maximum(apcer, bpcer), 12)
    best = int(np.lexsort((thresholds, larger, distance))[0])
    return float(thresholds[best]), float((apcer[best] + bpcer[best]) / 2)


def bpcer_at_apcer(
    bona_fide_scores: Shaped[np.ndarray, "..."],
    attack_scores: Mapping[str, Shaped[np.ndarray, "..."]],
    max_apcer: float,
) -> tuple[float, float]:
    """The lowest threshold at which no PAI species has more than an APCER, and the BPCER there.

    BPCER10, BPCER20 and BPCER100 of ISO/IEC 30107-3 are those for 10 %, 5 % and 1 %.

    Args:
        bona_fide_scores: (n,), higher is bona fide.
        attack_scores: By PAI species.
        max_apcer: 0..1, of the worst PAI species.

    Returns:
        Threshold, infinity where only that rejects enough attacks, and BPCER.

    Raises:
        InputError: scores that are none, or no such rate.
    """
    _require_rate(max_apcer, "APCER")
    thresholds, apcer, bpcer = error_curves(bona_fide_scores, attack_scores, "worst")
    at = int(np.argmax(np.round(apcer, 12) <= max_apcer))  # At infinity it is 0.
    return float(thresholds[at]), float(bpcer[at])


def apcer_at_bpcer(
    bona_fide_scores: Shaped[np.ndarray, "..."],
    attack_scores: Mapping[str, Shaped[np.ndarray, "..."]],
    max_bpcer: float,
) -> tuple[float, float]:
    """The highest threshold at which BPCER is not more, and the APCER of the worst species there.

    Args:
        bona_fide_scores: (n,), higher is bona fide.
        attack_scores: By PAI species.
        max_bpcer: 0..1.

    Returns:
        Threshold and APCER.

    Raises:
        InputError: scores that are none, or no such rate.
    """
    _require_rate(max_bpcer, "BPCER")
    thresholds, apcer, bpcer = error_curves(bona_fide_scores, attack_scores, "worst")
    # At the lowest score it is 0.
    at = int(np.flatnonzero(np.round(bpcer, 12) <= max_bpcer)[-1])
    return float(thresholds[at]), float(apcer[at])


def _require_rate(rate: float, name: str) -> None:
    """Refuse what is no rate.

    Raises:
        InputError: not within 0..1.
    """
    if not 0 <= rate <= 1:
        raise InputError(f"expected a {name} of 0 to 1 (1 % is 0.01), got {rate}")
