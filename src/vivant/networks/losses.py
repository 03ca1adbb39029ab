"""The losses: J_D of the patches' depth maps, two cross-entropies (paper 3.2, Eq. 5 and 6)."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from vivant.errors import ConfigError, InputError
from vivant.networks.network import NetworkOutput
from vivant.networks.region_proposal import sample_patches
from vivant.records import Label

__all__ = ["LossConfig", "Losses", "depth_loss", "depth_targets", "total_loss"]

# Axes: b clips, a frames that the AAM sees, m = b * a images, k patches, d pixels a side of
# their depth maps.


class LossConfig(BaseModel):
    """Weights of the losses, and the norm of Eq. 5."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    depth_weight: float = Field(0.5, ge=0)
    """lambda_1, of J_D (paper 4.2)."""
    advisor_weight: float = Field(10, ge=0)
    """lambda_2, of J_AD (paper 4.2)."""
    aam_weight: float = Field(10, ge=0)
    """lambda_3, of J_AA (paper 4.2)."""
    depth_norm: Literal["mse", "l1", "literal", "contrastive"] = "mse"
    """What ||.||_1^2 of Eq. 5 is read as (D16): mean square, mean absolute, the printed square of
    the sum, or mean square plus that of the eight neighbour differences (CDCN)."""
    depth_scale: float = Field(1, gt=0)
    """J_D times this: its gradient in the trunk is small beside the cross-entropy's (D16)."""

    @model_validator(mode="after")
    def _trains_something(self) -> "LossConfig":
        if self.depth_weight == self.advisor_weight == self.aam_weight == 0:
            raise ValueError("expected at least one loss with a weight above 0, got none")
        return self


class Losses(NamedTuple):
    """The parts of a training step's loss, each before its weight; None where it has none."""

    total: Tensor
    depth: Tensor | None
    advisor: Tensor | None
    aam: Tensor | None


def total_loss(
    config: LossConfig,
    output: NetworkOutput,
    labels: Int[Tensor, " b"],
    depth_maps: Float[Tensor, "b a 224 224"] | None = None,
    depth_validity: Float[Tensor, "b a 224 224"] | None = None,
) -> Losses:
    """J = lambda_1 J_D + lambda_2 J_AD + lambda_3 J_AA (Eq. 6).

    A part with weight 0 is not computed.

    Args:
        config: The lambdas; each training stage has its own (decision D17).
        output: What the network said of the clips.
        labels: `Label` of each clip.
        depth_maps: D of Eq. 1 for the frames that the AAM sees (`Network.select_frames`): 0 far or
            outside the face, 1 nearest. Those of attacks are taken as zero.
        depth_validity: 1 where `depth_maps` is to be learned, 0 where it is unknown or covered.

    Raises:
        ConfigError: a loss has a weight, and the network lacks the part it would train.
        InputError: labels are neither 0 nor 1, or there are no depth maps for J_D.
    """
    if bool(((labels != 0) & (labels != 1)).any()):
        raise InputError(f"expected labels 0 (bona fide) or 1 (attack), got {labels.tolist()}")
    depth = advisor = aam = None
    if config.advisor_weight:
        advisor = F.cross_entropy(output.advisor_logits, labels)
    if config.aam_weight:
        if output.aam_logits is None:
            raise ConfigError("aam_weight > 0 needs the Attended-Auxiliary Module: set it to 0")
        # Each frame carries its clip's label; the mean is over all frames (D5).
        num_frames = output.aam_logits.shape[1]
        aam = F.cross_entropy(output.aam_logits.flatten(0, 1), labels.repeat_interleave(num_frames))
    if config.depth_weight:
        if output.depth is None or output.centres is None:
            raise ConfigError("depth_weight > 0 needs a depth head: set it to 0 (Models B and C)")
        if depth_maps is None:
            raise InputError(
                "expected depth maps for J_D, got none: give them, or set depth_weight to 0"
            )
        expected = (*output.depth.shape[:2], *depth_maps.shape[2:])
        if depth_maps.shape != expected:
            raise InputError(
                f"expected depth maps of {expected[0]} clips and {expected[1]} frames "
                f"(Network.select_frames), got {tuple(depth_maps.shape)}"
            )
        # Eq. 1: the depth of an attack is zero, whatever a map says.
        is_bona_fide = (labels == Label.BONA_FIDE)[:, None, None, None]
        depth_maps = torch.where(is_bona_fide, depth_maps, 0)
        validity = None if depth_validity is None else depth_validity.flatten(0, 1)
        centres = output.centres.flatten(0, 1)
        side = output.depth.shape[-1]
        targets, weights = depth_targets(depth_maps.flatten(0, 1), centres, validity, side)
        depth = depth_loss(config, output.depth.flatten(0, 1), targets, weights)
    parts = (
        (config.depth_weight, depth),
        (config.advisor_weight, advisor),
        (config.aam_weight, aam),
    )
    total = torch.stack([weight * part for weight, part in parts if part is not None]).sum()
    return Losses(total, depth, advisor, aam)


def depth_targets(
    depth_maps: Float[Tensor, "m 224 224"],
    centres: Float[Tensor, "m k 2"],
    validity: Float[Tensor, "m 224 224"] | None = None,
    depth_side: int = 14,
) -> tuple[Float[Tensor, "m k d d"], Float[Tensor, "m k d d"]]:
    """D_i^j of Eq. 5: each patch's piece of the depth map, at 14x14 (decision D15).

    Sampled where the patch was, at 56x56, then averaged 4x4. The position is a constant here: J_D
    moves the offsets through what the network sees, not by moving the target (decision D14).

    Args:
        depth_maps: D, 0..1; where it is not valid it may be anything, NaN too.
        centres: Of the patches.
        validity: 0..1, how far each pixel of D is known; None for all of it.
        depth_side: d, of the estimates: 7 and 28 are averaged 8x8 and 2x2 (decision D43).

    Returns:
        The targets, averaged over valid pixels alone (0 where there are none), and the validity of
        each of their pixels, 0..1.
    """
    if validity is None:
        validity = torch.ones_like(depth_maps)
    known = torch.where(validity > 0, depth_maps, 0) * validity
    both = torch.stack([known, validity], dim=1)  # (m, 2, 224, 224)
    patches = sample_patches(both, centres.detach())  # (m, k, 2, 56, 56)
    pooled = F.avg_pool2d(patches.flatten(0, 1), patches.shape[-1] // depth_side)
    depth, weight = pooled.unflatten(0, patches.shape[:2]).unbind(2)  # (m, k, d, d) each
    return torch.where(weight > 0, depth / weight.clamp(min=1e-6), 0), weight


def depth_loss(
    config: LossConfig,
    estimates: Float[Tensor, "m k d d"],
    targets: Float[Tensor, "m k d d"],
    validity: Float[Tensor, "m k d d"] | None = None,
) -> Float[Tensor, ""]:
    """J_D = (1/M) sum_i sum_j ||D^ - D||, summed over patches, averaged over images (Eq. 5).

    Args:
        config: Norm and scale.
        estimates: D^ = CNN_AAM(P).
        targets: D.
        validity: 0..1, how much each pixel counts; None for all of them. M stays the number of
            images, so that an image without valid pixels adds nothing.
    """
    error = estimates - targets
    weight = torch.ones_like(error) if validity is None else validity
    match config.depth_norm:
        case "mse":
            per_patch = (weight * error.square()).mean((2, 3))
        case "l1":
            per_patch = (weight * error.abs()).mean((2, 3))
        case "literal":
            per_patch = (weight * error.abs()).sum((2, 3)).square()
        case "contrastive":
            error_pairs, weight_pairs = _neighbours(error), _neighbours(weight)
            differences = error_pairs - _inner(error)
            of_pairs = (weight_pairs * _inner(weight) * differences.square()).mean((2, 3, 4))
            per_patch = (weight * error.square()).mean((2, 3)) + of_pairs
    return config.depth_scale * per_patch.sum(1).mean()


def _inner(maps: Float[Tensor, "m k d d"]) -> Float[Tensor, "m k 1 d-2 d-2"]:
    """The pixels that have eight neighbours."""
    return maps[:, :, None, 1:-1, 1:-1]


def _neighbours(maps: Float[Tensor, "m k d d"]) -> Float[Tensor, "m k 8 d-2 d-2"]:
    """The eight neighbours of each inner pixel (contrastive depth loss, CDCN)."""
    size = maps.shape[-1] - 2
    shifts = [(row, column) for row in range(3) for column in range(3) if (row, column) != (1, 1)]
    pieces = [maps[:, :, row : row + size, column : column + size] for row, column in shifts]
    return torch.stack(pieces, dim=2)
