"""Doubts that a number of the development data puts a limit to: both turn a verdict into none.

OUT_OF_DISTRIBUTION: the clips are unlike all bona fide ones that the limit was fitted on.
WINDOWS_DISAGREE: the clips of one presentation do not say the same.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field, model_validator

from vivant.errors import InputError
from vivant.records import Finding, Reason

__all__ = [
    "CountedShare",
    "Interval",
    "LimitCost",
    "OutOfDistribution",
    "WindowsDisagree",
    "mean_distance",
]

Share = Annotated[float, Field(ge=0, le=1)]
Interval = tuple[Share, Share]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class CountedShare(_Entry):
    """A share of presentations, with what it takes to trust it."""

    share: Share
    count: int = Field(ge=0)
    """Those that it is about."""
    num: int = Field(ge=1)
    """Of how many."""
    wilson_95: Interval
    subject_bootstrap_95: Interval | None
    """None where subjects are not known or fewer than two, and where it is all or none."""


class LimitCost(_Entry):
    """What a limit does on one side of the data, among presentations that have a score."""

    bona_fide: CountedShare
    """Turned into no decision: what it costs."""
    attacks: Mapping[str, CountedShare]
    """By PAI species, turned into no decision."""
    accepted_attacks: Mapping[str, CountedShare | None]
    """The same of the attacks that the threshold accepts; None where it accepts none."""


class OutOfDistribution(_Entry):
    """How far a presentation may be from bona fide, in Mahalanobis distance (D42).

    The distance of a clip's embedding x is |W (x - mean)|, with W^T W the inverse of the
    covariance of bona fide clips; a presentation's is the mean over its clips, as its score is.
    """

    embedding: Literal["fused_feature", "advisor_embedding"]
    """Which: z, or the Advisor's where the model has no second module."""
    mean: Annotated[tuple[float, ...], Field(min_length=1)]
    """Of bona fide clips, (d,)."""
    whitening: tuple[tuple[float, ...], ...]
    """W, (d, d): row by row up to its diagonal, the rest is 0."""
    limit: float = Field(gt=0)
    """Further away is no decision; standard deviations, in d dimensions."""
    dev: LimitCost
    """Each presentation measured by a mean and W that its subject had no part in."""
    test: LimitCost | None
    """None where the scores have no test side."""

    @model_validator(mode="after")
    def _fits_together(self) -> "OutOfDistribution":
        lengths = [len(row) for row in self.whitening]
        if lengths != list(range(1, len(self.mean) + 1)):
            raise ValueError(
                f"expected a whitening of {len(self.mean)} rows of 1 to {len(self.mean)} numbers, "
                f"got {len(lengths)} rows"
            )
        return self

    def distance(self, embeddings: Sequence[Float[np.ndarray, " d"]]) -> float:
        """Of a presentation: the mean over its clips; >= 0, or not finite where a number is not.

        Args:
            embeddings: Of its clips.

        Raises:
            InputError: no clip, or an embedding of another length.
        """
        size = len(self.mean)
        if not embeddings or any(each.shape != (size,) for each in embeddings):
            shapes = sorted({each.shape for each in embeddings})
            raise InputError(
                f"expected embeddings of {size} numbers, got {shapes or 'none'}: the profile is "
                "for another model"
            )
        return mean_distance(np.stack(embeddings), np.array(self.mean), self._matrix())

    def doubt(self, embeddings: Sequence[Float[np.ndarray, " d"]]) -> Finding | None:
        """The finding, if the presentation is too far away; a distance that is none is too far.

        Args:
            embeddings: Of its clips.

        Raises:
            InputError: no clip, or an embedding of another length.
        """
        distance = self.distance(embeddings)
        if distance <= self.limit:  # Not where it is NaN.
            return None
        is_number = math.isfinite(distance)
        found = f"{distance:.1f}" if is_number else "no number"
        return Finding(
            Reason.OUT_OF_DISTRIBUTION,
            f"the distance to known bona fide clips is {found}, at most {self.limit:.1f} is "
            "judged: film again as usual, in even light, with nothing before the face",
            distance if is_number else None,
            self.limit,
        )

    def _matrix(self) -> Float[np.ndarray, "d d"]:
        matrix = np.zeros((len(self.mean),) * 2)
        for at, row in enumerate(self.whitening):
            matrix[at, : at + 1] = row
        return matrix


class WindowsDisagree(_Entry):
    """How far the raw scores of a presentation's windows may lie apart (D42)."""

    limit: float = Field(gt=0, le=1)
    """Largest less smallest score; further apart is no decision."""
    dev: LimitCost
    """Of the data that the limit was fitted on."""
    test: LimitCost | None
    """None where the scores have no test side."""

    def doubt(self, scores: Sequence[float]) -> Finding | None:
        """The finding, if they lie too far apart; a score that is no number is a doubt.

        Args:
            scores: Of the windows, raw, 0..1.

        Raises:
            InputError: no window.
        """
        if not scores:
            raise InputError("expected the score of a window, got none")
        # Of numbers that are not finite the largest and the smallest depend on their order.
        is_number = all(map(math.isfinite, scores))
        spread = max(scores) - min(scores) if is_number else math.nan
        if spread <= self.limit:
            return None
        found = f"{spread:.2f}" if is_number else "no number"
        return Finding(
            Reason.WINDOWS_DISAGREE,
            f"the scores of its clips lie {found} apart, at most {self.limit:.2f} is judged: film "
            "again, hold still, change nothing while filming",
            spread if is_number else None,
            self.limit,
        )


def mean_distance(
    embeddings: Float[np.ndarray, "clips d"],
    mean: Float[np.ndarray, " d"],
    whitening: Float[np.ndarray, "d d"],
) -> float:
    """The mean over a presentation's clips of |W (x - mean)|; not finite where a number is not.

    Args:
        embeddings: Of its clips.
        mean: Of bona fide clips.
        whitening: W: W^T W is the inverse of their covariance.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # The caller asks whether it is finite.
        moved = embeddings.astype(np.float64) - mean
        return float(np.sqrt(((moved @ whitening.T) ** 2).sum(-1)).mean())
