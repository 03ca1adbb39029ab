"""A network that cannot learn eight clips by heart is wrong somewhere."""

import pytest
import torch
from torch.nn import functional as F

from builders import seeded
from vivant.networks.config import AamConfig, AdvisorConfig, NetworkConfig
from vivant.networks.losses import LossConfig, total_loss

MAX_STEPS = 300


def learn_by_heart(
    config: NetworkConfig, learning_rate: float, generator: torch.Generator
) -> dict[str, float]:
    """Train all parts together on eight random clips with shuffled labels.

    The task is easier than training in four ways, because a step of Model D takes 5 s on two cores
    as it is: two frames a clip, not five; frames are one still under a little noise; no dropout;
    J_D counts ten times (D16). The depth of a bona fide clip follows its brightness, so that it can
    be told from a patch.

    Returns:
        What is left of each loss, as a share of the loss at the start, when all are below 1 % or
        after `MAX_STEPS`.
    """
    network = seeded(config).train()
    stills = F.interpolate(
        torch.randn(8, 3, 14, 14, generator=generator), size=224, mode="bilinear"
    )
    clips = stills[:, None] + 0.02 * torch.randn(8, 2, 3, 224, 224, generator=generator)
    labels = torch.tensor([0, 1] * 4)[torch.randperm(8, generator=generator)]
    depth = torch.sigmoid(2 * stills.mean(1))[:, None].expand(8, 2, 224, 224)
    depth = depth * (labels == 0)[:, None, None, None]
    loss = LossConfig(depth_scale=10)
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    start: dict[str, float] = {}
    for _ in range(MAX_STEPS):
        losses = total_loss(loss, network(clips), labels, network.select_frames(depth))
        now = {name: value.item() for name, value in losses._asdict().items()}
        start = start or now
        shares = {name: now[name] / start[name] for name in start}
        if all(share < 0.01 for share in shares.values()):
            break
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
    return shares


@pytest.mark.slow
def test_eight_random_clips_are_learned_by_heart_with_a_thin_backbone(
    generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole of Model D, with fewer channels: about 130 steps of a third of a second."""
    from training_runs import thin_backbone

    thin_backbone(monkeypatch.setattr)
    advisor = AdvisorConfig(backbone="efficientnet_lite0", hidden_size=32, dropout=0)
    config = NetworkConfig(advisor=advisor, aam=AamConfig(widths=(8, 16, 24)), num_frames=2)
    shares = learn_by_heart(config, learning_rate=3e-3, generator=generator)
    assert max(shares.values()) < 0.01, shares


@pytest.mark.nightly
def test_eight_random_clips_are_learned_by_heart(generator: torch.Generator) -> None:
    """Model D on SE-ResNet-18."""
    advisor = AdvisorConfig(backbone="se_resnet18", dropout=0)
    config = NetworkConfig(advisor=advisor, num_frames=2)
    shares = learn_by_heart(config, learning_rate=1e-3, generator=generator)
    assert max(shares.values()) < 0.01, shares
