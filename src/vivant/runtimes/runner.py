"""What a runtime is: uint8 clips in, `Scores` out; and the same part by part."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Shaped

from vivant.errors import InputError, WeightsError
from vivant.networks.card import ModelCard, Precision
from vivant.networks.config import CONTEXT_SIDE_PX
from vivant.networks.part_specs import join, output_fields
from vivant.records import Scores

__all__ = ["Runner", "blank_clips", "check_clips", "label", "run_in_parts", "to_scores"]

_ROUNDING = 1e-5  # What float32 may add to a score of exactly 0 or 1.

# Axes: b clips, n frames of a clip, side pixels of a crop.


@runtime_checkable
class Runner(Protocol):
    """A network, ready to run. Safe to call from several threads."""

    card: ModelCard
    """What it runs."""
    runtime: str
    """What runs it, as verdicts say it: such as `onnx`, or `openvino bf16`."""

    def run(
        self, clips: Shaped[np.ndarray, "..."], context: Shaped[np.ndarray, "..."] | None = None
    ) -> Scores:
        """Score clips.

        Args:
            clips: uint8, (b, n, side, side, 3), RGB crops, 0..255, the frames of each clip in the
                order of time.
            context: The wider crops of the same frames, uint8, (b, n, 160, 160, 3), of a model
                that sees them (`card.preprocessing.context_scale`).

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


def run_in_parts(
    runner: Runner,
    clips: Shaped[np.ndarray, "..."],
    context: Shaped[np.ndarray, "..."] | None = None,
) -> Scores:
    """Score clips part by part: as `Runner.run`, which it may stand for."""
    check_clips(runner.card, clips, context)
    fields = output_fields(runner.card.architecture)
    return to_scores(join(runner.run_part, clips, fields, context))


def blank_clips(card: ModelCard, num_clips: int = 1) -> tuple[np.ndarray, ...]:
    """Black clips of the right shape, and their wider crops where the model sees them.

    They are what `Runner.run` takes: `runner.run(*blank_clips(runner.card))`.
    """
    sides = [card.preprocessing.crop_side_px]
    sides += [CONTEXT_SIDE_PX] * card.architecture.advisor.context
    axes = (num_clips, card.architecture.num_frames)
    return tuple(np.zeros((*axes, side, side, 3), np.uint8) for side in sides)


def label(runtime: str, precision: Precision) -> str:
    """The name of a runtime in verdicts: with the arithmetic, where it is not float32.

    >>> label("openvino", Precision(encode="bf16", execute="bf16"))
    'openvino bf16'
    """
    return runtime if precision == Precision() else f"{runtime} {precision}"


def check_clips(
    card: ModelCard,
    clips: Shaped[np.ndarray, "..."],
    context: Shaped[np.ndarray, "..."] | None = None,
) -> None:
    """Refuse clips that the network cannot take.

    Raises:
        InputError: says what was expected and given.
    """
    num_frames, side = card.architecture.num_frames, card.preprocessing.crop_side_px
    _require_shape("clips", clips, (num_frames, side, side, 3))
    if not card.architecture.advisor.context:
        if context is not None:
            raise InputError(f"{card.model} sees no wider crops (context), and some were given")
        return
    if context is None or len(context) != len(clips):
        given = "none" if context is None else str(len(context))
        raise InputError(
            f"{card.model} sees a second, wider crop of each frame: expected context for "
            f"{len(clips)} clips, got {given}"
        )
    _require_shape("context", context, (num_frames, CONTEXT_SIDE_PX, CONTEXT_SIDE_PX, 3))


def _require_shape(name: str, clips: np.ndarray, after_first: tuple[int, ...]) -> None:
    if clips.dtype != np.uint8:
        raise InputError(f"expected uint8 crops in RGB, 0..255, got {clips.dtype} ({name})")
    if clips.ndim != 5 or clips.shape[1:] != after_first or not len(clips):
        expected = ", ".join(map(str, after_first))
        raise InputError(f"expected {name} of shape (clips, {expected}), got {clips.shape}")


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
