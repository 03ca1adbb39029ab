"""What a runtime is: uint8 clips in, `Scores` out; and the same part by part."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Shaped

from vivant.errors import InputError, WeightsError
from vivant.networks.card import ModelCard, Precision
from vivant.networks.part_specs import join, output_fields
from vivant.records import Scores

__all__ = ["Runner", "check_clips", "label", "run_in_parts", "to_scores"]

_ROUNDING = 1e-5  # What float32 may add to a score of exactly 0 or 1.

# Axes: b clips, n frames of a clip, side pixels of a crop.


@runtime_checkable
class Runner(Protocol):
    """A network, ready to run. Safe to call from several threads."""

    card: ModelCard
    """What it runs."""
    runtime: str
    """What runs it, as verdicts say it: such as `onnx`, or `openvino bf16`."""

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

    def run_part(self, part: str, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one part of the network: see `networks.part_specs`.

        Args:
            part: Its name.
            given: Its inputs by name; others are not looked at.

        Raises:
            CardError: the file has no parts: it was exported by an older version.
        """
        ...


def run_in_parts(runner: Runner, clips: Shaped[np.ndarray, "..."]) -> Scores:
    """Score clips part by part: as `Runner.run`, which it may stand for."""
    check_clips(runner.card, clips)
    return to_scores(join(runner.run_part, clips, output_fields(runner.card.architecture)))


def label(runtime: str, precision: Precision) -> str:
    """The name of a runtime in verdicts: with the arithmetic, where it is not float32.

    >>> label("openvino", Precision(encode="bf16", execute="bf16"))
    'openvino bf16'
    """
    return runtime if precision == Precision() else f"{runtime} {precision}"


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


def to_scores(fields: Mapping[str, Float[np.ndarray, "..."]]) -> Scores:
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
