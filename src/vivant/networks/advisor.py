"""The Advisor Module (AM): backbone -> GAP -> LSTM -> FC over the frames of a clip (paper 3.2).

It classifies the clip by itself, and its Grad-CAM tells the second module where to look. The LSTM
is written out, because the Grad-CAM in closed form needs the gates that an `nn.LSTM` hides.

With `levels`, a frame is described by several maps and not by the last alone, of one crop or of
two; and a linear head may stand in the LSTM's place (D46).
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vivant.errors import ConfigError
from vivant.geometry.grid import CROP_SIDE_PX, averaging_matrix
from vivant.networks.backbones.backbone import Backbone, build_backbone
from vivant.networks.config import MAX_PROJECTED, AdvisorConfig
from vivant.networks.precision import full_precision

__all__ = ["Advisor", "AdvisorOutput", "FramePart", "Lstm", "LstmTrace"]

# Axes: b clips, n frames, m frames of any clips, c channels of the feature map, h units of the
# LSTM, d numbers that describe a frame (c where there are no levels), p its parts.

_LEAST_VARIANCE = 1e-10  # A map that is the same everywhere has no gradient of its deviation.


class LstmTrace(NamedTuple):
    """What the LSTM did, kept for its vector-Jacobian product: each (b, n, h)."""

    input_gate: Tensor
    forget_gate: Tensor
    cell_gate: Tensor
    output_gate: Tensor
    previous_cell: Tensor
    """Cell state before the frame."""
    tanh_cell: Tensor
    """tanh of the cell state after the frame."""


class AdvisorOutput(NamedTuple):
    """What the Advisor says of a batch of clips."""

    features: Tensor
    """F, (b, n, c, map, map): the map before pooling (the paper's "behind the GAP" is a
    misprint)."""
    logits: Tensor
    """(b, 2) in the order of `Label`, with dropout in training."""
    readout: Tensor
    """(b, h): the hidden state that the classifier sees, before dropout; (b, d) of the frames
    head: the mean of the frames' descriptions."""
    trace: LstmTrace | None
    """For `GradCam`; None of the frames head."""


class FramePart(NamedTuple):
    """A stretch of the numbers that describe a frame."""

    is_context: bool
    """Whether it describes the wider crop."""
    level: int | None
    """Of the backbone's block; None for the last map."""
    statistic: str
    """`mean` or `deviation` of each channel over the positions."""
    start: int
    end: int


class Lstm(nn.Module):
    """One LSTM layer over the frames of a clip, unidirectional, that keeps its gates (D25).

    Args:
        num_channels: c, channels of the backbone's feature map.
        hidden_size: h.
    """

    def __init__(self, num_channels: int, hidden_size: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(num_channels, hidden_size)

    def forward(self, pooled: Float[Tensor, "b n c"]) -> tuple[Float[Tensor, "b n h"], LstmTrace]:
        """The hidden state after each frame, and the trace of the gates.

        Args:
            pooled: g, the mean of each frame's feature map.
        """
        from_frame = pooled @ self.cell.weight_ih.T + self.cell.bias_ih + self.cell.bias_hh
        hidden = torch.zeros_like(from_frame[:, 0, : self.cell.hidden_size])  # (b, h)
        cell = hidden
        states, steps = [], []
        for t in range(pooled.shape[1]):
            i, f, g, o = (from_frame[:, t] + hidden @ self.cell.weight_hh.T).chunk(4, dim=1)
            i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
            previous_cell, cell = cell, f * cell + i * g
            tanh_cell = cell.tanh()
            hidden = o * tanh_cell
            states.append(hidden)
            steps.append((i, f, g, o, previous_cell, tanh_cell))
        trace = LstmTrace(*(torch.stack(parts, dim=1) for parts in zip(*steps, strict=True)))
        return torch.stack(states, dim=1), trace


class Shrink(nn.Module):
    """Averages crops of 224 pixels down, by areas: two products with one matrix.

    Args:
        side_px: Of the result.
    """

    averaging: Tensor

    def __init__(self, side_px: int) -> None:
        super().__init__()
        pixels = torch.tensor(
            averaging_matrix(CROP_SIDE_PX, side_px), dtype=torch.get_default_dtype()
        )
        self.register_buffer("averaging", pixels, persistent=False)

    def forward(self, crops: Float[Tensor, "m 3 224 224"]) -> Float[Tensor, "m 3 side side"]:
        """The crops at the smaller size."""
        return self.averaging @ crops @ self.averaging.T


class Advisor(nn.Module):
    """The Advisor Module.

    Args:
        config: Its sizes; see `AdvisorConfig`.

    Raises:
        UnknownNameError: there is no backbone of that name.
        ConfigError: the backbone has no block of a level's number.
    """

    feature_mean: Tensor
    feature_deviation: Tensor

    def __init__(self, config: AdvisorConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = build_backbone(config.backbone)
        num_inputs = self.backbone.num_channels
        self.frame_parts = _frame_parts(config, self.backbone)
        if config.levels:
            size = self.frame_parts[-1].end
            self.register_buffer("feature_mean", torch.zeros(size))
            self.register_buffer("feature_deviation", torch.ones(size))
            num_inputs = min(size, MAX_PROJECTED)
            if config.head == "lstm":
                self.project = nn.Linear(size, num_inputs, bias=False)
        if config.head == "lstm":
            self.lstm = Lstm(num_inputs, config.hidden_size)
        num_read = config.hidden_size if config.head == "lstm" else self.frame_parts[-1].end
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(num_read, 2)
        if config.freeze_backbone:
            self.backbone.requires_grad_(False)
        if config.input_side_px != CROP_SIDE_PX:
            self.shrink = Shrink(config.input_side_px)

    def train(self, mode: bool = True) -> "Advisor":
        """As `nn.Module.train`; the statistics of a frozen backbone's norms stay as they are."""
        super().train(mode)
        if self.config.freeze_backbone:
            self.backbone.eval()
        return self

    def forward(
        self,
        crops: Float[Tensor, "b n 3 224 224"],
        context: Float[Tensor, "b n 3 160 160"] | None = None,
    ) -> AdvisorOutput:
        """Classify clips.

        Args:
            crops: RGB, normalised for the backbone, in the order of time.
            context: The wider crops, where the Advisor sees them.
        """
        wide = None if context is None else context.flatten(0, 1)
        features, described = self.describe(crops.flatten(0, 1), wide)
        axes = crops.shape[:2]
        described = None if described is None else described.unflatten(0, axes)
        return self.read(features.unflatten(0, axes), described)

    def describe(
        self,
        crops: Float[Tensor, "m 3 224 224"],
        context: Float[Tensor, "m 3 160 160"] | None = None,
    ) -> tuple[Float[Tensor, "m c map map"], Float[Tensor, "m d"] | None]:
        """What the backbone says of frames.

        Args:
            crops: RGB, normalised for the backbone.
            context: The wider crops, where the Advisor sees them.

        Returns:
            F, the last map of the crops; and the frames' descriptions, which are standardised (by
            mean and deviation of the training's frames), None without levels.
        """
        if self.config.input_side_px != CROP_SIDE_PX:
            crops = self.shrink(crops)
        if not self.config.levels:
            return self.backbone(crops).to(crops.dtype), None
        last, *maps = self.backbone(crops, self.config.levels)
        features = last.to(crops.dtype)
        maps.append(last)
        if context is not None:
            last, *of_context = self.backbone(context, self.config.levels)
            maps += [*of_context, last]
        with full_precision(crops.device):
            parts = []
            for each in maps:
                flat = each.to(crops.dtype).flatten(2)  # (m, channels, positions)
                parts += [flat.mean(2), (flat.var(2) + _LEAST_VARIANCE).sqrt()]
            description = torch.cat(parts, dim=1)  # (m, d)
            return features, (description - self.feature_mean) / self.feature_deviation

    def read(
        self,
        features: Float[Tensor, "b n c map map"],
        frame_features: Float[Tensor, "b n d"] | None = None,
    ) -> AdvisorOutput:
        """Classify clips whose frames the backbone has seen.

        Args:
            features: F of each frame, in the order of time.
            frame_features: Their descriptions, where the Advisor has levels.
        """
        with full_precision(features.device):
            described = features.mean((3, 4)) if frame_features is None else frame_features
            if self.config.head == "frames":
                # The mean of linear logits is the logit of the mean.
                readout, trace = described.mean(1), None  # (b, d)
            else:
                if self.config.levels:
                    described = self.project(described)
                hidden, trace = self.lstm(described)  # (b, n, h)
                readout = hidden[:, -1] if self.config.readout == "last" else hidden.mean(1)
            return AdvisorOutput(features, self.classifier(self.dropout(readout)), readout, trace)

    def embed(self, output: AdvisorOutput) -> Float[Tensor, "b numbers"]:
        """What tells clips apart, in few numbers: the LSTM's readout (b, h).

        Of the frames head, what each part of the description adds to the margin of bona fide over
        attack, (b, p): with the bias they sum to it.
        """
        if self.config.head == "lstm":
            return output.readout
        bona_fide_row, attack_row = self.classifier.weight
        added = output.readout * (bona_fide_row - attack_row)  # (b, d)
        return torch.stack([added[:, p.start : p.end].sum(1) for p in self.frame_parts], dim=1)

    @property
    def map_part(self) -> int:
        """Which of `frame_parts` the Grad-CAM covers: the mean of the crop's last map."""
        covered = [
            number
            for number, part in enumerate(self.frame_parts)
            if not part.is_context and part.level is None and part.statistic == "mean"
        ]
        return covered[0]


def _frame_parts(config: AdvisorConfig, backbone: Backbone) -> tuple[FramePart, ...]:
    """The parts of a frame's description, in their order.

    Raises:
        ConfigError: the backbone has no block of a level's number.
    """
    num_blocks = len(backbone.level_channels)
    if config.levels and config.levels[-1] >= num_blocks:
        raise ConfigError(
            f"expected levels below {num_blocks}, the blocks of {config.backbone}, got "
            f"{config.levels}"
        )
    parts: list[FramePart] = []
    statistics = ("mean", "deviation") if config.levels else ("mean",)
    end = 0
    for is_context in (False, True)[: 1 + config.context]:
        for level in (*config.levels, None):
            size = backbone.num_channels if level is None else backbone.level_channels[level]
            for statistic in statistics:
                parts.append(FramePart(is_context, level, statistic, end, end + size))
                end += size
    return tuple(parts)
