"""Error rates at a threshold. A presentation is accepted iff its bona fide score >= threshold."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from vivant.errors import InputError

__all__ = ["Rates", "apcer", "apcer_by_species", "bpcer", "checked", "checked_species", "rates"]


@dataclass(frozen=True, slots=True)
class Rates:
    """Error rates at one threshold, as shares 0..1."""

    threshold: float
    bpcer: float
    """Share of the bona fide presentations that are rejected."""
    apcer_by_species: Mapping[str, float]
    """Share of the attacks of each PAI species that are accepted."""

    @property
    def apcer(self) -> float:
        """That of the worst PAI species: pooling would let many easy attacks hide a hard one."""
        return max(self.apcer_by_species.values())

    @property
    def acer(self) -> float:
        """Mean of APCER and BPCER: the academic sets' number, which ISO/IEC 30107-3 dropped."""
        return (self.apcer + self.bpcer) / 2


def checked(scores: Shaped[np.ndarray, "..."], what: str) -> Float[np.ndarray, " n"]:
    """The scores as float64, once they are found to be scores.

    Args:
        scores: (n,), higher is bona fide.
        what: What to call them in the error.

    Raises:
        InputError: none, not a list, or one is not finite. An empty species has no rate: 0 would
            read as perfect.
    """
    values = np.asarray(scores)
    if values.ndim != 1 or values.dtype.kind not in "fiu":
        raise InputError(f"expected a list of numbers as {what}, got {values.dtype} {values.shape}")
    if not len(values):
        raise InputError(f"expected at least one score of {what}, got none: no rate can be given")
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).sum())
        raise InputError(
            f"expected finite scores of {what}, got {bad} of {len(values)} that are not"
        )
    return values.astype(np.float64)


def checked_species(
    attack_scores: Mapping[str, Shaped[np.ndarray, "..."]],
) -> dict[str, Float[np.ndarray, " _"]]:
    """The scores of each PAI species as float64, once they are found to be scores.

    Args:
        attack_scores: By PAI species, each (n,), higher is bona fide.

    Raises:
        InputError: no species, or one whose scores are none.
    """
    if not attack_scores:
        raise InputError("expected the scores of at least one PAI species, got none")
    return {
        species: checked(scores, f"the PAI species {species!r}")
        for species, scores in attack_scores.items()
    }


def apcer(attack_scores: Shaped[np.ndarray, "..."], threshold: float) -> float:
    """Attack presentation classification error rate of one PAI species: the share accepted.

    Args:
        attack_scores: (n,), higher is bona fide.
        threshold: Accepted from it on.

    Raises:
        InputError: no scores, or not finite.

    >>> apcer(np.array([0.1, 0.5, 0.7]), 0.5)
    0.6666666666666666
    """
    return float((checked(attack_scores, "attacks") >= threshold).mean())


def bpcer(bona_fide_scores: Shaped[np.ndarray, "..."], threshold: float) -> float:
    """Bona fide presentation classification error rate: the share rejected.

    Args:
        bona_fide_scores: (n,), higher is bona fide.
        threshold: Accepted from it on.

    Raises:
        InputError: no scores, or not finite.

    >>> bpcer(np.array([0.4, 0.5, 0.9, 0.9]), 0.5)
    0.25
    """
    return float((checked(bona_fide_scores, "bona fide presentations") < threshold).mean())


def apcer_by_species(
    attack_scores: Mapping[str, Shaped[np.ndarray, "..."]], threshold: float
) -> dict[str, float]:
    """APCER of each PAI species.

    Raises:
        InputError: no species, or one without scores.
    """
    return {
        species: float((scores >= threshold).mean())
        for species, scores in checked_species(attack_scores).items()
    }


def rates(
    bona_fide_scores: Shaped[np.ndarray, "..."],
    attack_scores: Mapping[str, Shaped[np.ndarray, "..."]],
    threshold: float,
) -> Rates:
    """All rates at a threshold.

    Args:
        bona_fide_scores: (n,), higher is bona fide.
        attack_scores: By PAI species.
        threshold: Accepted from it on; infinity accepts nothing.

    Raises:
        InputError: scores that are none, or a threshold that is not a number.
    """
    if np.isnan(threshold):
        raise InputError("expected a threshold, got NaN")
    return Rates(
        threshold, bpcer(bona_fide_scores, threshold), apcer_by_species(attack_scores, threshold)
    )
