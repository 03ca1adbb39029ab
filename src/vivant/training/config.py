"""What a training is: one frozen record per part, and how `--set part.field=value` changes one.

Every default is the paper's value, or the decision of docs/paper.md where the paper is silent.
"""

import json
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vivant.errors import ConfigError
from vivant.networks.config import NetworkConfig, explain
from vivant.networks.losses import LossConfig

__all__ = [
    "AugmentConfig",
    "DataConfig",
    "Experiment",
    "FitConfig",
    "OptimiserConfig",
    "StageConfig",
    "apply_settings",
]

STAGES = (1, 2, 3)

FRESH = "none"
"""`pretrained` for a backbone that starts from random weights, said in so many words."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class AugmentConfig(_Part):
    """What is drawn once per clip, the same for its frames and depth maps (D21)."""

    enabled: bool = True
    """False: crops are cut as a session cuts them, and nothing is changed."""
    scale_range: tuple[float, float] = (1.2, 1.5)
    """Side of the crop as a multiple of the face's longer side, uniform."""
    flip_share: float = Field(0.5, ge=0, le=1)
    """Share of the clips that are mirrored."""
    colour_shift: float = Field(40, ge=0, le=255)
    """Added to each channel, uniform in +- this, of 255."""
    gamma_range: tuple[float, float] = (0.5, 1.5)
    """Exponent of values in 0..1, uniform."""
    erase_share: float = Field(0.5, ge=0, le=1)
    """Share of the clips in which a rectangle is erased."""
    erase_area: tuple[float, float] = (0.01, 0.05)
    """Of that rectangle, as a share of the crop's."""
    cutout_px: int = Field(50, ge=0, le=224)
    """Longest side of the square that is cut out of every clip, of a crop of 224; 0: none."""
    shift: float = Field(0, ge=0, le=0.5)
    """How far the crop's middle may lie beside the face's, on each axis, as a share of the face's
    longer side, uniform."""
    recapture: bool = False
    """Whether attacks are made of the bona fide clips while they are read: each is shown on paper
    and on a screen and filmed again (`attacks.recapturing`). The store's own attacks are left
    out."""
    camera: float = Field(0, ge=0, le=1)
    """How strongly another camera is put before clips of both classes (`attacks.filming`); 0:
    none."""

    @model_validator(mode="after")
    def _ranges_ascend(self) -> "AugmentConfig":
        for name in ("scale_range", "gamma_range", "erase_area"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"expected {name} with 0 < low <= high, got {low}, {high}")
        return self


class DataConfig(_Part):
    """Which clips a step sees."""

    batch_clips: int = Field(8, ge=1)
    """Clips of an optimiser step, over all micro-batches and devices (D19)."""
    micro_batch_clips: int = Field(8, ge=1)
    """Clips that one device holds at once: fewer for small memory, the step stays the same."""
    clips_per_epoch: int | None = Field(None, ge=1)
    """None: as many as the train side has presentations."""
    sampler: Literal["balanced", "natural"] = "balanced"
    """Half bona fide, half attacks, those uniform over PAI species; or as the data has it (D20)."""
    dev_windows: int = Field(4, ge=1)
    """Windows of each presentation of the dev side (D24)."""
    num_workers: int = Field(1, ge=0)
    """Processes that read and decode, for each device; 0: the training's own."""

    @model_validator(mode="after")
    def _batches_divide(self) -> "DataConfig":
        if self.batch_clips % self.micro_batch_clips:
            raise ValueError(
                f"expected micro_batch_clips that divide batch_clips ({self.batch_clips}), got "
                f"{self.micro_batch_clips}"
            )
        return self


class FitConfig(_Part):
    """Stage 1 of a frames head on a frozen backbone: one convex fit instead of epochs.

    The views of the train side are drawn once and described once; then the head is a logistic
    regression, so strongly regularised that it cannot learn the simulation by heart (D47).
    """

    inverse_penalty: float = Field(3e-4, gt=0)
    """C of the logistic regression: the loss counts so much beside half the squared weights."""
    screens_per_print: float = Field(4, gt=0)
    """How much more attacks on screens count than those on paper."""
    most_per_set: int = Field(400, ge=1)
    """Frames of a set at most, evenly over its subjects."""
    held_out_bpcer: float = Field(0.05, gt=0, lt=1)
    """The card's operating point: the share of bona fide frames that it rejects of sets that the
    fit has not seen, each set counted alike."""


class OptimiserConfig(_Part):
    """How weights move."""

    name: Literal["adam", "adamw"] = "adam"
    """Adam as in CDCN (D19)."""
    weight_decay: float = Field(5e-5, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    """Learning rate within a stage (D19)."""
    region_proposal_rate: float = Field(0.1, gt=0)
    """Times the stage's learning rate, for the offsets: they drift easily (D13)."""
    clip_norm: float = Field(100, gt=0)
    """Longest gradient: the losses count ten times, so theirs are ten times as long as usual."""
    ema_decay: float | None = Field(None, gt=0, lt=1)
    """Of a moving average of the weights, which is then judged and kept; 0.999 is usual."""


class StageConfig(_Part):
    """One of the three stages (paper 4.2)."""

    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    loss: LossConfig
    """The lambdas of this stage (D17)."""
    cache_advisor: bool = False
    """Stage 2 alone: each clip is drawn and augmented once for the whole stage, so that the frozen
    Advisor sees it once."""
    offset_penalty: float = Field(0, ge=0)
    """Weight of the offsets' mean square, against drift (D13)."""
    overlap_penalty: float = Field(0, ge=0)
    """Weight of the mean share of a patch that another one of its frame covers (D13)."""


class Experiment(_Part):
    """A whole training: what a recipe returns, and what is written next to the weights."""

    model: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the model and of its files."""
    network: NetworkConfig
    pretrained: str | None = None
    """ImageNet weights of the backbone: a file, `hub:<owner>/<repository>`, `package`, or `none`.
    None: not chosen, and training asks."""
    data: DataConfig = DataConfig()
    augment: AugmentConfig = AugmentConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    fit: FitConfig | None = None
    """A convex fit in the place of stage 1."""
    stage1: StageConfig | None = StageConfig(
        epochs=10,
        learning_rate=5e-5,
        loss=LossConfig(depth_weight=0, advisor_weight=10, aam_weight=0),
    )
    stage2: StageConfig | None = StageConfig(
        epochs=10,
        learning_rate=5e-5,
        loss=LossConfig(depth_weight=0.5, advisor_weight=0, aam_weight=10),
    )
    stage3: StageConfig | None = StageConfig(
        epochs=6,
        learning_rate=5e-6,
        loss=LossConfig(depth_weight=0.5, advisor_weight=10, aam_weight=10),
    )
    seed: int = Field(0, ge=0)
    """Of weights, order, windows, augmentation and dropout."""
    precision: Literal["32", "bf16-mixed"] = "32"
    activation_checkpointing: bool = False
    """Recompute the backbone's blocks in the backward pass: less memory, a third more time."""
    checkpoint_steps: int = Field(50, ge=1)
    """Optimiser steps between two checkpoints; each epoch's end has one too."""

    @model_validator(mode="after")
    def _stages_fit_the_network(self) -> "Experiment":
        second = (self.stage2, self.stage3)
        if (self.network.aam is None) != (self.stage2 is None):
            raise ValueError("stage2 trains network.aam: set both of them, or none")
        if self.network.aam is None and self.stage3 is not None:
            raise ValueError("stage3 trains both modules, and network.aam is null: set it to null")
        if (self.stage1 is None) != (self.fit is not None):
            raise ValueError("stage1 or fit trains the Advisor: set one of them, the other is null")
        advisor = self.network.advisor
        if self.fit is not None and not (advisor.head == "frames" and advisor.freeze_backbone):
            raise ValueError(
                "fit needs network.advisor.head = frames and freeze_backbone = true: a fit in "
                "closed form is one of a linear head on features that stay"
            )
        if self.fit is not None and not self.augment.recapture:
            raise ValueError("fit makes its attacks: set augment.recapture to true")
        if self.fit is not None and self.stage3 is not None:
            raise ValueError("stage3 would train on what fit has fitted: set it to null")
        if self.stage1 and (self.stage1.loss.aam_weight or self.stage1.loss.depth_weight):
            raise ValueError("stage1 trains the Advisor alone: its aam_weight, depth_weight are 0")
        if self.stage2 is not None and self.stage2.loss.advisor_weight:
            raise ValueError("stage2 leaves the Advisor as it is: its advisor_weight is 0")
        if any(stage is not None and stage.cache_advisor for stage in (self.stage1, self.stage3)):
            raise ValueError("cache_advisor is for stage2: else the Advisor changes at every step")
        has_depth = self.network.aam is not None and self.network.aam.depth_head
        if not has_depth and any(stage is not None and stage.loss.depth_weight for stage in second):
            raise ValueError("depth_weight > 0 needs network.aam.depth_head: set it to 0")
        return self

    def stage(self, number: int) -> StageConfig | None:
        """Stage 1, 2 or 3; None where the network has no use for it."""
        found: StageConfig | None = getattr(self, f"stage{number}")
        return found


def apply_settings(experiment: Experiment, settings: Sequence[str]) -> Experiment:
    """Change fields of an experiment: what `--set` does.

    Args:
        experiment: From a recipe.
        settings: Such as `stage1.epochs=3`, `network.advisor.backbone=se_resnet18`. Values are
            JSON, or else taken as text.

    Raises:
        ConfigError: not of this form, no such field, or a value that does not fit; all at once.

    >>> from vivant.networks.models import lite
    >>> apply_settings(Experiment(model="lite", network=lite()), ["stage1.epochs=3"]).stage1.epochs
    3
    """
    content = experiment.model_dump(mode="json")
    for setting in settings:
        path, sign, text = setting.partition("=")
        if not sign or not path:
            raise ConfigError(f"expected part.field=value, got {setting!r}")
        try:
            value: Any = json.loads(text)
        except ValueError:
            value = text
        _put(content, path, value)
    try:
        return Experiment.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise explain(error) from error


def _put(content: dict[str, Any], path: str, value: Any) -> None:
    """Set an existing field.

    Raises:
        ConfigError: there is none of this path; says which there are.
    """
    holder: Any = content
    *parents, last = path.split(".")
    for depth, name in enumerate((*parents, last)):
        known = sorted(holder) if isinstance(holder, dict) else []
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f": did you mean {near[0]!r}?" if near else "."
            fields = f" Known there: {', '.join(known)}" if known else ""
            raise ConfigError(f"the configuration has no field {path!r}{hint}{fields}")
        if depth < len(parents):
            holder = holder[name]
    holder[last] = value
