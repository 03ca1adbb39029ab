import json
import random
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

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
    thin_backbone,
    train,
    training_store,
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


@pytest.fixture(scope="module", autouse=True)
def _thin() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        thin_backbone(patch.setattr)
        # With one thread the bits are those of `training_process.py`.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training_store(tmp_path_factory.mktemp("store") / "store")


@pytest.fixture(scope="module")
def undisturbed(store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a run of all three stages leaves."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    train(store, out)
    return outcome(out)


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


@pytest.mark.parametrize(
    ("call", "value", "stage", "epoch", "step"),
    [
        (2, float("nan"), 1, 0, 1),
        pytest.param(12, float("inf"), 2, 1, 2, marks=pytest.mark.slow),
    ],
)
def test_loss_that_is_no_number_ends_the_training_before_its_step(
    store: Path,
    undisturbed: dict[str, object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: int,
    value: float,
    stage: int,
    epoch: int,
    step: int,
) -> None:
    out, experiment = tmp_path / "run", minimal()
    with monkeypatch.context() as patch:
        watcher = Watcher(patch)
        turn_bad(patch, call, value)
        place = f"stage {stage} epoch {epoch + 1} step {step + 1}: loss.* is not a finite number"
        with pytest.raises(TrainingError, match=place):
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
    train(store, out)
    assert {**outcome(out), "failure.json": None} == {**undisturbed, "failure.json": None}


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


def test_backbone_that_is_computed_twice_is_trained_alike(store: Path, tmp_path: Path) -> None:
    for checkpointing in (False, True):
        train(
            store, tmp_path / str(checkpointing), stages=(1,),
            experiment=minimal(activation_checkpointing=checkpointing),
        )  # fmt: skip
    kept, computed = (outcome(tmp_path / str(each)) for each in (False, True))
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


@pytest.mark.parametrize("stage", STAGES)
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
    store: Path, undisturbed: dict[str, object], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    process = started("fit", store, out)
    wait_for(process, out / "checkpoints" / "step-00000004.pt")
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (out / "minimal.safetensors").exists()
    train(store, out)
    assert outcome(out) == undisturbed


def wait_for(process: Any, path: Path) -> None:
    while not path.exists():
        assert process.poll() is None
        time.sleep(0.002)


@pytest.mark.slow
def test_process_that_is_killed_twenty_times_goes_on_with_the_same_bits(
    store: Path, undisturbed: dict[str, object], tmp_path: Path
) -> None:
    """At moments drawn by chance; a training that is done before it is checked, and begun anew."""
    chance, kills, runs = random.Random(20), 0, 0
    while kills < 20:
        process = started("fit", store, tmp_path / str(runs))
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            said, _ = process.communicate(timeout=chance.uniform(0, 2))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
        else:
            assert process.returncode == 0, said
            assert outcome(tmp_path / str(runs)) == undisturbed
            runs += 1
    train(store, tmp_path / str(runs))
    assert outcome(tmp_path / str(runs)) == undisturbed
