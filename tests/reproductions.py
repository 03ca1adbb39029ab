"""Made-up stores in OULU-NPU's and SiW's names, and a recipe of seconds, for tests of reproduction."""

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import torch

from prepared import encoded, frame, picture, prepared
from training_runs import minimal, minimal_data
from vivant.datasets.synthetic_plan import READERS, plan
from vivant.networks.checkpoint import save_checkpoint
from vivant.networks.losses import LossConfig
from vivant.preparation.info import fingerprint
from vivant.preparation.manifest import current_manifest
from vivant.preparation.settings import PreparationSettings
from vivant.preparation.store import Store
from vivant.records import Label
from vivant.reproduction.data import Data
from vivant.training.config import Experiment, StageConfig
from vivant.training.data import TrainingData
from vivant.training.folder import Best, Position, RunFolder
from vivant.training.stage_run import steps_before
from vivant.training.start import card_records, new_network


def recipe() -> Experiment:
    """Two steps of four clips a stage."""
    advisor = LossConfig(depth_weight=0, advisor_weight=10, aam_weight=0)
    aam = LossConfig(depth_weight=0.5, advisor_weight=0, aam_weight=10)
    return minimal(
        model="thin",
        data=minimal_data(clips_per_epoch=8),
        stage1=StageConfig(epochs=1, learning_rate=1e-2, loss=advisor),
        stage2=StageConfig(epochs=1, learning_rate=1e-2, loss=aam, cache_advisor=True),
        stage3=StageConfig(epochs=1, learning_rate=1e-2, loss=LossConfig()),
    )


class Trainer:
    """Stands in for `training.loop.fit`: writes what a training leaves, without a step.

    Each stage moves the weights that it would train by an amount that no other call does.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[int, ...]]] = []
        """Of each call: the name of the run's folder, and the stages."""

    def __call__(
        self,
        fabric: object,
        experiment: Experiment,
        data: TrainingData,
        folder: RunFolder,
        progress: object,
        *,
        stages: Sequence[int] = (1, 2, 3),
    ) -> None:
        self.asked.append((folder.path.name, tuple(stages)))
        network = new_network(experiment)
        before = folder.best(stages[0] - 1)
        if before is not None:
            network.load_state_dict(before[1])
        for number in stages:
            stage = experiment.stage(number)
            if stage is None:
                continue
            trained = {1: [network.advisor], 2: [network.aam], 3: [network]}[number]
            with torch.no_grad():
                for weight in (each for part in trained for each in part.parameters()):
                    weight.add_(1e-3 * len(self.asked))
            best = Best(stage=number, epoch=0, acer=0.5, threshold=0.5, apcer=0.5, bpcer=0.5)
            folder.keep_best(best, network.state_dict())
            done = steps_before(experiment, len(data.train), number + 1)
            folder.save(Position(number, stage.epochs, 0, done), {})
        training, point = card_records(data, 0.5)
        save_checkpoint(
            network, folder.path, experiment.model, training=training, operating_point=point,
            frame_interval_s=data.interval_s,
        )  # fmt: skip


def named_store(
    folder: Path,
    layout: str,
    *,
    is_synthetic: bool = True,
    num_frames: int = 4,
    phones: str | None = None,
) -> Data:
    """Of the names of the size `smoke`, or those of some phones: bona fide are bright, attacks dark."""
    parse = import_module(f"vivant.datasets.{READERS[layout]}").parse
    rows = []
    for number, video in enumerate(plan(layout, "smoke")):
        shown = parse(video.path)
        if phones is not None and shown.columns["phone"] not in phones:
            continue
        is_attack = shown.label is Label.ATTACK
        crop = encoded(picture((40 if is_attack else 150) + number % 60), "JPEG")
        frames = [
            replace(frame(at, with_depth=not is_attack), crop=crop) for at in range(num_frames)
        ]
        rows.append(prepared(shown, frames))
    manifest = current_manifest(READERS[layout], PreparationSettings(), is_synthetic=is_synthetic)
    store = Store.create(folder, manifest)
    with store.writing() as writer:
        writer.append(rows)
    return Data(folder, fingerprint(store), is_synthetic)
