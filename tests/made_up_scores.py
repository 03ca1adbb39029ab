"""Scores of presentations that were never filmed, and a profile for the made-up network."""

from collections.abc import Sequence

import numpy as np

from vivant.evaluation.scored import ScoredClip, ScoredPresentation
from vivant.records import Label, Presentation, Split
from vivant.session.calibration import Platt
from vivant.session.doubts import CountedShare, LimitCost, OutOfDistribution, WindowsDisagree
from vivant.session.profile import (
    CalibrationQuality,
    FittedPoint,
    PointRates,
    Profile,
    ScoreQuality,
)

SPECIES = ("print", "replay")


def scored(
    name: str,
    scores: float | Sequence[float],
    *,
    pai: str | None = None,
    subject: str | None = None,
    split: Split = Split.DEV,
    embeddings: np.ndarray | None = None,
    has_aam: bool = True,
    reasons: tuple[str, ...] = (),
) -> ScoredPresentation:
    """One presentation, with a clip for each of its scores."""
    of_clips = [scores] if isinstance(scores, float) else list(scores)
    if embeddings is None:
        embeddings = np.zeros((len(of_clips), 3))
    clips = []
    for score, embedding in zip(of_clips, embeddings, strict=True):
        at = embedding.astype(np.float32)
        fused = at if has_aam else None
        clips.append(ScoredClip(score, score, score if has_aam else None, None, at, fused, fused))
    label = Label.BONA_FIDE if pai is None else Label.ATTACK
    return ScoredPresentation(Presentation(name, label, pai, subject), split, tuple(clips), reasons)


def side(
    random: np.random.Generator,
    *,
    num_subjects: int = 10,
    each: int = 4,
    split: Split = Split.DEV,
    has_subjects: bool = True,
    shift: float = 1.5,
    size: int = 3,
) -> list[ScoredPresentation]:
    """A side whose subjects have as many bona fide presentations as attacks of each species.

    The scores' logits are normal about shift and -shift, four clips each; embeddings of bona fide
    clips are standard normal, prints lie 1 away, replays 6.
    """
    rows = []
    for subject in range(num_subjects):
        name = f"{split}-{subject}" if has_subjects else None
        for kind, away in ((None, 0.0), ("print", 1.0), ("replay", 6.0)):
            for number in range(each):
                middle = random.normal(shift if kind is None else -shift, 1.0)
                scores = 1 / (1 + np.exp(-(middle + random.normal(0, 0.2, 4))))
                embeddings = random.normal(0, 1, (4, size)) + away * np.eye(size)[0]
                rows.append(
                    scored(
                        f"{split}/{subject}/{kind}/{number}",
                        [float(score) for score in scores],
                        pai=kind,
                        subject=name,
                        split=split,
                        embeddings=embeddings,
                    )
                )
    return rows


def share(count: int = 1, num: int = 100) -> CountedShare:
    return CountedShare(
        share=count / num, count=count, num=num, wilson_95=(0.0, 1.0), subject_bootstrap_95=None
    )


def cost() -> LimitCost:
    return LimitCost(
        bona_fide=share(), attacks={"print": share(50)}, accepted_attacks={"print": None}
    )


def distance_limit(limit: float = 3.0, size: int = 16) -> OutOfDistribution:
    """The distance to the origin, in the space of the made-up network's embeddings."""
    return OutOfDistribution(
        embedding="advisor_embedding",
        mean=(0.0,) * size,
        whitening=tuple((0.0,) * at + (1.0,) for at in range(size)),
        limit=limit,
        dev=cost(),
        test=None,
    )


def made_up_profile(**changes: object) -> Profile:
    """For the card of `made_up`: accepted from a raw score of 0.8 on, which becomes 0.5."""
    quality = ScoreQuality(brier=0.1, negative_log_likelihood=0.3, expected_calibration_error=0.05)
    rates = PointRates(bpcer=share(), apcer={"print": share(2)})
    fields: dict[str, object] = {
        "profile_format": 1,
        "model": "made_up",
        "weights_sha256": "0" * 64,
        "data": "made-up:1 dev",
        "is_synthetic": False,
        "num_windows": 4,
        "num_folds": 5,
        "folds_by": "subject",
        "calibration": Platt(kind="platt", slope=1.0, intercept=-float(np.log(4))),
        "quality": CalibrationQuality(before=quality, after=quality, tried={"none": 0.3}),
        "operating_point": FittedPoint(
            threshold=0.5,
            threshold_95=(0.4, None),
            rule="dev-bpcer=1%",
            dev=rates,
            held_out=rates,
            test=None,
        ),
        "max_cost": 0.01,
        "out_of_distribution": distance_limit(),
        "windows_disagree": WindowsDisagree(limit=0.3, dev=cost(), test=None),
        "notes": ("dev has 100 bona fide presentations",),
        "versions": {},
    }
    return Profile(**(fields | changes))
