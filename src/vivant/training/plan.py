"""What a training will do, and what it will cost on this machine: before its first step."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import Tensor

from vivant.geometry.grid import CROP_SIDE_PX
from vivant.networks.config import CONTEXT_SIDE_PX
from vivant.networks.network import Network
from vivant.records import Label, Presentation
from vivant.training.config import Experiment
from vivant.training.data import TrainingData
from vivant.training.draws import steps_per_epoch
from vivant.training.loader import Batch
from vivant.training.memory import checkpoint_blocks
from vivant.training.stages import StageModule, set_modes

__all__ = ["Plan", "StagePlan", "make_plan"]

_MEASURED_CLIPS = 2
_STATES = 4  # Of each trained weight: itself, its gradient, and Adam's two moments.


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What a stage does and costs."""

    number: int
    epochs: int
    steps: int
    clips: int
    """Over all epochs."""
    seconds: float
    """Estimated from one measured step, judging the dev side included; reading not."""
    memory_bytes: int
    """Estimated: weights, their states, and what a micro-batch keeps for the backward pass."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a training does."""

    counts: dict[str, dict[str, int]]
    """Presentations of the train and dev side, by PAI species and `bona fide`."""
    without_clip: dict[str, int]
    """Of those, how many have no clip of N usable frames."""
    stages: tuple[StagePlan, ...]


def make_plan(
    fabric: Fabric, experiment: Experiment, data: TrainingData, stages: Sequence[int]
) -> Plan:
    """Count the data, and measure one step of each stage on made-up clips.

    Args:
        fabric: Its device and precision.
        experiment: What to do.
        data: Of the store.
        stages: Which will run.
    """
    sides = {"train": data.train, "dev": data.dev}
    clips = data.clips
    wanted = [number for number in stages if experiment.stage(number) is not None]
    return Plan(
        counts={side: _counted(rows) for side, rows in sides.items()},
        without_clip={
            side: sum(not clips.windows(row.path, row.max_frames) for row in rows)
            for side, rows in sides.items()
        },
        stages=tuple(_plan_stage(fabric, experiment, data, number) for number in wanted),
    )


def _counted(rows: Sequence[Presentation]) -> dict[str, int]:
    kinds = Counter(row.pai_species or "bona fide" for row in rows)
    return dict(sorted(kinds.items(), key=lambda kind: (kind[0] != "bona fide", kind[0])))


def _plan_stage(
    fabric: Fabric, experiment: Experiment, data: TrainingData, number: int
) -> StagePlan:
    stage = experiment.stage(number)
    assert stage is not None
    steps = stage.epochs * steps_per_epoch(experiment.data, len(data.train))
    clips = steps * experiment.data.batch_clips
    network = Network(experiment.network).to(fabric.device)
    if experiment.activation_checkpointing:
        checkpoint_blocks(network.advisor.backbone)
    set_modes(network, number, stage, experiment.data.micro_batch_clips)
    module = StageModule(network, number, stage)
    batch = Batch(*fabric.to_device(_made_up(experiment)))
    kept_bytes, train_s = _measure(fabric, module, batch)
    cached_clips = clips // stage.epochs if stage.cache_advisor else 0
    with torch.no_grad(), fabric.autocast():
        network.eval()
        advise_s = _seconds(lambda: module.advise(batch)) / _MEASURED_CLIPS
    # Judging is a forward pass; the second module's is small beside the Advisor's.
    rounds = 1 if stage.cache_advisor else stage.epochs  # What the Advisor says of dev is kept too.
    judged = rounds * experiment.data.dev_windows * len(data.dev)
    seconds = (clips * train_s + judged * advise_s) / fabric.world_size
    if stage.cache_advisor:
        seconds -= (clips - cached_clips) * advise_s / fabric.world_size
    trained = sum(each.nbytes for each in network.parameters() if each.requires_grad)
    weights = sum(each.nbytes for each in network.state_dict().values())
    share = experiment.data.micro_batch_clips / _MEASURED_CLIPS
    memory = weights + (_STATES - 1) * trained + int(kept_bytes * share)
    return StagePlan(number, stage.epochs, steps, clips, max(seconds, 0.0), memory)


def _measure(fabric: Fabric, module: StageModule, batch: Batch) -> tuple[int, float]:
    """Bytes that a forward pass keeps for the backward pass, and seconds of both, a clip."""
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    def run() -> None:
        with fabric.autocast():
            module(batch).total.backward()

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        run()
    weights = {each.untyped_storage().data_ptr() for each in module.parameters()}
    num_bytes = sum(size for place, size in kept.items() if place not in weights)
    return num_bytes, _seconds(run) / _MEASURED_CLIPS


def _seconds(run: object) -> float:
    assert callable(run)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started_s = time.perf_counter()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started_s


def _made_up(experiment: Experiment) -> Batch:
    network = experiment.network
    num, frames, side = _MEASURED_CLIPS, network.num_frames, network.crop_side_px
    generator = torch.Generator().manual_seed(0)
    crops = torch.randint(
        0, 256, (num, frames, side, side, 3), dtype=torch.uint8, generator=generator
    )
    labels = torch.arange(num) % len(Label)
    wide = (num, frames, CONTEXT_SIDE_PX, CONTEXT_SIDE_PX, 3)
    context = torch.zeros(wide, dtype=torch.uint8) if network.advisor.context else None
    return Batch(
        crops=crops,
        depth=torch.zeros(num, frames, CROP_SIDE_PX, CROP_SIDE_PX, dtype=torch.uint8),
        has_depth=torch.ones(num, frames, dtype=torch.bool),
        labels=labels,
        flips=labels == 0,
        colours=torch.full((num, 3), 0.1),
        gammas=torch.full((num,), 1.1),
        holes=torch.zeros(num, 2, 4),
        keys=torch.arange(num),
        context=context,
    )
