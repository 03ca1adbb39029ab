"""Whether two runtimes answer alike: parity is part of every export."""

from dataclasses import dataclass

import numpy as np

from vivant.errors import ParityError
from vivant.records import Scores

__all__ = ["ParityReport", "check_parity", "compare"]

MAX_LOGIT_DIFFERENCE = 1e-3
"""Of the largest logit: what float32 may differ by."""
MIN_ANCHOR_AGREEMENT = 0.99
"""Share of frames with the same anchor set."""


@dataclass(frozen=True, slots=True)
class ParityReport:
    """How far a candidate's answer is from the reference's."""

    num_clips: int
    logit_difference: float
    """Largest difference of any logit, as a share of the largest logit of its module."""
    score_difference: float
    """Largest difference of the bona fide score."""
    anchor_agreement: float | None
    """Share of frames with the same anchor set; None without the second module."""


def compare(reference: Scores, candidate: Scores) -> ParityReport:
    """Compare two answers to the same clips.

    Where a frame's anchors differ, the second module saw other patches: its logits are compared on
    the frames with the same set only, and the share of those is told.
    """
    differences = [_relative(reference.advisor_logits, candidate.advisor_logits)]
    agreement = None
    if reference.anchors is not None:
        assert candidate.anchors is not None
        assert reference.aam_logits is not None
        assert candidate.aam_logits is not None
        same = (np.sort(reference.anchors) == np.sort(candidate.anchors)).all(2)  # (b, a)
        agreement = float(same.mean())
        if same.any():
            differences.append(_relative(reference.aam_logits[same], candidate.aam_logits[same]))
    scores = np.abs(reference.bona_fide_score - candidate.bona_fide_score)
    return ParityReport(len(scores), max(differences), float(scores.max()), agreement)


def check_parity(report: ParityReport) -> None:
    """Refuse a candidate that answers otherwise.

    Raises:
        ParityError: the logits differ by more than 1e-3, or less than 99 % of frames have the same
            anchor set.
    """
    if not report.logit_difference <= MAX_LOGIT_DIFFERENCE:  # NaN is refused too.
        raise ParityError(
            f"expected logits within {MAX_LOGIT_DIFFERENCE:g} of the reference's largest, got "
            f"{report.logit_difference:.2g} over {report.num_clips} clips"
        )
    if report.anchor_agreement is not None and report.anchor_agreement < MIN_ANCHOR_AGREEMENT:
        raise ParityError(
            f"expected the same anchors on {MIN_ANCHOR_AGREEMENT:.0%} of frames, got "
            f"{report.anchor_agreement:.1%} over {report.num_clips} clips"
        )


def _relative(reference: np.ndarray, candidate: np.ndarray) -> float:
    return float(np.abs(reference - candidate).max() / np.abs(reference).max())
