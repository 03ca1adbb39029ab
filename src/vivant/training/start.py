"""How a training begins and ends: the network's first weights, and what its card says."""

import torch

from vivant.errors import ConfigError
from vivant.networks.card import CameraSpread, OperatingPoint, TrainingRecord
from vivant.networks.network import Network
from vivant.networks.pretrained import load_pretrained
from vivant.training.config import FRESH, Experiment
from vivant.training.data import TrainingData
from vivant.training.frames_head import HeldOut
from vivant.training.memory import checkpoint_blocks

__all__ = ["card_records", "new_network", "require_start"]


def require_start(experiment: Experiment) -> str:
    """What the backbone starts from, once somebody has chosen it.

    Raises:
        ConfigError: nobody has.
    """
    if experiment.pretrained is None:
        raise ConfigError(
            f"{experiment.model} starts from ImageNet weights, which do not ship with vivant: say "
            "--pretrained FILE (README has a table of files), or --pretrained none for random ones"
        )
    return experiment.pretrained


def new_network(experiment: Experiment) -> Network:
    """The network of step 0: random weights of the seed, and ImageNet's in the backbone.

    Raises:
        ConfigError: nobody has chosen the backbone's weights.
        WeightsError: they do not fit the backbone.
        UnknownNameError: there is no such backbone.
    """
    source = require_start(experiment)
    torch.manual_seed(experiment.seed)
    network = Network(experiment.network)
    # Channels beside each other: half as fast again on a processor, and what tensor cores take.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if source != FRESH:
        load_pretrained(network.advisor.backbone, source)
    if experiment.activation_checkpointing:
        checkpoint_blocks(network.advisor.backbone)
    return network


def card_records(
    data: TrainingData, threshold: float, held_out: HeldOut | None = None
) -> tuple[TrainingRecord, OperatingPoint]:
    """What the trained model's card says of its data and of its threshold.

    Args:
        data: What it was trained on.
        threshold: At equal error on the dev side, or of `held_out`.
        held_out: Of a fit: what it is worth on sets that it has not seen.
    """
    training = TrainingRecord(
        data=data.name, is_synthetic=data.is_synthetic, pai_species=data.pai_species
    )
    if held_out is not None:
        rates = [each.bpcer for each in held_out.sets]
        num = sum(each.num_bona_fide for each in held_out.sets)
        point = OperatingPoint(
            threshold=threshold,
            rule="held-out-bpcer",
            data=f"{num} bona fide frames of {len(rates)} sets, each judged by a fit without it",
            cameras=CameraSpread(
                num_cameras=len(rates), lowest_bpcer=min(rates), highest_bpcer=max(rates)
            ),
        )
        return training, point
    point = OperatingPoint(
        threshold=threshold,
        rule="dev-eer",
        data=f"{data.name}, dev side of {len(data.dev)} presentations"
        + (", SYNTHETIC" if data.is_synthetic else ""),
    )
    return training, point
