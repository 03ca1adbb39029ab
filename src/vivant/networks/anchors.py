"""Anchors: the K cells of the grid that the Advisor's Grad-CAM scores highest (paper 3.2)."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vivant.geometry.grid import cell_centres, pooling_numerators
from vivant.networks.config import AamConfig

__all__ = ["AnchorSelector", "Anchors", "grid_scores", "rank_cells"]

# Axes: m frames, k patches; g cells a side of the grid, all of them row by row.

RANK_LEVELS = 4096
"""Cell scores are compared after rounding to this many levels of the largest (decision D8)."""


class Anchors(NamedTuple):
    """The chosen cells of each frame."""

    one_hot: Tensor
    """(m, k, cells): 1 where slot k took the cell. `one_hot @ values` gathers what cells have."""
    cells: Tensor
    """(m, k) int64, 0..15, or 0..48 of the 7x7 grid."""
    centres: Tensor
    """(m, k, 2): (t_x, t_y) of the cells."""


class AnchorSelector(nn.Module):
    """Takes the K best cells of a Grad-CAM. It has no weights.

    Args:
        config: The grid, K, and the order of the slots.
        map_side: Of the Grad-CAM: 7 in the paper.
    """

    numerators: Tensor
    centres: Tensor

    def __init__(self, config: AamConfig, map_side: int = 7) -> None:
        super().__init__()
        self.num_patches = config.num_patches
        self.by_rank = config.offset_slots == "rank"
        dtype = torch.get_default_dtype()
        self.num_cells = config.grid_side**2
        numerators = pooling_numerators(config.grid_side, map_side)
        self.denominator = int(numerators[0].sum())
        constants = {"numerators": numerators, "centres": cell_centres(config.grid_side)}
        for name, values in constants.items():
            self.register_buffer(name, torch.tensor(values, dtype=dtype), persistent=False)

    @torch.no_grad()
    def forward(self, cam: Float[Tensor, "m map map"]) -> Anchors:
        """Choose.

        Args:
            cam: The weighted feature map before Eq. 4's ReLU. A map without a positive value is
                ranked as it is, because its rectified form would say nothing (decision D8).
        """
        rectified = cam.relu()
        empty = rectified.amax((1, 2), keepdim=True) == 0  # (m, 1, 1)
        pooling = self.numerators / self.denominator  # (g, map)
        rank = rank_cells(grid_scores(torch.where(empty, cam, rectified), pooling))  # (m, cells)
        chosen = rank < self.num_patches
        # Slots in the order of the cells, or of their rank (decision D10).
        slot = rank if self.by_rank else chosen.cumsum(1) - 1  # (m, cells)
        slots = torch.arange(self.num_patches, device=cam.device)[None, :, None]
        one_hot = (slot[:, None] == slots) & chosen[:, None]  # (m, k, cells)
        cells = (one_hot * torch.arange(self.num_cells, device=cam.device)).sum(2)  # (m, k)
        one_hot = one_hot.to(cam.dtype)
        return Anchors(one_hot, cells, one_hot @ self.centres)


def grid_scores(
    cam: Float[Tensor, "m map map"], pooling: Float[Tensor, "g map"]
) -> Float[Tensor, "m g g"]:
    """Mean Grad-CAM of each cell: R = W S W^T.

    The paper upsamples to 224x224 and averages 56x56 cells; both are linear, so this is the same
    without the large map.

    Args:
        cam: S, one map a frame.
        pooling: W (`geometry.grid.pooling_numerators`, each row divided by its sum).
    """
    return pooling @ cam @ pooling.T


def rank_cells(scores: Float[Tensor, "m g g"]) -> Int[Tensor, "m g*g"]:
    """Rank of each cell, 0 for the highest; equal scores rank by cell number (decision D8).

    Rounding breaks exact ties, and each runtime rounds and sorts in its own way, so that cells are
    compared on 4096 levels, pair by pair: rank_i = #{j: q_j > q_i} + #{j < i: q_j = q_i}.
    """
    flat = scores.flatten(1)  # (m, cells)
    largest = flat.abs().amax(1, keepdim=True)  # (m, 1)
    level = (RANK_LEVELS * flat / torch.where(largest > 0, largest, 1)).round()
    mine, other = level[:, :, None], level[:, None, :]  # (m, cells, 1), (m, 1, cells)
    num_cells = flat.shape[1]
    before = torch.ones(num_cells, num_cells, dtype=torch.bool, device=scores.device).tril(-1)
    return ((other > mine) | ((other == mine) & before)).sum(2)
