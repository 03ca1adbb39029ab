"""Errors of a whole system: a matcher and the detection of attacks, both of which must accept."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Shaped

from vivant.errors import InputError
from vivant.metrics.rates import checked

__all__ = ["SystemRates", "non_response_rates", "system_rates"]


@dataclass(frozen=True, slots=True)
class SystemRates:
    """As shares 0..1."""

    frr: float
    """False rejection rate: bona fide mated presentations that either part rejects."""
    iapar_by_species: Mapping[str, float]
    """Impostor attack presentation accept rate: attacks that both accept (ISO/IEC 30107-3:2023)."""
    iapmr_by_species: Mapping[str, float]
    """What the matcher alone would accept: its older name is for systems without detection."""

    @property
    def iapar(self) -> float:
        """That of the worst PAI species."""
        return max(self.iapar_by_species.values())

    @property
    def riapar(self) -> float:
        """FRR + IAPAR of the worst PAI species: what both errors cost together, 0..2."""
        return self.frr + self.iapar


def system_rates(
    bona_fide: tuple[Shaped[np.ndarray, "..."], Shaped[np.ndarray, "..."]],
    attacks: Mapping[str, tuple[Shaped[np.ndarray, "..."], Shaped[np.ndarray, "..."]]],
    match_threshold: float,
    threshold: float,
) -> SystemRates:
    """Rates of the two together.

    Args:
        bona_fide: Match scores and bona fide scores of mated presentations, each (n,).
        attacks: The same of attacks on somebody's identity, by PAI species.
        match_threshold: Of the matcher; accepted from it on.
        threshold: Of the bona fide score; accepted from it on.

    Raises:
        InputError: scores that are none, or not as many of the one as of the other.
    """
    if np.isnan(match_threshold) or np.isnan(threshold):
        raise InputError("expected two thresholds, got NaN")
    if not attacks:
        raise InputError("expected the scores of at least one PAI species, got none")
    matched, detected = _accepted(bona_fide, match_threshold, threshold, "bona fide presentations")
    frr = 1 - float((matched & detected).mean())
    iapar, iapmr = {}, {}
    for name, pair in attacks.items():
        matched, detected = _accepted(pair, match_threshold, threshold, f"the PAI species {name!r}")
        iapar[name] = float((matched & detected).mean())
        iapmr[name] = float(matched.mean())
    return SystemRates(frr, iapar, iapmr)


def non_response_rates(no_answer: Mapping[str, tuple[int, int]]) -> dict[str, float]:
    """APNRR by PAI species, and BPNRR: presentations that got no score, such as those without face.

    Args:
        no_answer: For each species, and for bona fide: how many got none, of how many.

    Raises:
        InputError: no presentations, or more without an answer than there are.
    """
    for name, (missing, num) in no_answer.items():
        if num < 1 or not 0 <= missing <= num:
            raise InputError(f"expected 0 <= missing <= presentations, got {missing}/{num}: {name}")
    return {name: missing / num for name, (missing, num) in no_answer.items()}


def _accepted(
    pair: tuple[Shaped[np.ndarray, "..."], Shaped[np.ndarray, "..."]],
    match_threshold: float,
    threshold: float,
    what: str,
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """What the matcher accepts, and what the detection does.

    Raises:
        InputError: scores that are none, or of another number.
    """
    match, score = checked(pair[0], f"{what} (match)"), checked(pair[1], what)
    if len(match) != len(score):
        raise InputError(
            f"expected a match score for each score of {what}, got {len(match)} and {len(score)}"
        )
    return match >= match_threshold, score >= threshold
