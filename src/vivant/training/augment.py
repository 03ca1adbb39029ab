"""Applies what was drawn, on the network's device: the same to all frames of a clip (D21).

The numbers are drawn with the order (`draws.py`) and not here: kornia's own random transforms draw
from torch's one generator for a whole batch, and then a run on two devices, or one that goes on
where it stopped, would see other pictures. Its operations are used.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from kornia.enhance import adjust_gamma
from kornia.geometry.bbox import bbox_to_mask
from kornia.geometry.transform import hflip
from torch import Tensor

from vivant.training.loader import Batch

__all__ = ["Augmented", "augment"]

# Axes: b clips, n frames of a clip, side pixels of a crop.


class Augmented(NamedTuple):
    """What a network is trained with."""

    crops: Tensor
    """(b, n, 3, side, side), RGB, normalised."""
    depth: Tensor
    """(b, n, 224, 224), 0..1."""
    validity: Tensor
    """(b, n, 224, 224): 1 where the depth is to be learned, 0 where it is unknown or covered."""
    context: Tensor | None = None
    """(b, n, 3, 160, 160), the wider crops, RGB, normalised; None where there are none."""


def augment(
    batch: Batch, mean_rgb: tuple[float, float, float], std_rgb: tuple[float, float, float]
) -> Augmented:
    """Mirror, shift colours, change gamma, erase, normalise.

    Erased pixels have the mean colour, and no depth loss (D16).

    Args:
        batch: From the loader.
        mean_rgb: Of the backbone, for values in 0..1.
        std_rgb: Of the backbone.
    """
    mean, std = (torch.tensor(each, device=batch.crops.device) for each in (mean_rgb, std_rgb))
    depth = batch.depth.float() / 255
    known = batch.has_depth[:, :, None, None].expand_as(depth).float()
    depth = _flipped(depth, batch.flips)
    crops = _coloured(batch, batch.crops, mean, std)
    crops = crops.masked_fill(_covered(batch.holes, crops.shape[-1])[:, None, None], 0)
    validity = known.masked_fill(_covered(batch.holes, depth.shape[-1])[:, None], 0)
    context = None if batch.context is None else _coloured(batch, batch.context, mean, std)
    return Augmented(crops, depth, validity, context)


def _coloured(batch: Batch, images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Mirrored, with other colours, and normalised: (b, n, 3, side, side)."""
    crops = _flipped(images.movedim(4, 2).float() / 255, batch.flips)
    if bool((batch.colours != 0).any()):
        crops = (crops + batch.colours[:, None, :, None, None]).clamp(0, 1)
    if bool((batch.gammas != 1).any()):
        crops = adjust_gamma(crops, batch.gammas)
    return (crops - mean[:, None, None]) / std[:, None, None]


def _flipped(images: Float[Tensor, "b n *rest"], flips: Tensor) -> Float[Tensor, "b n *rest"]:
    which = flips.reshape(-1, *[1] * (images.ndim - 1))
    return torch.where(which, hflip(images), images)


def _covered(holes: Float[Tensor, "b holes 4"], side: int) -> Tensor:
    """(b, side, side): whether a pixel's middle lies in a hole."""
    scaled = holes.flatten(0, 1) * side - 0.5  # (b*holes, 4): where pixel 0 has its middle at 0
    x0, y0, x1, y1 = scaled.unbind(1)
    corners = [torch.stack(pair, 1) for pair in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))]
    masks: Tensor = bbox_to_mask(torch.stack(corners, 1), side, side)  # (b*holes, side, side)
    covered: Tensor = masks.unflatten(0, holes.shape[:2]).any(1)
    return covered
