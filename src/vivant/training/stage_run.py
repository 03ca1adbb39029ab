"""One stage of a training, from wherever it is to its end."""

import random
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from vivant.errors import TrainingError
from vivant.networks.network import Network
from vivant.training.cache import AdviceCache
from vivant.training.config import Experiment
from vivant.training.data import TrainingData
from vivant.training.draws import Draw, Drawer, steps_per_epoch
from vivant.training.folder import Best, Position, RunFolder
from vivant.training.loader import Batch, deaths_told, load_batches
from vivant.training.log import TrainingLog
from vivant.training.offsets import MAX_SATURATED, offset_statistics
from vivant.training.progress import Progress
from vivant.training.scoring import Judgement, SideScores, judge, reader_of, score_side
from vivant.training.stages import (
    StageModule,
    StepOutput,
    build_optimiser,
    set_modes,
    share_of_peak,
)

__all__ = ["StageRun"]


class StageRun:
    """Runs a stage.

    Args:
        fabric: Launched.
        experiment: What to do.
        number: Of the stage.
        network: Its weights are where the stage starts.
        data: Of the store.
        folder: Of the run.
        log: None in all processes but the first.
        progress: Is told.
        checkpoint: From where to go on within this stage; None to begin it.
    """

    def __init__(
        self,
        fabric: Fabric,
        experiment: Experiment,
        number: int,
        network: Network,
        data: TrainingData,
        folder: RunFolder,
        log: TrainingLog | None,
        progress: Progress,
        checkpoint: tuple[Position, dict[str, Any]] | None,
    ) -> None:
        stage = experiment.stage(number)
        assert stage is not None
        self.fabric, self.experiment, self.number = fabric, experiment, number
        self.stage, self.network, self.data = stage, network, data
        self.folder, self.log, self.progress = folder, log, progress
        self.num_steps = steps_per_epoch(experiment.data, len(data.train))
        self.position = Position(number, 0, 0, steps_before(experiment, len(data.train), number))
        self.best: Best | None = None
        if checkpoint is not None:
            self.position, content = checkpoint
            network.load_state_dict(content["network"])
            self.best = Best.model_validate(content["best"]) if content["best"] else None
        set_modes(network, number, stage, experiment.data.micro_batch_clips)
        optimiser = build_optimiser(network, experiment, number)
        module = StageModule(network, number, stage)
        self.module, self.optimiser = fabric.setup(module, optimiser)
        self.module.mark_forward_method("advise")
        self.average = self._moving_average()
        if checkpoint is not None:
            self.optimiser.load_state_dict(content["optimiser"])
            if self.average is not None:
                self.average.load_state_dict(content["average"])
        self.drawer = Drawer(
            data.clips, data.train, experiment.data, experiment.augment, experiment.seed, number,
            repeats=stage.cache_advisor,
        )  # fmt: skip
        self.dev_cache = AdviceCache(fabric.device) if stage.cache_advisor else None
        self.reader = reader_of(data.folder, network.config)

    @deaths_told()
    def run(self) -> Best:
        """Train to the end of the stage; the network then has its best epoch's weights.

        Raises:
            TrainingError: a loss is not a number, or a process that reads died.
            OutputError: no room for a checkpoint.
        """
        start = self.position
        self.progress.begin(start, self.stage.epochs, self.num_steps)
        cache = self._filled_cache() if self.stage.cache_advisor else None
        num_workers = self.experiment.data.num_workers
        batches = load_batches(self.reader, self._micro_batches(start), num_workers)
        for epoch in range(start.epoch, self.stage.epochs):
            first = start.step if epoch == start.epoch else 0
            for step in range(first, self.num_steps):
                self._step(epoch, step, batches, cache)
                is_last = step + 1 == self.num_steps
                if (
                    not is_last
                    and self.position.total_steps % self.experiment.checkpoint_steps == 0
                ):
                    self._save()
            if self._may_differ or epoch + 1 == self.stage.epochs:
                self._judge_epoch(epoch)
            self.position = Position(self.number, epoch + 1, 0, self.position.total_steps)
            self._save()
        self.fabric.barrier()
        found = self.folder.best(self.number)
        assert found is not None
        self.network.load_state_dict(found[1])
        return found[0]

    @property
    def _may_differ(self) -> bool:
        """Whether epochs may differ in the score that is judged.

        They do not where the frozen Advisor alone decides: then the last one is kept, and judged.
        """
        return self.number != 2 or self.network.config.fusion != "am"

    def _step(
        self, epoch: int, step: int, batches: Iterator[Batch], cache: AdviceCache | None
    ) -> None:
        """One optimiser step."""
        started_s = time.perf_counter()
        waited_s = 0.0
        optimiser_config = self.experiment.optimiser
        seed_generators(self.experiment.seed, self.number, epoch, step, self.fabric.global_rank)
        place = epoch * self.num_steps + step
        share = share_of_peak(optimiser_config, place, self.stage.epochs * self.num_steps)
        for group in self.optimiser.param_groups:
            group["lr"] = share * group["peak"]
        self.optimiser.zero_grad()
        outputs: list[dict[str, Tensor]] = []
        ratios: dict[str, float] = {}
        for micro in range(self.num_micro_batches):
            asked_s = time.perf_counter()
            batch = Batch(*self.fabric.to_device(next(batches)))
            waited_s += time.perf_counter() - asked_s
            is_last = micro + 1 == self.num_micro_batches
            with self.fabric.no_backward_sync(self.module, enabled=not is_last):
                is_first = step == 0 and micro == 0
                output: StepOutput = self.module(batch, cache, is_first)
                ratios |= output.ratios
                self.fabric.backward(output.total / self.num_micro_batches)
            outputs.append(_kept(output))
        norm = self.fabric.clip_gradients(
            self.module, self.optimiser, max_norm=optimiser_config.clip_norm,
            error_if_nonfinite=False,
        )  # fmt: skip
        assert norm is not None
        values = {**_mean(outputs), "gradient_norm": float(norm), **ratios}
        self.position = Position(self.number, epoch, step + 1, self.position.total_steps + 1)
        self._require_finite(values, epoch, step)
        self.optimiser.step()
        if self.average is not None:
            self.average.update_parameters(self.network)
        took_s = time.perf_counter() - started_s
        values |= {
            "learning_rate": share * self.stage.learning_rate,
            "clips_per_s": self.experiment.data.batch_clips / took_s,
            "loading_share": waited_s / took_s,
        }
        if self.log is not None:
            self.log.write(self.position, values)
        self.progress.step(self.position, values)

    @property
    def num_micro_batches(self) -> int:
        """Of a step, on each device."""
        data = self.experiment.data
        return data.batch_clips // (data.micro_batch_clips * self.fabric.world_size)

    def _micro_batches(self, start: Position) -> Iterator[list[Draw]]:
        """The draws of this process's micro-batches, from a place on.

        A step's clips make micro-batches in their order, and those go to the processes in turn.
        """
        size, world = self.experiment.data.micro_batch_clips, self.fabric.world_size
        for epoch in range(start.epoch, self.stage.epochs):
            draws = self.drawer.epoch(epoch)
            skipped = self.experiment.data.batch_clips * start.step if epoch == start.epoch else 0
            for at in range(skipped + size * self.fabric.global_rank, len(draws), size * world):
                yield draws[at : at + size]

    def _judge_epoch(self, epoch: int) -> None:
        self._hand_on_statistics()
        scores = score_side(
            self._judged_network(), self.data.clips, self.data.folder, self.data.dev,
            self.experiment.data.dev_windows, advisor_only=self.number == 1,
            num_workers=0 if self.dev_cache else self.experiment.data.num_workers,
            share=(self.fabric.global_rank, self.fabric.world_size), cache=self.dev_cache,
            augment=self.experiment.augment,
        )  # fmt: skip
        judgement = judge(scores)
        rates = judgement.rates
        # Of equally good epochs the later one (ruling 2.9).
        is_best = self.best is None or rates.acer <= self.best.acer
        if is_best:
            self.best = Best(
                stage=self.number, epoch=epoch, acer=rates.acer, threshold=judgement.threshold,
                apcer=rates.apcer, bpcer=rates.bpcer,
            )  # fmt: skip
            if self.fabric.is_global_zero:
                self.folder.keep_best(self.best, self._judged_network().state_dict())
        if self.log is not None:
            self.log.write(self.position, _judged_values(scores, judgement))
        self.progress.judged(self.position, judgement, is_best=is_best)

    def _hand_on_statistics(self) -> None:
        """Give all processes the running statistics of the first, whose weights are kept.

        DDP does so before the first pass of a step: after the last one each process has its own,
        and would judge its share of the dev side with a network that nobody keeps (D40).
        """
        if self.fabric.world_size == 1:
            return
        for module in (self.network, self.average):
            for buffer in module.buffers() if module is not None else ():
                torch.distributed.broadcast(buffer, 0)

    def _judged_network(self) -> Network:
        if self.average is None:
            return self.network
        averaged = self.average.module
        assert isinstance(averaged, Network)
        return averaged

    def _moving_average(self) -> AveragedModel | None:
        decay = self.experiment.optimiser.ema_decay
        if decay is None:
            return None
        # Buffers are copied: running statistics are averages already.
        return AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(decay))

    def _save(self) -> None:
        if not self.fabric.is_global_zero:
            return
        content = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "best": None if self.best is None else self.best.model_dump(),
        }
        self.folder.save(self.position, content)

    def _filled_cache(self) -> AdviceCache:
        """What the frozen Advisor says of every clip of the stage."""
        cache = AdviceCache(self.fabric.device)
        draws = sorted(self.drawer.epoch(0), key=lambda draw: draw.key)
        size = self.experiment.data.micro_batch_clips
        micro_batches = [draws[at : at + size] for at in range(0, len(draws), size)]
        for batch in load_batches(self.reader, micro_batches, self.experiment.data.num_workers):
            there = Batch(*self.fabric.to_device(batch))
            with torch.no_grad():
                cache.keep(there, self.module.advise(there))
        self.progress.say(
            f"stage {self.number}: what the Advisor says of {len(draws)} clips is kept "
            f"({cache.num_bytes / 2**20:.0f} MiB)"
        )
        return cache

    def _require_finite(self, values: dict[str, float], epoch: int, step: int) -> None:
        """Stop before the weights are damaged, and say which clips it was.

        Raises:
            TrainingError: a loss or the gradient is NaN or infinite.
        """
        bad = [name for name, value in values.items() if not np.isfinite(value)]
        if not bad:
            saturated = values.get("offset_saturated", 0.0)
            if step == 0 and saturated > MAX_SATURATED:
                self.progress.warn(
                    f"{saturated:.0%} of the offsets are saturated: they drift. A smaller "
                    "optimiser.region_proposal_rate, or stage2.offset_penalty, holds them (D13)"
                )
            return
        batch = self.experiment.data.batch_clips
        draws = self.drawer.epoch(epoch)[step * batch : (step + 1) * batch]
        told = {name: repr(value) for name, value in values.items()}
        clips = [
            {"presentation": draw.path, "rows": [*draw.window],
             "augmentation": draw.augmentation._asdict()}
            for draw in draws
        ]  # fmt: skip
        content = {
            "stage": self.number,
            "epoch": epoch,
            "step": step,
            "values": told,
            "clips": clips,
        }
        path = self.folder.path
        if self.fabric.is_global_zero:
            path = self.folder.tell_failure(content)
        raise TrainingError(
            f"stage {self.number} epoch {epoch + 1} step {step + 1}: {', '.join(bad)} is not a "
            f"finite number. The step was not taken; its {len(draws)} clips are in {path}. Look at "
            "them (`vivant data preview`), or try a smaller learning rate or --precision 32"
        )


def steps_before(experiment: Experiment, num_rows: int, number: int) -> int:
    """Optimiser steps of the stages before one."""
    stages = [experiment.stage(each) for each in range(1, number)]
    each = steps_per_epoch(experiment.data, num_rows)
    return each * sum(stage.epochs for stage in stages if stage is not None)


def seed_generators(*place: int) -> None:
    """Seed Python's, NumPy's and torch's generators from a place in the training.

    Args:
        place: Seed, stage, epoch, step, process.
    """
    state = int(np.random.SeedSequence(place).generate_state(1)[0])
    random.seed(state)
    np.random.seed(state)  # Whatever a library may still use.
    torch.manual_seed(state)


def _kept(output: StepOutput) -> dict[str, Tensor]:
    losses = output.losses
    parts = {
        "loss": output.total, "depth_loss": losses.depth, "advisor_loss": losses.advisor,
        "aam_loss": losses.aam,
    }  # fmt: skip
    values = {name: part.detach() for name, part in parts.items() if part is not None}
    if output.offsets is not None:
        values["offsets"] = output.offsets
    return values


def _mean(outputs: list[dict[str, Tensor]]) -> dict[str, float]:
    """The mean over micro-batches of each loss, and what the offsets of all of them do."""
    names = [name for name in outputs[0] if name != "offsets"]
    values = {name: torch.stack([each[name] for each in outputs]).mean().item() for name in names}
    if "offsets" in outputs[0]:
        values |= offset_statistics(torch.cat([each["offsets"] for each in outputs]))
    return values


def _judged_values(scores: SideScores, judgement: Judgement) -> dict[str, float]:
    rates = judgement.rates
    values = {
        "dev_acer": rates.acer, "dev_apcer": rates.apcer, "dev_bpcer": rates.bpcer,
        "dev_d_eer": judgement.d_eer, "dev_threshold": judgement.threshold,
        "dev_acer_advisor": judge(scores, scores.advisor).rates.acer,
    }  # fmt: skip
    if scores.aam is not None:
        values["dev_acer_aam"] = judge(scores, scores.aam).rates.acer
    return values
