"""From a presentation's raw score to a calibrated one: four maps, none of which changes an order.

They are fitted by `evaluation/calibrating.py` and kept in a profile. Each takes one number, so that
the score that a threshold was found on and the score that meets it come out of the same arithmetic.
"""

import math
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from vivant.errors import InputError

__all__ = ["Calibration", "Identity", "Isotonic", "Platt", "Temperature", "logit"]

_SMALLEST = 1e-6
"""Nearer to 0 or 1 than that a score's logit says more of rounding than of the presentation."""
_ROUNDING = 1e-5
"""What float32 may add to a score of exactly 0 or 1."""

_RISE = 0.01

Slope = Annotated[float, Field(gt=0)]
"""Above 0: a map that falls would turn attacks into bona fide."""


def logit(score: float) -> float:
    """ln(s / (1 - s)), s kept within 1e-6 and 1 - 1e-6.

    Args:
        score: 0..1, higher is bona fide.

    Raises:
        InputError: not finite, or not within 0..1.

    >>> logit(0.5), round(logit(1.0), 4)
    (0.0, 13.8155)
    """
    inside = min(max(_checked(score), _SMALLEST), 1 - _SMALLEST)
    return math.log(inside / (1 - inside))


class _Map(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Identity(_Map):
    """The raw score: no map that was tried made it a better probability."""

    kind: Literal["none"]

    def apply(self, score: float) -> float:
        """The score.

        Args:
            score: 0..1, higher is bona fide.

        Raises:
            InputError: not finite, or not within 0..1.
        """
        return _checked(score)


class Temperature(_Map):
    """sigmoid(scale * logit(s)): 0.5 stays 0.5."""

    kind: Literal["temperature"]
    scale: Slope
    """1 / temperature: above 1 scores move away from 0.5, below towards it."""

    def apply(self, score: float) -> float:
        """The calibrated score, 0..1.

        Args:
            score: 0..1, higher is bona fide.

        Raises:
            InputError: not finite, or not within 0..1.

        >>> round(Temperature(kind="temperature", scale=2.0).apply(0.8), 6)
        0.941176
        """
        return _sigmoid(self.scale * logit(score))


class Platt(_Map):
    """sigmoid(slope * logit(s) + intercept) (Platt 1999)."""

    kind: Literal["platt"]
    slope: Slope
    intercept: float

    def apply(self, score: float) -> float:
        """The calibrated score, 0..1.

        Args:
            score: 0..1, higher is bona fide.

        Raises:
            InputError: not finite, or not within 0..1.

        >>> round(Platt(kind="platt", slope=2.0, intercept=-1.0).apply(0.8), 6)
        0.854779
        """
        return _sigmoid(self.slope * logit(score) + self.intercept)


class Isotonic(_Map):
    """Straight lines between points, level before the first and after the last, and a slight rise.

    The rise, a hundredth of the raw score, keeps scores apart that isotonic regression makes one: a
    threshold on a level part would be a threshold at its lower end.
    """

    kind: Literal["isotonic"]
    raw: tuple[Annotated[float, Field(ge=0, le=1)], ...]
    """Raw scores, ascending."""
    calibrated: tuple[Annotated[float, Field(gt=0, lt=1)], ...]
    """What each becomes, never falling."""

    @model_validator(mode="after")
    def _rises(self) -> "Isotonic":
        if not self.raw or len(self.raw) != len(self.calibrated):
            raise ValueError(
                f"expected a calibrated score for each raw one, got {len(self.calibrated)} for "
                f"{len(self.raw)}"
            )
        if any(after <= before for before, after in pairwise(self.raw)):
            raise ValueError("expected raw scores that ascend")
        if any(after < before for before, after in pairwise(self.calibrated)):
            raise ValueError("expected calibrated scores that never fall")
        return self

    def apply(self, score: float) -> float:
        """The calibrated score, 0..1.

        Args:
            score: 0..1, higher is bona fide.

        Raises:
            InputError: not finite, or not within 0..1.

        >>> points = {"raw": (0.2, 0.6), "calibrated": (0.1, 0.9)}
        >>> map_ = Isotonic(kind="isotonic", **points)
        >>> [round(map_.apply(score), 6) for score in (0.0, 0.4, 1.0)]
        [0.099, 0.499, 0.901]
        """
        inside = _checked(score)
        level = float(np.interp(inside, self.raw, self.calibrated))
        return (1 - _RISE) * level + _RISE * inside


Calibration = Annotated[Identity | Temperature | Platt | Isotonic, Field(discriminator="kind")]


def _checked(score: float) -> float:
    """The score within 0..1.

    Raises:
        InputError: not finite, or further outside than float32 rounds.
    """
    if not (math.isfinite(score) and -_ROUNDING <= score <= 1 + _ROUNDING):
        raise InputError(f"expected a score in 0..1, got {score}")
    return min(max(float(score), 0.0), 1.0)


def _sigmoid(value: float) -> float:
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    small = math.exp(value)
    return small / (1 + small)
