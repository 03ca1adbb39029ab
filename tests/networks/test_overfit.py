"""A network that cannot learn eight clips by heart is wrong somewhere."""

import pytest
import torch
from torch.nn import functional as F

from builders import seeded
from vivant.networks.config import AdvisorConfig, NetworkConfig
from vivant.networks.losses import LossConfig, total_loss

MAX_STEPS = 300


@pytest.mark.slow
def test_eight_random_clips_are_learned_by_heart(generator: torch.Generator) -> None:
    """Model D on SE-ResNet-18, shuffled labels, all parts trained together.

    Easier than training in four ways, because a step takes 5 s on two cores as it is: two frames a
    clip, not five; frames are one still under a little noise; no dropout; J_D counts ten times (D16).
    The depth of a bona fide clip follows its brightness, so that it can be told from a patch.
    """
    advisor = AdvisorConfig(backbone="se_resnet18", dropout=0)
    network = seeded(NetworkConfig(advisor=advisor, num_frames=2)).train()
    stills = F.interpolate(
        torch.randn(8, 3, 14, 14, generator=generator), size=224, mode="bilinear"
    )
    clips = stills[:, None] + 0.02 * torch.randn(8, 2, 3, 224, 224, generator=generator)
    labels = torch.tensor([0, 1] * 4)[torch.randperm(8, generator=generator)]
    depth = torch.sigmoid(2 * stills.mean(1))[:, None].expand(8, 2, 224, 224)
    depth = depth * (labels == 0)[:, None, None, None]
    config = LossConfig(depth_scale=10)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    start: dict[str, float] = {}
    for _ in range(MAX_STEPS):
        losses = total_loss(config, network(clips), labels, network.select_frames(depth))
        now = {name: value.item() for name, value in losses._asdict().items()}
        start = start or now
        if all(now[name] < 0.01 * start[name] for name in start):
            return
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
    shares = {name: now[name] / start[name] for name in start}
    pytest.fail(f"after {MAX_STEPS} steps, of the loss at the start there is left: {shares}")
