"""The three stages: what is trained, what is frozen, what a step computes (paper 4.2; D17, D18).

1. The Advisor Module alone. 2. The Attended-Auxiliary Module, with the Advisor in evaluation mode
and not a bit of it changed. 3. Both together: the offsets' gradient enters the backbone through F.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vivant.networks.losses import Losses, total_loss
from vivant.networks.network import Advice, Network, NetworkOutput
from vivant.training.augment import augment
from vivant.training.cache import AdviceCache
from vivant.training.config import Experiment, OptimiserConfig, StageConfig
from vivant.training.loader import Batch
from vivant.training.offsets import gradient_ratios
from vivant.training.penalties import offset_penalty, overlap_penalty

__all__ = [
    "StageModule",
    "StepOutput",
    "build_optimiser",
    "parameter_groups",
    "set_modes",
    "share_of_peak",
    "watched_offsets",
]

MIN_CLIPS_FOR_NORM = 4
"""Clips of a micro-batch from which on the Advisor's batch norms train: the frames of one clip are
near copies of each other (D18)."""

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class StepOutput(NamedTuple):
    """What a micro-batch gives."""

    total: Tensor
    """What is minimised."""
    losses: Losses
    """Its parts before their weights."""
    output: NetworkOutput
    offsets: Tensor | None
    """delta of Eq. 2 before the clamp, (m, pairs, 2), without gradient; None in stage 1."""
    ratios: dict[str, float]
    """J_D's gradient beside the class loss's, where it was asked for (D16)."""


class StageModule(nn.Module):
    """One stage as one module: a batch in, losses out. What DDP wraps.

    Args:
        network: Changed in place by whoever steps its optimiser.
        number: 1, 2 or 3.
        config: The stage's.
    """

    def __init__(self, network: Network, number: int, config: StageConfig) -> None:
        super().__init__()
        self.network = network
        self.number = number
        self.config = config

    def forward(
        self, batch: Batch, cache: AdviceCache | None = None, with_ratios: bool = False
    ) -> StepOutput:
        """Augment, normalise, run as much of the network as the stage trains, and judge.

        Args:
            batch: On the network's device.
            cache: Has what the frozen Advisor said of it before; stage 2 alone. Not the tensors:
                Fabric would round those to bf16 in mixed precision, and a Grad-CAM with them.
            with_ratios: Whether two gradients are compared. It is done here, since what Fabric
                hands out in mixed precision has but one backward pass.
        """
        network = self.network
        backbone = network.advisor.backbone
        crops, depth, validity, context = augment(batch, backbone.mean_rgb, backbone.std_rgb)
        if cache is not None:
            advice = cache.of(batch)
        else:
            with torch.set_grad_enabled(torch.is_grad_enabled() and self.number != 2):
                advice = network.advise(crops, context)
        if self.number == 1:
            output = network.conclude(advice, {})
            losses = total_loss(self.config.loss, output, batch.labels)
            return StepOutput(losses.total, losses, output, None, {})
        with watched_offsets(network) as seen:
            output = network.conclude(advice, network.attend(crops, advice))
        depth, validity = network.select_frames(depth), network.select_frames(validity)
        losses = total_loss(self.config.loss, output, batch.labels, depth, validity)
        (offsets,) = seen
        total = losses.total
        if self.config.offset_penalty:
            total = total + self.config.offset_penalty * offset_penalty(offsets)
        if self.config.overlap_penalty:
            assert output.centres is not None
            penalty = overlap_penalty(output.centres.flatten(0, 1))
            total = total + self.config.overlap_penalty * penalty
        ratios = gradient_ratios(network, self.config, losses) if with_ratios else {}
        return StepOutput(total, losses, output, offsets.detach(), ratios)

    @torch.no_grad()
    def advise(self, batch: Batch) -> Advice:
        """What the frozen Advisor says of a batch: to be kept for later epochs of stage 2."""
        backbone = self.network.advisor.backbone
        augmented = augment(batch, backbone.mean_rgb, backbone.std_rgb)
        return self.network.advise(augmented.crops, augmented.context)


@contextmanager
def watched_offsets(network: Network) -> Iterator[list[Tensor]]:
    """Within, every run of the Region Proposal Stage appends its offsets, before the clamp.

    Each is (m, pairs, 2), in the coordinates of `geometry.grid`.
    """
    assert network.aam is not None
    seen: list[Tensor] = []
    proposal = network.aam.region_proposal

    def keep(module: nn.Module, inputs: object, pairs: Tensor) -> None:
        seen.append(proposal.to_offsets(pairs))

    handle = proposal.pointwise.register_forward_hook(keep)
    try:
        yield seen
    finally:
        handle.remove()


def set_modes(network: Network, number: int, stage: StageConfig, micro_batch_clips: int) -> None:
    """Freeze what a stage does not train, and put the rest into training mode.

    Args:
        network: Changed in place.
        number: 1, 2 or 3.
        stage: The stage's; without a depth loss the depth head is not trained.
        micro_batch_clips: With fewer than four, the Advisor's batch norms keep their statistics and
            are not trained either.
    """
    trains_advisor, trains_aam = number != 2, number != 1
    network.train()
    network.advisor.train(trains_advisor).requires_grad_(trains_advisor)
    if network.config.advisor.freeze_backbone:
        network.advisor.backbone.requires_grad_(False)
    if network.aam is not None:
        network.aam.train(trains_aam).requires_grad_(trains_aam)
        if network.aam.execution.depth_head is not None and not stage.loss.depth_weight:
            network.aam.execution.depth_head.eval().requires_grad_(False)
    if trains_advisor and micro_batch_clips < MIN_CLIPS_FOR_NORM:
        for module in network.advisor.modules():
            if isinstance(module, NORMS):
                module.eval().requires_grad_(False)


def parameter_groups(
    network: Network, config: OptimiserConfig, learning_rate: float
) -> list[dict[str, object]]:
    """The parameters that the stage trains, each group with its learning rate `peak` (D13).

    Args:
        network: After `set_modes`.
        config: The factor of the offsets.
        learning_rate: Of the stage.
    """
    offsets: set[int] = set()
    if network.aam is not None:
        offsets = {id(each) for each in network.aam.region_proposal.parameters()}
    trained = [each for each in network.parameters() if each.requires_grad]
    groups = []
    for is_slow, rate in ((False, 1.0), (True, config.region_proposal_rate)):
        members = [each for each in trained if (id(each) in offsets) is is_slow]
        if members:
            peak = rate * learning_rate
            groups.append({"params": members, "lr": peak, "peak": peak})
    return groups


def build_optimiser(network: Network, experiment: Experiment, number: int) -> torch.optim.Optimizer:
    """The optimiser of a stage.

    Args:
        network: After `set_modes`.
        experiment: Whose.
        number: Of the stage.
    """
    stage = experiment.stage(number)
    assert stage is not None
    groups = parameter_groups(network, experiment.optimiser, stage.learning_rate)
    kind = torch.optim.Adam if experiment.optimiser.name == "adam" else torch.optim.AdamW
    return kind(groups, weight_decay=experiment.optimiser.weight_decay)


def share_of_peak(config: OptimiserConfig, step: int, num_steps: int) -> float:
    """The learning rate at a step of a stage, as a share of its peak.

    A function of the place and nothing else: there is no state of a schedule to be lost.
    """
    if config.schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * step / num_steps))
