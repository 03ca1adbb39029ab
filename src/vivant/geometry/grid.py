"""The grid of a face crop: cells, their centres, and the boxes of patches (paper 3.2).

A crop is square. A cell is a quarter of it a side, and a patch has the size of a cell, because
224 / 4 = 56 and s_x = s_y = 0.25 (paper 4.2). The paper's 4x4 cells lie side by side; those of the
7x7 grid have the same size and overlap by half (decision D43). Cells are numbered row by row:
0..15, or 0..48.

Positions are centres (t_x, t_y) as in the affine matrix of Eq. 2: -1 is the left or upper edge of
the crop, +1 the right or lower edge, so that one pixel of a 224 crop is 2/224
(`align_corners=False`).
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

__all__ = [
    "CENTRE_LIMIT",
    "CROP_SIDE_PX",
    "GRID_SIDE",
    "PATCH_SCALE",
    "PATCH_SIDE_PX",
    "STRIDE_PX",
    "averaging_matrix",
    "cell_centres",
    "centres_to_corners",
    "corners_to_centres",
    "pooling_numerators",
]

CROP_SIDE_PX = 224
"""Side of the crop that the backbone sees, in pixels (paper 4.2)."""

GRID_SIDE = 4
"""Cells along a side of the crop (paper 3.2: a 4x4 grid)."""

PATCH_SCALE = 1 / 4
"""s_x = s_y of Eq. 2: the side of a patch as a share of the crop's (paper 4.2)."""

PATCH_SIDE_PX = CROP_SIDE_PX // 4
"""Side of a patch in pixels of a 224 crop (paper 4.2)."""

STRIDE_PX = 32
"""Pixels of a crop for one position of the backbone's last map: 7x7 at 224, as in the paper."""

CENTRE_LIMIT = 1 - PATCH_SCALE
"""|t_x| and |t_y| may not exceed this, or the patch would leave the crop (decision D12)."""


def pooling_numerators(
    grid_side: int = GRID_SIDE, map_side: int = CROP_SIDE_PX // STRIDE_PX
) -> Int[np.ndarray, "grid map"]:
    """The map W from a Grad-CAM to the grid, times the sum of a row.

    The paper upsamples the Grad-CAM bilinearly to 224x224 and averages 56x56 cells. Both steps are
    linear and separable, so that together they are R = W S W^T with a matrix W of (grid, map).

    Args:
        grid_side: Cells along a side, 4 or 7 (decision D43).
        map_side: Of the Grad-CAM: 7 as in the paper, or what `AdvisorConfig.map_side` says.

    Returns:
        Integers, (grid_side, map_side). The rows have one sum: 56 for 4 cells of a map of 7, 224
        for 7 cells of it. Divide by that at the point of use, so that the weights have the
        precision of the map that they multiply.

    >>> pooling_numerators()[:2].tolist()
    [[32, 23, 1, 0, 0, 0, 0], [0, 9, 31, 16, 0, 0, 0]]
    """
    step_px, rest = divmod(CROP_SIDE_PX - PATCH_SIDE_PX, grid_side - 1)  # From cell to cell.
    assert rest == 0
    # Where each pixel's centre lies on the map, whose own pixels are `unit` apart.
    unit = 2 * CROP_SIDE_PX
    places = (map_side * (2 * np.arange(CROP_SIDE_PX) + 1) - unit // 2).clip(
        0, unit * (map_side - 1)
    )
    distances = np.abs(places[:, None] - unit * np.arange(map_side))  # (224, map)
    weights = (unit - distances).clip(min=0)
    starts = [step_px * cell for cell in range(grid_side)]
    sums = np.stack([weights[start : start + PATCH_SIDE_PX].sum(0) for start in starts])
    return np.asarray(sums // np.gcd.reduce(sums.ravel()))  # (grid_side, map_side)


def averaging_matrix(side_px: int, smaller_px: int) -> Float[np.ndarray, "smaller side"]:
    """The matrix A that averages areas: A I A^T is the image I at another size.

    It is what `cv2.resize` does with INTER_AREA, as two products of matrices, which every runtime
    computes alike.

    Args:
        side_px: Of the image.
        smaller_px: Of the result, at most as much.

    Returns:
        (smaller_px, side_px); each row sums to 1.

    >>> averaging_matrix(3, 2).round(3).tolist()
    [[0.667, 0.333, 0.0], [0.0, 0.333, 0.667]]
    """
    ends = np.arange(1, smaller_px + 1)[:, None] * side_px / smaller_px  # (smaller, 1)
    starts = np.arange(smaller_px)[:, None] * side_px / smaller_px
    pixels = np.arange(side_px)
    shared = np.minimum(ends, pixels + 1) - np.maximum(starts, pixels)  # (smaller, side)
    return np.asarray(shared.clip(min=0) * smaller_px / side_px)


def cell_centres(grid_side: int = GRID_SIDE) -> Float[np.ndarray, "cells 2"]:
    """Centres (t_x, t_y) of the cells, row by row.

    Args:
        grid_side: Cells along a side, 4 or 7 (decision D43).

    Returns:
        (grid_side**2, 2), evenly from (-0.75, -0.75) for cell 0 (upper left) to (0.75, 0.75) for
        the last (lower right).

    >>> cell_centres()[[0, 1, 15]].tolist()
    [[-0.75, -0.75], [-0.25, -0.75], [0.75, 0.75]]
    >>> cell_centres(7)[[0, 1, 48]].tolist()
    [[-0.75, -0.75], [-0.5, -0.75], [0.75, 0.75]]
    """
    positions = -CENTRE_LIMIT + 2 * CENTRE_LIMIT / (grid_side - 1) * np.arange(grid_side)
    rows, columns = np.meshgrid(positions, positions, indexing="ij")
    return np.stack([columns.ravel(), rows.ravel()], axis=1)


def centres_to_corners(centres: Any, side_px: int = CROP_SIDE_PX) -> tuple[Any, Any]:
    """Corners of the patches at these centres, in pixels of the crop.

    Plain arithmetic, so that it serves NumPy arrays and tensors alike.

    Args:
        centres: (..., 2), (t_x, t_y), each within [-0.75, 0.75].
        side_px: Side of the crop in whose pixels the corners are wanted.

    Returns:
        The upper left (x0, y0) and the lower right corner (x1, y1), each (..., 2).

    >>> centres_to_corners(cell_centres()[5])
    (array([56., 56.]), array([112., 112.]))
    """
    upper_left = (centres + (1 - PATCH_SCALE)) * (side_px / 2)
    return upper_left, upper_left + side_px * PATCH_SCALE


def corners_to_centres(upper_left: Any, side_px: int = CROP_SIDE_PX) -> Any:
    """Centres of the patches whose upper left corners these are: `centres_to_corners` undone.

    >>> corners_to_centres(np.array([56.0, 56.0])).tolist()
    [-0.25, -0.25]
    """
    return upper_left / (side_px / 2) - (1 - PATCH_SCALE)
