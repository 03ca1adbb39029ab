"""What a runtime is: uint8 clips in, `Scores` out."""

from typing import Protocol

import numpy as np
from jaxtyping import Float, Shaped

from vivant.errors import InputError, WeightsError
from vivant.networks.card import ModelCard
from vivant.records import Scores

__all__ = ["Runner", "check_clips", "to_scores"]

# Axes: b clips, n frames of a clip, side pixels of a crop.


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
        WeightsError: a value is not finite. Such an answer must never reach a threshold.
    """
    for name, values in fields.items():
        if not np.isfinite(values).all():
            raise WeightsError(
                f"the network's {name} is not finite: its weights are damaged, or their precision "
                "is too low"
            )
    return Scores(**fields)
