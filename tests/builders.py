"""Networks for tests: small, seeded, with offsets as after training."""

import torch

from vivant.networks.config import AamConfig, AdvisorConfig, NetworkConfig
from vivant.networks.network import Network


def small_config(**aam: object) -> NetworkConfig:
    """Model D on the smallest SE backbone."""
    return NetworkConfig(
        advisor=AdvisorConfig(backbone="se_resnet18", hidden_size=16), aam=AamConfig(**aam)
    )


def moved(network: Network, seed: int = 5) -> Network:
    """Random offsets, as after training: new networks look at the anchors themselves."""
    assert network.aam is not None
    weight = network.aam.region_proposal.pointwise.weight
    with torch.no_grad():
        weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed)))
    return network


def seeded(config: NetworkConfig, seed: int = 0) -> Network:
    """A network whose random weights are the same in every run."""
    torch.manual_seed(seed)
    return Network(config)
