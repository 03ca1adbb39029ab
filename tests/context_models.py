"""A small random network that sees a second, wider crop: what a card, a runner and a graph need."""

from pathlib import Path

import numpy as np
import torch

from builders import moved, seeded
from vivant.networks.checkpoint import save_checkpoint
from vivant.networks.config import CONTEXT_SIDE_PX, AamConfig, AdvisorConfig, NetworkConfig
from vivant.networks.network import Network


def context_config() -> NetworkConfig:
    """The frames head on two levels and two crops; the patches of the second module do not vote."""
    return NetworkConfig(
        advisor=AdvisorConfig(
            backbone="efficientnet_lite0",
            levels=(10, 15),
            head="frames",
            context=True,
            input_side_px=160,
        ),
        aam=AamConfig(widths=(4, 8, 8), frames="last"),
        fusion="am",
        num_frames=3,
    )


def context_network() -> Network:
    """One of random weights, whose descriptions and logits are about as large as after a fit."""
    network = moved(seeded(context_config())).eval()
    advisor = network.advisor
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        given = (torch.from_numpy(each[0]) for each in random_clips(network.config))
        crops, wide = (each.permute(0, 3, 1, 2) / 127.5 - 1 for each in given)
        for norm in advisor.backbone.modules():
            if isinstance(norm, torch.nn.BatchNorm2d):
                norm.momentum = 1.0
        advisor.backbone.train()  # Norms take their statistics of these crops, or the last maps
        network.encode(crops, wide)  # of random weights would be 0.
        advisor.backbone.eval()
        _, described = network.encode(crops, wide)
        assert described is not None
        advisor.feature_deviation.copy_(described.abs().mean(0).clamp_min(1e-3))
        weight = advisor.classifier.weight
        weight.copy_(0.01 * torch.randn(weight.shape, generator=generator))
    return network


def save_context_model(folder: Path) -> Path:
    """Write that network's checkpoint; returns the card's path."""
    return save_checkpoint(context_network(), folder, "both")


def random_clips(config: NetworkConfig, num: int = 1) -> tuple[np.ndarray, ...]:
    """What a network takes, of noise: crops, and their wider ones where it sees them."""
    generator = np.random.default_rng(3)
    sides = [config.crop_side_px] + [CONTEXT_SIDE_PX] * config.advisor.context
    shapes = [(num, config.num_frames, side, side, 3) for side in sides]
    return tuple(generator.integers(0, 256, shape, dtype=np.uint8) for shape in shapes)
