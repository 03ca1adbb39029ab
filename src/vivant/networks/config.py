"""What a network is made of: one frozen record per part. Needs no torch, as cards do not.

Every default is the paper's value, or the decision of docs/paper.md where the paper is silent.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vivant.errors import ConfigError
from vivant.geometry.grid import CROP_SIDE_PX, STRIDE_PX

__all__ = [
    "CONTEXT_SIDE_PX",
    "AamConfig",
    "AdvisorConfig",
    "FusionMode",
    "NetworkConfig",
    "explain",
]

FusionMode = Literal["exp_add", "exp_mul", "mean", "am", "aam"]
"""How the two scores of a clip become one: see `fusion.py` (decision D30)."""


class _Part(BaseModel):
    """A frozen record that knows its fields: an unknown one is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


CONTEXT_SIDE_PX = 160
"""Side of the wider crop, which the backbone sees as it is."""

MAX_PROJECTED = 256
"""Numbers of a frame that an LSTM takes of a backbone with `levels`, at most."""


class AdvisorConfig(_Part):
    """The Advisor Module: backbone -> GAP -> LSTM -> FC (paper 3.2).

    `levels`, `head`, `input_side_px`, `context` and `freeze_backbone` go beyond the paper, whose
    models leave them off (D46).
    """

    backbone: str = "se_resnet101"
    """A function of `networks/backbones`."""
    freeze_backbone: bool = False
    """Whether the backbone and the statistics of its batch norms stay as they were loaded."""
    input_side_px: Literal[160, 224] = 224
    """Side of what the backbone sees. Crops of 224 are averaged down to 160."""
    levels: tuple[int, ...] = ()
    """Blocks of the backbone whose maps describe a frame beside the last map, counted from 0: of
    each of these maps the mean and the standard deviation over its positions. None: the mean of the
    last map alone, as in the paper."""
    context: bool = False
    """Whether the backbone sees a second, wider crop of each frame too, which shows what is around
    the face."""
    head: Literal["lstm", "frames"] = "lstm"
    """What reads the frames: an LSTM, as in the paper, or a linear layer on each frame, whose
    logits are averaged over the clip. The order of the frames then means nothing."""
    hidden_size: int = Field(256, ge=1, le=4096)
    """Units of the one LSTM layer (D25)."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """Share of the hidden state that is dropped before the classifier in training (D25)."""
    readout: Literal["last", "mean"] = "last"
    """Which hidden states feed the classifier: the last, or the mean over the frames (D7)."""
    cam_target: Literal["margin", "logit"] = "margin"
    """What the Grad-CAM explains: y_c - y_other, or y_c alone as Eq. 3 has it (D4)."""

    @model_validator(mode="after")
    def _fits_together(self) -> "AdvisorConfig":
        if list(self.levels) != sorted(set(self.levels)) or min(self.levels, default=0) < 0:
            raise ValueError(f"expected levels that ascend from 0, got {self.levels}")
        if not self.levels and (self.head == "frames" or self.context):
            raise ValueError(
                "head 'frames' and context need levels: the mean of the last map alone tells the "
                "classes apart too badly"
            )
        return self

    @property
    def map_side(self) -> int:
        """Side of the backbone's last map, and so of the Grad-CAM: 7 at 224 pixels, 5 at 160."""
        return self.input_side_px // STRIDE_PX


class AamConfig(_Part):
    """The Attended-Auxiliary Module: anchors, region proposal, execution (paper 3.2)."""

    grid_side: Literal[4, 7] = 4
    """Cells along a side of the crop, of which K become anchors: 4 as in the paper (3.2), or 7 of
    the same size, which overlap by half (D43)."""
    num_patches: int = Field(4, ge=1, le=49)
    """K, the patches of a frame (paper 4.2), at most one for each cell."""
    offset_slots: Literal["raster", "rank", "per_cell"] = "raster"
    """Which of the K output pairs moves which anchor: by cell order, by rank, or a pair for each
    cell, of which the chosen take theirs (D10)."""
    frames: Literal["all", "last", "middle"] = "all"
    """Which frames of a clip the module sees (D5)."""
    widths: tuple[int, int, int] = (32, 64, 96)
    """Channels of the stem, of a block's ends and of a block's middle (D26)."""
    lateral_fusion: Literal["add", "concat"] = "add"
    """How the three levels become z (D27)."""
    depth_side: Literal[7, 14, 28] = 14
    """Side of z and of a patch's depth map: 14 as in the paper (D15), or another level's (D43)."""
    depth_head: bool = True
    """Whether the patches' depth maps are estimated: False for Model C (paper 4.3)."""
    depth_to_class: bool = False
    """Whether the mean depth of the patches is one more feature of the classifier (D29)."""

    @model_validator(mode="after")
    def _fits_together(self) -> "AamConfig":
        if self.num_patches > self.grid_side**2:
            raise ValueError(
                f"expected num_patches of at most {self.grid_side**2}, the cells of the "
                f"{self.grid_side}x{self.grid_side} grid, got {self.num_patches}"
            )
        if self.depth_to_class and not self.depth_head:
            raise ValueError("depth_to_class needs depth_head: without it there is no depth")
        if min(self.widths) < 2 or max(self.widths) > 1024:
            raise ValueError(f"expected widths of 2 to 1024 channels, got {self.widths}")
        return self

    def frames_seen(self, num_frames: int) -> tuple[int, ...]:
        """Which of a clip's frames the module sees (D5).

        >>> AamConfig(frames="last").frames_seen(5), AamConfig(frames="middle").frames_seen(5)
        ((4,), (2,))
        """
        of_one = {"last": num_frames - 1, "middle": num_frames // 2}
        return tuple(range(num_frames)) if self.frames == "all" else (of_one[self.frames],)


class NetworkConfig(_Part):
    """A whole network. `networks/models.py` has those of the paper, by name."""

    advisor: AdvisorConfig = AdvisorConfig()
    aam: AamConfig | None = AamConfig()
    """None for the Advisor Module alone (Model B)."""
    fusion: FusionMode = "exp_add"
    """How the two modules' scores become the clip's (D30)."""
    num_frames: int = Field(5, ge=1, le=64)
    """N, the frames of a clip (paper 4.2)."""
    crop_side_px: int = CROP_SIDE_PX
    """Side of the crops given: 224, or 448 or 672 for patches of higher resolution (D36). The
    advisor sees `input_side_px` in any case."""

    @model_validator(mode="after")
    def _fits_together(self) -> "NetworkConfig":
        if self.crop_side_px not in (CROP_SIDE_PX, 2 * CROP_SIDE_PX, 3 * CROP_SIDE_PX):
            raise ValueError(f"expected crop_side_px 224, 448 or 672, got {self.crop_side_px}")
        if self.aam is None and self.fusion != "am":
            raise ValueError(
                f"fusion {self.fusion!r} needs the Attended-Auxiliary Module, and aam is None: "
                "use fusion 'am'"
            )
        if self.aam is None and self.crop_side_px != CROP_SIDE_PX:
            raise ValueError("larger crops serve the patches only, and aam is None: use 224")
        return self


def explain(error: ValidationError) -> ConfigError:
    """The findings of Pydantic, all at once, each with its path, in one error of ours."""
    lines = [
        f"{'.'.join(str(part) for part in found['loc']) or 'configuration'}: "
        f"{found['msg']}, got {found['input']!r:.120}"
        for found in error.errors()
    ]
    return ConfigError("; ".join(lines))
