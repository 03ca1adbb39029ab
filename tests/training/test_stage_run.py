import json
import random
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pytest
import torch
from torch import Tensor

from training_process import DEALS, STAGES, Gradients, digest, gradients, started
from training_runs import (
    log_rows,
    minimal,
    minimal_data,
    one_process,
    outcome,
    train,
)
from vivant.errors import TrainingError
from vivant.networks.checkpoint import load_checkpoint
from vivant.training import loop, stage_run, stages
from vivant.training.config import DataConfig
from vivant.training.data import open_data
from vivant.training.draws import Drawer
from vivant.training.folder import Position, RunFolder
from vivant.training.progress import Progress
from vivant.training.scoring import judge
from vivant.training.start import new_network

Weights = dict[str, Tensor]


pytestmark = pytest.mark.usefixtures("thin_on_one_thread")


class Watcher(Progress):
    """Keeps the network's weights at the beginning of each stage, after steps and judgements."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        super().__init__(None)
        self.begun: dict[int, Weights] = {}
        self.judgements: dict[tuple[int, int], Weights] = {}
        self.after_step: Weights = {}
        patch.setattr(loop, "new_network", self._new_network)

    def _new_network(self, *inputs: object) -> object:
        self.network = new_network(*inputs)
        return self.network

    @property
    def weights(self) -> Weights:
        return {name: each.clone() for name, each in self.network.state_dict().items()}

    def begin(self, position: Position, num_epochs: int, steps_per_epoch: int) -> None:
        self.begun[position.stage] = self.weights

    def step(self, position: Position, values: dict[str, float]) -> None:
        self.after_step = self.weights

    def judged(self, position: Position, judgement: object, *, is_best: bool) -> None:
        self.judgements[position.stage, position.epoch] = self.weights


def parameters(weights: Weights) -> Weights:
    """Without what a forward pass alone changes."""
    return {
        name: each
        for name, each in weights.items()
        if "running_" not in name and "num_batches" not in name
    }


def turn_bad(patch: pytest.MonkeyPatch, call: int, value: float) -> None:
    """The loss of the call of that number, from 1, is NaN or infinite."""
    total_loss = stages.total_loss
    calls = 0

    def total(*inputs: object) -> object:
        nonlocal calls
        calls += 1
        losses = total_loss(*inputs)
        return losses._replace(total=losses.total * value) if calls == call else losses

    patch.setattr(stages, "total_loss", total)


def test_loss_that_is_no_number_ends_the_training_before_its_step(
    store: Path,
    first_stage: dict[str, object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "run"
    fail_before_a_step(store, out, monkeypatch, 2, float("nan"), Position(1, 0, 1, 2))
    train(store, out, stages=(1,))
    assert {**outcome(out), "failure.json": None} == {**first_stage, "failure.json": None}


@pytest.mark.slow
def test_infinite_loss_of_stage_2_ends_the_training_which_goes_on_to_its_end(
    store: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    fail_before_a_step(store, out, monkeypatch, 12, float("inf"), Position(2, 1, 2, 12))
    train(store, out)
    assert {**outcome(out), "failure.json": None} == {**outcome(undisturbed), "failure.json": None}


def fail_before_a_step(
    store: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: int,
    value: float,
    place: Position,
) -> None:
    """Train until a loss is no number; the step is not taken, and its clips are written down."""
    experiment = minimal()
    stage, epoch, step = place.stage, place.epoch, place.step
    with monkeypatch.context() as patch:
        watcher = Watcher(patch)
        turn_bad(patch, call, value)
        message = f"stage {stage} epoch {epoch + 1} step {step + 1}: loss.* is not a finite number"
        with pytest.raises(TrainingError, match=message):
            train(store, out, progress=watcher)
    before, after = parameters(watcher.after_step), parameters(watcher.weights)
    assert digest(after) == digest(before)
    failure = json.loads((out / "failure.json").read_text())
    assert (failure["stage"], failure["epoch"], failure["step"]) == (stage, epoch, step)
    assert failure["values"]["loss"] == repr(value)
    data = open_data(store, "folder", 2)
    drawer = Drawer(
        data.clips, data.train, experiment.data, experiment.augment, 0, stage, repeats=stage == 2
    )
    draws = drawer.epoch(epoch)[4 * step : 4 * step + 4]
    assert [clip["presentation"] for clip in failure["clips"]] == [draw.path for draw in draws]
    assert [clip["rows"] for clip in failure["clips"]] == [[*draw.window] for draw in draws]


def script(patch: pytest.MonkeyPatch, acers: list[float]) -> None:
    """The epochs are as good as this, in turn."""
    left = iter(acers)

    def scripted(scores: object, by: object = None) -> object:
        found = judge(scores, by)
        if by is not None:
            return found
        rate = next(left)
        rates = replace(found.rates, bpcer=rate, apcer_by_species={"print": rate})
        return replace(found, rates=rates)

    patch.setattr(stage_run, "judge", scripted)


@pytest.mark.parametrize(
    ("acers", "best"),
    [
        ([0.3, 0.1, 0.2], 1),
        ([0.1, 0.2, 0.3], 0),
        ([0.3, 0.2, 0.1], 2),
        ([0.2, 0.3, 0.2], 2),  # Of equally good ones the later.
        ([0.2, 0.2, 0.3], 1),
    ],
)
def test_stage_ends_with_the_best_epoch_and_the_next_starts_from_it(
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    acers: list[float],
    best: int,
) -> None:
    plain = minimal()
    experiment = minimal(
        data=minimal_data(clips_per_epoch=4),
        optimiser=plain.optimiser.model_copy(update={"ema_decay": None}),
        stage1=plain.stage1.model_copy(update={"epochs": 3}),
        stage2=plain.stage2.model_copy(update={"epochs": 1}),
    )
    watcher = Watcher(monkeypatch)
    script(monkeypatch, [*acers, 0.5])
    out = tmp_path / "run"
    train(store, out, experiment, progress=watcher, stages=(1, 2))
    judgements = watcher.judgements
    assert len({digest(judgements[1, epoch]) for epoch in range(3)}) == 3
    found, weights = RunFolder(out).best(1)
    assert (found.epoch, found.acer) == (best, acers[best])
    assert digest(weights_like(weights, judgements[1, best])) == digest(judgements[1, best])
    assert digest(watcher.begun[2]) == digest(judgements[1, best])


def weights_like(weights: Weights, order: Mapping[str, object]) -> Weights:
    assert weights.keys() == order.keys()
    return {name: weights[name] for name in order}


def test_moving_average_is_what_is_judged_and_kept(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After one step it is the first weights; after the second it is halfway to the newest ones."""
    experiment = minimal(data=minimal_data(clips_per_epoch=8))
    experiment = experiment.model_copy(
        update={"stage1": experiment.stage1.model_copy(update={"epochs": 1})}
    )
    watcher = Watcher(monkeypatch)
    seen: list[Weights] = []
    monkeypatch.setattr(Watcher, "step", lambda self, *_: seen.append(self.weights))
    train(store, tmp_path / "run", experiment, progress=watcher, stages=(1,))
    found = RunFolder(tmp_path / "run").best(1)[1]
    first, second = seen
    for name, each in parameters(found).items():
        torch.testing.assert_close(each, (first[name] + second[name]) / 2)
    for name in found.keys() - parameters(found).keys():  # Running statistics are copied.
        assert torch.equal(found[name], second[name])


def test_backbone_that_is_computed_twice_is_trained_alike(
    store: Path, first_stage: dict[str, object], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    train(store, out, minimal(activation_checkpointing=True), stages=(1,))
    kept, computed = dict(first_stage), outcome(out)
    assert kept.pop("experiment.json") != computed.pop("experiment.json")
    assert kept == computed


def furthest(found: Gradients, expected: Gradients) -> float:
    """The largest difference of a tensor, relative to its largest number."""
    assert found.keys() == expected.keys()
    assert any(each.any() for each in expected.values())
    largest = max(each.abs().max() for each in expected.values())
    return max(
        float((found[name] - each).abs().max() / each.abs().max().clamp_min(1e-6 * largest))
        for name, each in expected.items()
    )


def alone(store: Path, stage: int, dealt: DataConfig, **named: Any) -> tuple[Gradients, list[str]]:
    return gradients(one_process(), store, store.parent / "none", stage, dealt, **named)


WHOLE = minimal_data(batch_clips=8, micro_batch_clips=8, clips_per_epoch=8)


@pytest.mark.parametrize(
    "stage", [pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow), 3]
)
def test_two_micro_batches_give_the_gradient_of_the_whole(store: Path, stage: int) -> None:
    """Without dropout and with norms that are not trained."""
    halves, _ = alone(store, stage, DEALS["norms frozen"], norms_train=False)
    whole, _ = alone(store, stage, WHOLE, norms_train=False)
    assert furthest(halves, whole) < 1e-5


@pytest.fixture(scope="module")
def of_two(store: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[Any, Any]]:
    """What each of two processes found."""
    out = tmp_path_factory.mktemp("two") / "found"
    process = started("gradients", store, out)
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 0, said
    return [torch.load(out / f"process{rank}.pt") for rank in (0, 1)]


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_two_processes_find_the_gradient_of_one(
    store: Path, of_two: list[dict[Any, Any]], stage: int
) -> None:
    for rank in (0, 1):
        found, _ = of_two[rank]["norms train", stage]
        expected, _ = alone(store, stage, DEALS["norms train"], norms_train=True)
        assert furthest(found, expected) < 1e-5
        found, _ = of_two[rank]["norms frozen", stage]
        expected, _ = alone(store, stage, WHOLE, norms_train=False)
        assert furthest(found, expected) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_running_statistics_are_handed_on_before_the_first_pass_of_a_step(
    of_two: list[dict[Any, Any]], stage: int
) -> None:
    """Two steps of two passes: at the second of a step each process has its own."""
    first, second = (found["twice two", stage][1] for found in of_two)
    # Stage 2 asks the Advisor of its eight clips first; it is frozen.
    first, second = first[-4:], second[-4:]
    assert [one == other for one, other in zip(first, second, strict=True)] == [
        True, False, True, False,
    ]  # fmt: skip
    assert len(set(first)) == 4


@pytest.mark.slow
def test_two_processes_train_together_by_the_command(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHED", str(tmp_path))
    sets = [
        "data.batch_clips=8", "data.clips_per_epoch=16", "stage2.cache_advisor=true",
        "optimiser.ema_decay=0.5", "stage1.epochs=2",
    ]  # fmt: skip
    out = tmp_path / "run"
    words = ["train", "smoke", "--data", store, "--protocol", "folder", "--out", out]
    words += ["--devices", 2, *(word for each in sets for word in ("--set", each))]
    process = started(*words)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert said.count("vivant check CLIP.mp4 --model") == 1, said
    rows = log_rows(out)
    assert [int(row["total_steps"]) for row in rows if row["loss"]] == list(range(1, 9))
    assert [row["stage"] for row in rows if row["dev_acer"]] == ["1", "1", "2", "3"]
    assert len([*(out / "tensorboard").iterdir()]) == 1
    assert json.loads((out / "environment.json").read_text())["devices"] == 2
    # Each process judges its share of the dev side: with the same weights and statistics.
    first, second = ((tmp_path / f"process{at}.txt").read_text().split() for at in (0, 1))
    assert first == second
    assert len(set(first)) == 4
    network, _ = load_checkpoint(out / "smoke.safetensors.json")
    assert digest(dict(network.state_dict())) == first[-1]


@pytest.mark.slow
def test_process_that_is_killed_goes_on_with_the_same_bits(
    store: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    process = started("fit", store, out, "killed-at", 5)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL, said
    assert (out / "checkpoints" / "step-00000004.pt").exists()
    assert not (out / "minimal.safetensors").exists()
    train(store, out)
    assert outcome(out) == outcome(undisturbed)


@pytest.mark.nightly
def test_process_that_is_killed_twenty_times_goes_on_with_the_same_bits(
    store: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Each is killed after a number of lines drawn by chance; one that has ended is checked."""
    expected = outcome(undisturbed)
    chance, kills, runs = random.Random(20), 0, 0
    while kills < 20:
        out = tmp_path / str(runs)
        with reading(started("fit", store, out)) as (process, lines):
            said = list(islice(lines, chance.randint(1, 8)))
            process.kill()
            said += lines
        if process.returncode == 0:
            assert outcome(out) == expected
            runs += 1
        else:
            assert process.returncode == -signal.SIGKILL, said
            kills += 1
    train(store, tmp_path / str(runs))
    assert outcome(tmp_path / str(runs)) == expected


@contextmanager
def reading(process: "subprocess.Popen[str]") -> Iterator[tuple["subprocess.Popen[str]", IO[str]]]:
    """The process and the lines that it says; it ends with the block, or after ten minutes."""
    assert process.stdout is not None
    bound = threading.Timer(600, process.kill)
    bound.start()
    try:
        yield process, process.stdout
    finally:
        bound.cancel()
        process.kill()
        process.communicate()
