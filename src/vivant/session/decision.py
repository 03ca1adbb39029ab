"""From scores and findings to one of three decisions. Doubt is NO_DECISION, never bona fide."""

import math
from collections.abc import Sequence

from vivant.errors import InputError
from vivant.networks.card import ModelCard
from vivant.records import Finding, Reason
from vivant.session.verdict import Decision

__all__ = ["decide", "doubts_about_model"]


def doubts_about_model(card: ModelCard) -> tuple[Finding, ...]:
    """Why no decision can rest on a model, whatever it is shown.

    Args:
        card: The model's.
    """
    if card.training is None:
        return (
            Finding(
                Reason.UNTRAINED_MODEL,
                f"the model {card.model} is UNTRAINED: its scores mean nothing",
            ),
        )
    if card.operating_point is None:
        return (
            Finding(
                Reason.NO_OPERATING_POINT,
                f"the model {card.model} has no operating point: no threshold was ever set for it",
            ),
        )
    return ()


def decide(
    score: float | None, card: ModelCard, reasons: Sequence[Finding]
) -> tuple[Decision, tuple[Finding, ...]]:
    """The decision, and the reasons where there is none.

    Args:
        score: Bona fide score of the presentation, 0..1; None where nothing could be scored.
        card: The model's, with its operating point: accept iff score >= threshold.
        reasons: What speaks against deciding.

    Raises:
        InputError: a score that is none, or no score and nothing that says why.
    """
    every = (*reasons, *doubts_about_model(card))
    if score is not None and not (math.isfinite(score) and 0 <= score <= 1):
        raise InputError(f"expected a score in 0..1, got {score}")
    if every:
        return Decision.NO_DECISION, every
    if score is None:
        raise InputError("expected a score, or a reason why there is none")
    assert card.operating_point is not None
    accepted = score >= card.operating_point.threshold
    return (Decision.BONA_FIDE if accepted else Decision.ATTACK), ()
