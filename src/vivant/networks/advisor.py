"""The Advisor Module (AM): backbone -> GAP -> LSTM -> FC over the frames of a clip (paper 3.2).

It classifies the clip by itself, and its Grad-CAM tells the second module where to look. The LSTM
is written out, because the Grad-CAM in closed form needs the gates that an `nn.LSTM` hides.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vivant.networks.backbones.backbone import build_backbone
from vivant.networks.config import AdvisorConfig
from vivant.networks.precision import full_precision

__all__ = ["Advisor", "AdvisorOutput", "Lstm", "LstmTrace"]

# Axes: b clips, n frames, c channels of the feature map, h units of the LSTM.


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
    """F, (b, n, c, 7, 7): the map before pooling (the paper's "behind the GAP" is a misprint)."""
    logits: Tensor
    """(b, 2) in the order of `Label`, with dropout in training."""
    readout: Tensor
    """(b, h): the hidden state that the classifier sees, before dropout."""
    trace: LstmTrace
    """For `GradCam`."""


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


class Advisor(nn.Module):
    """The Advisor Module.

    Args:
        config: Its sizes; see `AdvisorConfig`.
    """

    def __init__(self, config: AdvisorConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = build_backbone(config.backbone)
        self.lstm = Lstm(self.backbone.num_channels, config.hidden_size)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(config.hidden_size, 2)

    def forward(self, crops: Float[Tensor, "b n 3 224 224"]) -> AdvisorOutput:
        """Classify clips.

        Args:
            crops: RGB, normalised for the backbone, in the order of time.
        """
        features = self.backbone(crops.flatten(0, 1)).to(crops.dtype)  # (b*n, c, 7, 7)
        return self.read(features.unflatten(0, crops.shape[:2]))

    def read(self, features: Float[Tensor, "b n c 7 7"]) -> AdvisorOutput:
        """Classify clips whose frames the backbone has seen.

        Args:
            features: F of each frame, in the order of time.
        """
        with full_precision(features.device):
            hidden, trace = self.lstm(features.mean((3, 4)))  # (b, n, h)
            readout = hidden[:, -1] if self.config.readout == "last" else hidden.mean(1)  # (b, h)
            return AdvisorOutput(features, self.classifier(self.dropout(readout)), readout, trace)
