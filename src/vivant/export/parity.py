"""Whether two runtimes answer alike: parity is part of every export."""

from dataclasses import dataclass

import numpy as np

from vivant.errors import ParityError
from vivant.records import Scores

__all__ = ["ParityReport", "check_parity", "compare"]

MAX_DIFFERENCE = 1e-3
"""Of the largest value of a field; of 1 for scores: what float32 may differ by."""
MIN_ANCHOR_AGREEMENT = 0.99
"""Share of frames with the same anchor set."""


@dataclass(frozen=True, slots=True)
class ParityReport:
    """How far a candidate's answer is from the reference's."""

    num_clips: int
    logit_difference: float
    """Largest difference of any logit, as a share of the largest logit of its module."""
    patch_difference: float
    """Largest difference of a centre or a depth, as a share of the largest; 0 without patches."""
    score_difference: float
    """Largest difference of any score, of clips whose anchors all agree."""
    anchor_agreement: float | None
    """Share of frames with the same anchor set; None without the second module."""


def compare(reference: Scores, candidate: Scores) -> ParityReport:
    """Compare two answers to the same clips.

    Where a frame's anchors differ, the second module saw other patches: what follows from those is
    compared where they agree, and the share of that is told.
    """
    logits = [_relative(reference.advisor_logits, candidate.advisor_logits)]
    patches = [0.0]
    scores = [np.abs(reference.advisor_score - candidate.advisor_score).max()]
    whole = np.ones(len(reference.advisor_score), dtype=bool)  # clips with the same anchors
    agreement = None
    if reference.anchors is not None:
        assert candidate.anchors is not None
        same_set = (np.sort(reference.anchors) == np.sort(candidate.anchors)).all(2)  # (b, a)
        agreement = float(same_set.mean())
        same = (reference.anchors == candidate.anchors).all(2)  # (b, a), slot for slot
        whole = same.all(1)
        for name, differences in (("aam_logits", logits), ("centres", patches), ("depth", patches)):
            mine, theirs = getattr(reference, name), getattr(candidate, name)
            if mine is not None and same.any():
                differences.append(_relative(mine[same], theirs[same]))
    for name in ("bona_fide_score", "aam_score"):
        mine, theirs = getattr(reference, name), getattr(candidate, name)
        if mine is not None and whole.any():
            scores.append(np.abs(mine[whole] - theirs[whole]).max())
    # np.max and not max: a NaN anywhere must come through.
    return ParityReport(
        num_clips=len(whole),
        logit_difference=float(np.max(logits)),
        patch_difference=float(np.max(patches)),
        score_difference=float(np.max(scores)),
        anchor_agreement=agreement,
    )


def check_parity(report: ParityReport) -> None:
    """Refuse a candidate that answers otherwise.

    Raises:
        ParityError: logits, patches or scores differ by more than 1e-3 (a NaN does), or less than
            99 % of frames have the same anchor set.
    """
    differences = {
        "logits": report.logit_difference,
        "patches": report.patch_difference,
        "scores": report.score_difference,
    }
    for what, difference in differences.items():
        if not difference <= MAX_DIFFERENCE:  # Not `>`: NaN is refused too.
            raise ParityError(
                f"expected the same {what} within {MAX_DIFFERENCE:g}, got a difference of "
                f"{difference:.2g} over {report.num_clips} clips"
            )
    if report.anchor_agreement is not None and not report.anchor_agreement >= MIN_ANCHOR_AGREEMENT:
        raise ParityError(
            f"expected the same anchors on {MIN_ANCHOR_AGREEMENT:.0%} of frames, got "
            f"{report.anchor_agreement:.1%} over {report.num_clips} clips"
        )


def _relative(reference: np.ndarray, candidate: np.ndarray) -> float:
    """Largest difference as a share of the reference's largest value."""
    largest = np.abs(reference).max() or 1.0
    return float(np.abs(reference - candidate).max() / largest)
