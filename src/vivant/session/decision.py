"""From scores and findings to one of three decisions. Doubt is NO_DECISION, never bona fide."""

import math
from collections.abc import Sequence

from vivant.errors import InputError
from vivant.networks.card import ModelCard, OperatingPoint
from vivant.records import Finding, Reason
from vivant.session.verdict import Decision

__all__ = ["decide", "doubts_about_model"]


def doubts_about_model(
    card: ModelCard, profile_point: OperatingPoint | None = None
) -> tuple[Finding, ...]:
    """Why no decision can rest on a model, whatever it is shown.

    Args:
        card: The model's.
        profile_point: That of a profile: then the card needs none.
    """
    if card.training is None:
        return (
            Finding(
                Reason.UNTRAINED_MODEL,
                f"the model {card.model} is UNTRAINED: its scores mean nothing",
            ),
        )
    if card.operating_point is None and profile_point is None:
        return (
            Finding(
                Reason.NO_OPERATING_POINT,
                f"the model {card.model} has no operating point: no threshold was ever set for it",
            ),
        )
    return ()


def decide(
    score: float | None,
    card: ModelCard,
    reasons: Sequence[Finding],
    profile_point: OperatingPoint | None = None,
) -> tuple[Decision, tuple[Finding, ...]]:
    """The decision, and the reasons where there is none.

    Args:
        score: Bona fide score of the presentation, 0..1; None where nothing could be scored. With
            a profile: calibrated by it.
        card: The model's, with its operating point: accept iff score >= threshold.
        reasons: What speaks against deciding.
        profile_point: That of a profile, which stands instead of the card's; None: no profile.

    Raises:
        InputError: a score that is none, or no score and nothing that says why.
    """
    every = (*reasons, *doubts_about_model(card, profile_point))
    if score is not None and not (math.isfinite(score) and 0 <= score <= 1):
        raise InputError(f"expected a score in 0..1, got {score}")
    if every:
        return Decision.NO_DECISION, every
    if score is None:
        raise InputError("expected a score, or a reason why there is none")
    point = profile_point or card.operating_point
    assert point is not None
    accepted = score >= point.threshold
    return (Decision.BONA_FIDE if accepted else Decision.ATTACK), ()
