"""Region Proposal Stage (RPS): learned offsets move the anchors, a sampler cuts the patches.

Paper 3.2 and Eq. 2: a 7x7 depthwise and a 1x1 pointwise convolution on F give K x 2 numbers, which
become the translations of affine maps with the fixed scale s_x = s_y = 0.25.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vivant.geometry.grid import CENTRE_LIMIT, PATCH_SCALE
from vivant.networks.anchors import Anchors
from vivant.networks.config import AamConfig

__all__ = ["RegionProposal", "clamp_one_sided", "sample_patches", "sampling_grid"]

# Axes: m frames, k patches, c channels of the feature map.

MAX_OFFSET = 2 * PATCH_SCALE
"""|delta| at most: a cell's side, 56 pixels of a 224 crop, whatever the grid (decision D11)."""


class RegionProposal(nn.Module):
    """Where to look: anchor + offset, inside the crop.

    Args:
        num_channels: c, channels of the backbone's feature map.
        config: The grid, K, and which outputs move which anchor.
        map_side: Of F, which the depthwise convolution covers whole: 7 in the paper.
    """

    def __init__(self, num_channels: int, config: AamConfig, map_side: int = 7) -> None:
        super().__init__()
        self.per_cell = config.offset_slots == "per_cell"
        num_pairs = config.grid_side**2 if self.per_cell else config.num_patches
        self.depthwise = nn.Conv2d(
            num_channels, num_channels, map_side, groups=num_channels, bias=False
        )
        self.pointwise = nn.Conv2d(num_channels, 2 * num_pairs, 1, bias=False)
        # Offsets start at zero: step 0 looks at the anchors themselves (decision D11).
        nn.init.zeros_(self.pointwise.weight)

    def forward(
        self, features: Float[Tensor, "m c map map"], anchors: Anchors
    ) -> Float[Tensor, "m k 2"]:
        """Centres (t_x, t_y) of the patches, each within [-0.75, 0.75].

        Args:
            features: F of each frame.
            anchors: The chosen cells of each frame. They are constants.
        """
        offsets = self.to_offsets(self.pointwise(self.depthwise(features)))  # (m, pairs, 2)
        if self.per_cell:
            offsets = anchors.one_hot @ offsets  # (m, k, 2)
        return clamp_one_sided(anchors.centres + offsets, CENTRE_LIMIT)

    @staticmethod
    def to_offsets(pairs: Float[Tensor, "m numbers 1 1"]) -> Float[Tensor, "m pairs 2"]:
        """The offsets, 0.5 tanh(o) (decision D11), of what the pointwise convolution gives."""
        offsets: Tensor = MAX_OFFSET * pairs.flatten(1).unflatten(1, (-1, 2)).tanh()
        return offsets


class _OneSidedClamp(torch.autograd.Function):
    """Forward: clamp. Backward: no gradient that would push a value further out of its bounds."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, limit: float) -> Tensor:
        ctx.save_for_backward(values)
        ctx.limit = limit
        return values.clamp(-limit, limit)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (values,) = ctx.saved_tensors
        # Descent moves a value against its gradient.
        outwards = ((values >= ctx.limit) & (gradient < 0)) | (
            (values <= -ctx.limit) & (gradient > 0)
        )
        return gradient.masked_fill(outwards, 0), None


def clamp_one_sided(values: Float[Tensor, "*shape"], limit: float) -> Float[Tensor, "*shape"]:
    """Values within [-limit, limit], with a gradient that leads back inside (decision D12).

    Twelve of the sixteen cells lie on the bound, where a plain clamp has no gradient and the
    offset would never learn; a straight-through one runs away.
    """
    if torch.is_grad_enabled() and values.requires_grad:
        clamped: Tensor = _OneSidedClamp.apply(values, limit)  # type: ignore[no-untyped-call]
        return clamped
    return values.clamp(-limit, limit)


def sampling_grid(centres: Float[Tensor, "m k 2"], side: int) -> Float[Tensor, "m k side side 2"]:
    """Where a patch's pixels lie in the image: Eq. 2, M = [[0.25, 0, t_x], [0, 0.25, t_y]].

    The same as `affine_grid` of such matrices with `align_corners=False`, without their products.

    Args:
        centres: (t_x, t_y) of the patches.
        side: Of a patch, in pixels.

    Returns:
        (x, y), -1 at the left and upper edge of the image, +1 at the others.
    """
    steps = torch.arange(side, dtype=centres.dtype, device=centres.device)
    steps = PATCH_SCALE * ((2 * steps + 1) / side - 1)  # (side,)
    x, y = (centres[:, :, axis, None] + steps for axis in (0, 1))  # (m, k, side)
    of_rows = x[:, :, None].expand(-1, -1, side, -1)
    return torch.stack([of_rows, y[..., None].expand(-1, -1, -1, side)], dim=4)


def sample_patches(
    images: Float[Tensor, "m channels side side"], centres: Float[Tensor, "m k 2"]
) -> Float[Tensor, "m k channels patch patch"]:
    """The patches at these centres, a quarter of the image a side, bilinear (Eq. 2).

    Differentiable in both arguments. At the centre of a cell it is that cell, pixel for pixel.

    Args:
        images: Crops, or depth maps.
        centres: (t_x, t_y) of the patches, within [-0.75, 0.75].
    """
    num_patches, side = centres.shape[1], images.shape[2] // 4
    grid = sampling_grid(centres, side).flatten(1, 2)  # (m, k*side, side, 2)
    patches = F.grid_sample(images, grid, "bilinear", "border", align_corners=False)
    pieces: Tensor = patches.unflatten(2, (num_patches, side)).transpose(1, 2)
    return pieces  # (m, k, channels, side, side)
