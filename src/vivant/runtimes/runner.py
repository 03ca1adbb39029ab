"""What a runtime is: uint8 clips in, `Scores` out."""

import dataclasses
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Shaped

from vivant.errors import InputError, WeightsError
from vivant.networks.card import ModelCard
from vivant.networks.config import NetworkConfig
from vivant.records import Scores

__all__ = ["Runner", "check_clips", "output_fields", "to_scores"]

_ROUNDING = 1e-5  # What float32 may add to a score of exactly 0 or 1.

# Axes: b clips, n frames of a clip, side pixels of a crop.


@runtime_checkable
class Runner(Protocol):
    """A network, ready to run. Safe to call from several threads."""

    card: ModelCard
    """What it runs."""

    def run(self, clips: Shaped[np.ndarray, "..."]) -> Scores:
        """Score clips.

        Args:
            clips: uint8, (b, n, side, side, 3), RGB crops, 0..255, the frames of each clip in the
                order of time.

        Raises:
            InputError: wrong shape or type.
            WeightsError: the network answered with a value that is not finite.
        """
        ...


def output_fields(architecture: NetworkConfig) -> tuple[str, ...]:
    """The fields of `Scores` that a network of this architecture has, in their order."""
    every = [field.name for field in dataclasses.fields(Scores)]
    of_advisor = [f.name for f in dataclasses.fields(Scores) if f.default is dataclasses.MISSING]
    if architecture.aam is None:
        return tuple(of_advisor)
    return tuple(name for name in every if name != "depth" or architecture.aam.depth_head)


def check_clips(card: ModelCard, clips: Shaped[np.ndarray, "..."]) -> None:
    """Refuse clips that the network cannot take.

    Raises:
        InputError: says what was expected and given.
    """
    num_frames, side = card.architecture.num_frames, card.preprocessing.crop_side_px
    if clips.dtype != np.uint8:
        raise InputError(f"expected uint8 crops in RGB, 0..255, got {clips.dtype}")
    if clips.ndim != 5 or clips.shape[1:] != (num_frames, side, side, 3) or not len(clips):
        raise InputError(
            f"expected clips of shape (clips, {num_frames}, {side}, {side}, 3), got {clips.shape}"
        )


def to_scores(fields: dict[str, Float[np.ndarray, "..."]]) -> Scores:
    """The record of a network's answer.

    Raises:
        WeightsError: a value is not finite, or a score not in 0..1. Such an answer must never
            reach a threshold.
    """
    for name, values in fields.items():
        if not np.isfinite(values).all():
            raise WeightsError(
                f"the network's {name} is not finite: its weights are damaged, or their precision "
                "is too low"
            )
    for name in ("bona_fide_score", "advisor_score", "aam_score"):
        values = fields.get(name, np.zeros(0))
        if (np.abs(values - 0.5) > 0.5 + _ROUNDING).any():
            raise WeightsError(f"expected {name} in 0..1, got {values.min():g} to {values.max():g}")
    return Scores(**fields)
