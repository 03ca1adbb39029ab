"""What the learned offsets do, and what moves them: numbers for the log (D13, D16)."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from vivant.networks.losses import Losses
from vivant.networks.network import Network
from vivant.networks.region_proposal import MAX_OFFSET
from vivant.training.config import StageConfig

__all__ = ["MAX_SATURATED", "gradient_ratios", "offset_statistics"]

MAX_SATURATED = 0.2
"""Share of saturated offsets above which a training warns."""
_NEARLY = 0.95


def offset_statistics(offsets: Tensor) -> dict[str, float]:
    """Size, spread and saturation of the offsets of a batch.

    Args:
        offsets: delta before the clamp, (m, pairs, 2), in the coordinates of `geometry.grid`; a
            cell is 0.5 wide.

    Returns:
        offset_size: mean length |delta|; offset_spread: deviation over the m images of each number,
        averaged; near 0 the offsets are one shift for all images; offset_saturated: share of the
        numbers beyond 95 % of the largest possible.
    """
    return {
        "offset_size": offsets.norm(dim=2).mean().item(),
        "offset_spread": offsets.std(0, correction=0).mean().item(),
        "offset_saturated": (offsets.abs() > _NEARLY * MAX_OFFSET).float().mean().item(),
    }


def gradient_ratios(network: Network, config: StageConfig, losses: Losses) -> dict[str, float]:
    """How long J_D's gradient is beside the class loss's, each with its lambda.

    Gradients of parameters are left as they are, and the graph stays.

    Args:
        network: After a forward pass of stage 2 or 3.
        config: The lambdas.
        losses: Of that pass.

    Returns:
        depth_to_class_trunk: in the layers of the Execution Stage that both heads share;
        depth_to_class_offsets: in the Region Proposal Stage. Empty without a depth loss.
    """
    aam = network.aam
    if aam is None or losses.depth is None or losses.aam is None:
        return {}
    execution = aam.execution
    heads = ("depth_head.", "class_head.", "classifier.")
    trunk = [each for name, each in execution.named_parameters() if not name.startswith(heads)]
    offsets = list(aam.region_proposal.pointwise.parameters())
    weighted = (config.loss.depth_weight * losses.depth, config.loss.aam_weight * losses.aam)
    ratios = {}
    for name, part in (("trunk", trunk), ("offsets", offsets)):
        depth, of_class = (_gradient_length(loss, part) for loss in weighted)
        if of_class > 0:
            ratios[f"depth_to_class_{name}"] = depth / of_class
    return ratios


def _gradient_length(loss: Tensor, parameters: Iterable[nn.Parameter]) -> float:
    gradients = torch.autograd.grad(
        loss, tuple(parameters), retain_graph=True, materialize_grads=True
    )
    return float(torch.stack([each.float().square().sum() for each in gradients]).sum().sqrt())
