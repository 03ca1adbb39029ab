"""Penalties against drifting offsets: options, off by default as in the paper (D13)."""

import torch
from jaxtyping import Float
from torch import Tensor

from vivant.geometry.grid import PATCH_SCALE

__all__ = ["offset_penalty", "overlap_penalty"]

# Axes: m frames, k patches.

SIDE = 2 * PATCH_SCALE
"""Of a patch, in the coordinates of its centre."""


def offset_penalty(offsets: Float[Tensor, "m pairs 2"]) -> Float[Tensor, ""]:
    """The mean square of the offsets, in the coordinates of `geometry.grid`."""
    return offsets.square().mean()


def overlap_penalty(centres: Float[Tensor, "m k 2"]) -> Float[Tensor, ""]:
    """The mean share of a patch that another one covers, 0..1, over all pairs of a frame.

    0 with one patch, which has no other.

    >>> overlap_penalty(torch.tensor([[[0.25, 0.25], [0.25, 0.25]]])).item()
    1.0
    >>> overlap_penalty(torch.tensor([[[0.25, 0.25], [0.5, 0.25]]])).item()
    0.5
    """
    num_patches = centres.shape[1]
    if num_patches < 2:
        return centres.sum() * 0
    distance = (centres[:, :, None] - centres[:, None]).abs()  # (m, k, k, 2)
    shared = ((SIDE - distance).clamp(min=0) / SIDE).prod(3)  # (m, k, k)
    others = ~torch.eye(num_patches, dtype=torch.bool, device=centres.device)
    return shared[:, others].mean()
