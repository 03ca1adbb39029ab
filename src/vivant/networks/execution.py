"""Attended-Auxiliary Execution Stage (AAES): patches to depth maps and a class (paper 3.2, Fig. 2).

A small network, shared by all patches: three blocks of 3x3 convolutions, whose outputs at 28, 14
and 7 are brought to 14x14 and added (the bypass connections), and two heads on that sum z. The
paper gives the kernel sizes and the 14x14; the widths are decision D26, other sides D43.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vivant.geometry.grid import CROP_SIDE_PX
from vivant.networks.config import AamConfig

__all__ = ["Execution", "ExecutionOutput", "PatchOutput"]

# Axes: m frames, k patches, d pixels a side of z and of depth maps; widths s0, w, m of D26.


class PatchOutput(NamedTuple):
    """What the stage says of each patch by itself: nothing here depends on another patch."""

    embedding: Tensor
    """e_j, (patches, w)."""
    fused_feature: Tensor
    """z pooled over space, (patches, w) or (patches, 3w)."""
    depth: Tensor | None
    """(patches, d, d), about 0..1, not clamped; None without a depth head."""


class ExecutionOutput(NamedTuple):
    """What the stage says of each frame."""

    logits: Tensor
    """(m, 2) in the order of `Label`."""
    embedding: Tensor
    """e, (m, w): what the classifier sees, the mean over the patches (decision D28)."""
    fused_feature: Tensor
    """z, pooled over space and patches, (m, w) or (m, 3w): the feature of Figure 4."""
    depth: Tensor | None
    """(m, k, d, d), about 0..1, not clamped; None without a depth head."""


class Execution(nn.Module):
    """The stage.

    Args:
        config: Widths, heads, and the side of z.
        crop_side_px: Side of the crops that patches are cut from: 448 and 672 give patches of 112
            and 168, which one more pooling brings to 56.
    """

    def __init__(self, config: AamConfig, crop_side_px: int = CROP_SIDE_PX) -> None:
        super().__init__()
        stem, width, middle = config.widths
        self.extra_pooling = crop_side_px // CROP_SIDE_PX
        self.concat = config.lateral_fusion == "concat"
        self.side = config.depth_side
        self.depth_to_class = config.depth_to_class
        fused = 3 * width if self.concat else width
        self.stem = _conv_norm(3, stem)
        self.block1 = _block(stem, width, middle)
        self.block2 = _block(width, width, middle)
        self.block3 = _block(width, width, middle)
        self.laterals = nn.ModuleList(_conv_norm(width, width, side=1, act=False) for _ in range(3))
        self.depth_head = _depth_head(fused, width) if config.depth_head else None
        self.class_head = _conv_norm(fused, width)
        self.classifier = nn.Linear(width + config.depth_to_class, 2)

    def forward(self, patches: Float[Tensor, "m k 3 patch patch"]) -> ExecutionOutput:
        """Estimate depth and class.

        Args:
            patches: Pieces of the normalised crops, a quarter of a crop a side.
        """
        each = self.look(patches.flatten(0, 1))
        of_frames = (None if t is None else t.unflatten(0, patches.shape[:2]) for t in each)
        return self.conclude(PatchOutput(*of_frames))  # type: ignore[arg-type]

    def look(self, patches: Float[Tensor, "mk 3 patch patch"]) -> PatchOutput:
        """Each patch by itself: nearly all of the stage's arithmetic.

        Args:
            patches: As for `forward`, of any frames.
        """
        z = self.fuse_levels(patches)  # (m*k, fused, d, d)
        depth = None if self.depth_head is None else self.depth_head(z)[:, 0]
        return PatchOutput(self.class_head(z).mean((2, 3)), z.mean((2, 3)), depth)

    def conclude(self, each: PatchOutput) -> ExecutionOutput:
        """Join what was said of each frame's patches.

        Args:
            each: From `look`, with the axes (m, k, ...).
        """
        embedding = each.embedding.mean(1)  # (m, w)
        features = embedding
        if self.depth_to_class:
            assert each.depth is not None
            features = torch.cat([embedding, each.depth.mean((1, 2, 3))[:, None]], dim=1)
        pooled = each.fused_feature.mean(1)
        return ExecutionOutput(self.classifier(features), embedding, pooled, each.depth)

    def fuse_levels(
        self, patches: Float[Tensor, "mk 3 patch patch"]
    ) -> Float[Tensor, "mk fused d d"]:
        """z: low, middle and high level at one side, "channel-wise associated" (decision D27)."""
        stem = self.stem(patches)
        if self.extra_pooling > 1:
            stem = F.max_pool2d(stem, self.extra_pooling)  # (m*k, s0, 56, 56)
        low = self.block1(stem)  # (m*k, w, 28, 28)
        middle = self.block2(low)  # (m*k, w, 14, 14)
        high = self.block3(middle)  # (m*k, w, 7, 7)
        levels = [_resized(level, self.side) for level in (low, middle, high)]  # (m*k, w, d, d)
        fused = [lateral(level) for lateral, level in zip(self.laterals, levels, strict=True)]
        return (
            torch.cat(fused, dim=1).relu()
            if self.concat
            else (fused[0] + fused[1] + fused[2]).relu()
        )


def _resized(level: Float[Tensor, "mk w now now"], side: int) -> Float[Tensor, "mk w d d"]:
    """A level with this side: averaged down, or interpolated up, bilinear."""
    now = level.shape[-1]
    if now > side:
        return F.avg_pool2d(level, now // side)
    return level if now == side else F.interpolate(level, size=(side, side), mode="bilinear")


def _conv_norm(num_in: int, num_out: int, side: int = 3, *, act: bool = True) -> nn.Sequential:
    """Convolution, batch norm, ReLU: Figure 2's yellow and green blocks."""
    conv = nn.Conv2d(num_in, num_out, side, padding=side // 2, bias=False)
    layers: list[nn.Module] = [conv, nn.BatchNorm2d(num_out)]
    return nn.Sequential(*layers, nn.ReLU()) if act else nn.Sequential(*layers)


def _block(num_in: int, width: int, middle: int) -> nn.Sequential:
    """Three convolutions, narrow - wide - narrow, and a pooling that halves the side."""
    widths = (num_in, width, middle, width)
    convs = [_conv_norm(before, after) for before, after in pairwise(widths)]
    return nn.Sequential(*convs, nn.MaxPool2d(3, stride=2, padding=1))


def _depth_head(fused: int, width: int) -> nn.Sequential:
    """Linear output: a ReLU there can die on all-zero targets (D26)."""
    return nn.Sequential(
        _conv_norm(fused, width),
        _conv_norm(width, width // 2),
        nn.Conv2d(width // 2, 1, 3, padding=1),
    )
