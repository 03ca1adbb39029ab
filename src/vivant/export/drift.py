"""How far lower precision moves the answers, and what is too far: part of every such export."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from jaxtyping import Float

from vivant.errors import ParityError
from vivant.export.judged_clips import JudgedClips
from vivant.metrics.curves import auc
from vivant.metrics.thresholds import eer_threshold
from vivant.networks.card import ModelCard
from vivant.records import Scores
from vivant.runtimes.runner import Runner

__all__ = ["DriftReport", "judge_drift", "refuse", "run_all", "scores_stand", "too_far"]

MIN_ANCHOR_AGREEMENT = 0.95
"""Share of frames with the same anchor set."""
MAX_FLIPS = 0.01
"""Share of clips whose decision changes."""
MAX_AUC_LOSS = 0.005

_NUM_TIMED = 5


@dataclass(frozen=True, slots=True)
class DriftReport:
    """A candidate beside float32, on clips that no calibration saw."""

    runtime: str
    """What ran the candidate, with its precision."""
    num_clips: int
    mean_difference: float
    """Of the bona fide scores, absolute."""
    max_difference: float
    threshold: float
    threshold_from: str
    flips: float
    """Share of clips on the other side of the threshold."""
    anchor_agreement: float | None
    """Share of frames with the same anchor set; None without the second module."""
    auc_before: float
    auc_after: float
    times_as_fast: float
    """As the same runtime in float32, one clip at a time, in one run."""


def judge_drift(
    reference: Scores, float_runner: Runner, candidate: Runner, clips: JudgedClips
) -> DriftReport:
    """Compare.

    Args:
        reference: float32's answer to the judged clips.
        float_runner: The candidate's runtime in float32: for the speed.
        candidate: What is judged.
        clips: The clips.
    """
    answer = run_all(candidate, *clips.judged)
    before, after = reference.bona_fide_score, answer.bona_fide_score
    threshold, origin = _threshold(candidate.card, before, clips)
    agreement = None
    if reference.anchors is not None:
        assert answer.anchors is not None
        same = np.sort(reference.anchors) == np.sort(answer.anchors)
        agreement = float(same.all(2).mean())
    slow, fast = (
        _seconds(lambda r=runner: r.run(*(each[:1] for each in clips.judged)))  # type: ignore[misc]
        for runner in (float_runner, candidate)
    )
    differences = np.abs(before - after)
    return DriftReport(
        runtime=candidate.runtime,
        num_clips=len(before),
        mean_difference=float(differences.mean()),
        max_difference=float(differences.max()),
        threshold=threshold,
        threshold_from=origin,
        flips=float(((before >= threshold) != (after >= threshold)).mean()),
        anchor_agreement=agreement,
        auc_before=_auc(before, clips),
        auc_after=_auc(after, clips),
        times_as_fast=slow / fast,
    )


def too_far(report: DriftReport) -> list[str]:
    """What is out of bounds, in words; nothing where all is well."""
    found = []
    if report.anchor_agreement is not None and not report.anchor_agreement >= MIN_ANCHOR_AGREEMENT:
        found.append(
            f"the same anchors on {report.anchor_agreement:.1%} of frames, at least "
            f"{MIN_ANCHOR_AGREEMENT:.0%} are wanted"
        )
    return found + _on_decisions(report)


def scores_stand(report: DriftReport) -> bool:
    """Whether the operating point of float32 still holds."""
    return not _on_decisions(report)


def _on_decisions(report: DriftReport) -> list[str]:
    found = []
    if not report.flips <= MAX_FLIPS:
        found.append(f"{report.flips:.1%} of decisions change, at most {MAX_FLIPS:.0%} may")
    if not report.auc_after >= report.auc_before - MAX_AUC_LOSS:
        found.append(
            f"AUC {report.auc_after:.4f} after {report.auc_before:.4f}, at most {MAX_AUC_LOSS:g} "
            "may be lost"
        )
    return found


def run_all(runner: Runner, *clips: np.ndarray, batch: int = 4) -> Scores:
    """Score many clips, some at a time.

    Args:
        runner: The network.
        clips: What `Runner.run` takes: the crops, and their wider ones where the model sees them.
        batch: Clips of a run.
    """
    parts = [
        runner.run(*(each[at : at + batch] for each in clips))
        for at in range(0, len(clips[0]), batch)
    ]
    fields: dict[str, Any] = {}
    for name in Scores.__dataclass_fields__:
        values = [getattr(part, name) for part in parts]
        fields[name] = None if values[0] is None else np.concatenate(values)
    return Scores(**fields)


def _threshold(
    card: ModelCard, scores: Float[np.ndarray, " b"], clips: JudgedClips
) -> tuple[float, str]:
    if card.operating_point is not None:
        return card.operating_point.threshold, f"the card's ({card.operating_point.rule})"
    bona_fide, attacks = scores[clips.is_bona_fide], scores[~clips.is_bona_fide]
    return eer_threshold(bona_fide, {"all": attacks})[0], "float32's equal error on these clips"


def _auc(scores: Float[np.ndarray, " b"], clips: JudgedClips) -> float:
    return auc(scores[clips.is_bona_fide], scores[~clips.is_bona_fide])


def _seconds(work: Callable[[], object]) -> float:
    work()
    times = []
    for _ in range(_NUM_TIMED):
        started_s = perf_counter()
        work()
        times.append(perf_counter() - started_s)
    return median(times)


def refuse(reports: list[DriftReport]) -> ParityError:
    """The error for a precision whose every variant goes too far."""
    lines = [f"{report.runtime}: {'; '.join(too_far(report))}" for report in reports]
    return ParityError(
        f"lower precision changes too much on {reports[0].num_clips} clips. {'. '.join(lines)}. "
        "Say --allow-drift to have it all the same"
    )
