import json
import re
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file

from training_runs import (
    PROTOCOL,
    differing,
    log_rows,
    minimal,
    minimal_data,
    one_process,
    outcome,
    train,
)
from vivant.errors import ConfigError, DataError, OutputError, TrainingError
from vivant.files import write_whole
from vivant.networks import checkpoint
from vivant.networks.checkpoint import load_checkpoint
from vivant.records import NUM_WINDOWS, Split
from vivant.training import folder as run_folder
from vivant.training import stage_run
from vivant.training.config import Experiment
from vivant.training.data import open_data
from vivant.training.draws import Draw, unchanged
from vivant.training.folder import Position, RunFolder
from vivant.training.loader import ClipReader
from vivant.training.loop import fit, require_even_batches
from vivant.training.progress import Progress
from vivant.training.scoring import judge, score_side

pytestmark = pytest.mark.usefixtures("thin_on_one_thread")


class Killed(Exception):
    """Raised where a training is to end at once."""


class Killer(Progress):
    """Ends a training when a moment of that name comes: a step, a judgement, a file."""

    def __init__(self, moment: str = "") -> None:
        super().__init__(None)
        self.moment = moment
        self.num_steps = 0
        self.seen: list[str] = []

    def reach(self, moment: str) -> None:
        self.seen.append(moment)
        if moment == self.moment:
            raise Killed(moment)

    def step(self, position: Position, values: dict[str, float]) -> None:
        self.num_steps = position.total_steps
        self.reach(f"step {position.total_steps}")

    def judged(self, position: Position, judgement: object, *, is_best: bool) -> None:
        self.reach(f"judged {position.stage}.{position.epoch}")

    def say(self, line: str) -> None:
        self.reach(f"said {line.partition(':')[0]}")

    def judge(self, *scores: object) -> object:
        self.reach(f"judging after {self.num_steps}")
        return judge(*scores)

    def write(self, path: Path, content: str | bytes) -> None:
        name = f"{path.parent.name}/{path.name}"
        self.reach(f"before {name}")
        write_whole(path, content)
        self.reach(f"after {name}")


def weights(out: Path, stage: int) -> dict[str, torch.Tensor]:
    """Of the stage's best epoch."""
    (path,) = (out / f"stage{stage}").glob("epoch-*.safetensors")
    return load_file(path)


def is_buffer(name: str) -> bool:
    return "running_" in name or "num_batches" in name


def test_run_ends_with_the_model_and_its_card(undisturbed: Path) -> None:
    network, card = load_checkpoint(undisturbed / "minimal.safetensors.json")
    assert card.training is not None
    assert card.operating_point is not None
    assert card.training.data == PROTOCOL
    assert card.training.pai_species == ("print", "replay")
    assert card.operating_point.rule == "dev-eer"
    assert not differing(dict(network.state_dict()), weights(undisturbed, 3))


def test_threshold_of_the_card_is_found_with_as_many_windows_as_a_session_scores(
    undisturbed: Path, store: Path
) -> None:
    network, card = load_checkpoint(undisturbed / "minimal.safetensors.json")
    data = open_data(store, PROTOCOL, 2)
    scores = score_side(network, data.clips, data.folder, data.dev, NUM_WINDOWS)
    assert card.operating_point is not None
    assert card.operating_point.threshold == pytest.approx(judge(scores).threshold, abs=1e-6)
    best = json.loads((undisturbed / "stage3" / "best.json").read_text())
    assert card.operating_point.threshold != best["threshold"]  # Judged by one window.


def test_all_stages_train_in_mixed_precision(store: Path, tmp_path: Path) -> None:
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    experiment = minimal(precision="bf16-mixed", data=minimal_data(clips_per_epoch=4))
    train(store, tmp_path / "run", experiment, fabric=fabric)
    rows = log_rows(tmp_path / "run")
    assert {row["stage"] for row in rows} == {"1", "2", "3"}
    assert any(row["depth_to_class_trunk"] for row in rows)
    load_checkpoint(tmp_path / "run" / "minimal.safetensors.json")


def test_log_has_a_row_for_every_step_and_every_epoch(undisturbed: Path) -> None:
    rows = log_rows(undisturbed)
    steps = [int(row["total_steps"]) for row in rows if row["loss"]]
    assert steps == list(range(1, 16))
    judged = [(row["stage"], row["epoch"]) for row in rows if row["dev_acer"]]
    assert judged == [("1", "0"), ("1", "1"), ("2", "0"), ("2", "1"), ("3", "0")]


def test_two_last_checkpoints_and_the_best_epoch_of_each_stage_are_kept(undisturbed: Path) -> None:
    kept = sorted(path.name for path in (undisturbed / "checkpoints").iterdir())
    assert kept == ["step-00000014.pt", "step-00000015.pt"]
    for stage in (1, 2, 3):
        names = sorted(path.name for path in (undisturbed / f"stage{stage}").iterdir())
        epoch = json.loads((undisturbed / f"stage{stage}" / "best.json").read_text())["epoch"]
        assert names == ["best.json", f"epoch-{epoch:03}.safetensors"]


def test_stage_2_leaves_the_advisor_as_it_is_to_the_byte(undisturbed: Path) -> None:
    before, after = weights(undisturbed, 1), weights(undisturbed, 2)
    assert not differing(before, after, "advisor.")
    changed = differing(before, after, "aam.")
    assert {name for name in after if name.startswith("aam.") and name not in changed} == set()


def test_stage_3_changes_both_modules_and_running_statistics(undisturbed: Path) -> None:
    before, after = weights(undisturbed, 2), weights(undisturbed, 3)
    assert {name for name in after if name not in differing(before, after)} == set()


def test_small_micro_batches_leave_the_advisors_batch_norms_alone(
    store: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Stage 3 from the same stage 2, two clips at a time: statistics and weights of the norms stay."""
    out = tmp_path / "run"
    small = minimal(data=minimal_data(micro_batch_clips=2, clips_per_epoch=4))
    data = open_data(store, PROTOCOL, 2)
    folder = RunFolder(out)
    folder.begin(small, {"data": data.described})
    before = weights(undisturbed, 2)
    best = json.loads((undisturbed / "stage2" / "best.json").read_text())
    folder.keep_best(run_folder.Best(**best), before)
    folder.save(Position(2, 2, 0, 12), {})
    fit(one_process(), small, data, folder, Progress(None), stages=(3,))
    after = weights(out, 3)
    same = {name for name in after if name not in differing(before, after)}
    norms = {name for name in after if name.startswith("advisor.") and ".bn." in name}
    assert same == norms
    assert any(map(is_buffer, norms))


@pytest.mark.slow
def test_stages_one_by_one_are_the_same_training(
    store: Path, undisturbed: Path, tmp_path: Path
) -> None:
    for stage in (1, 2, 3):
        assert not (tmp_path / "run" / "minimal.safetensors").exists()
        assert train(store, tmp_path / "run", stages=(stage,)).stage == stage
    assert outcome(tmp_path / "run") == outcome(undisturbed)


def test_other_seed_is_another_training(store: Path, undisturbed: Path, tmp_path: Path) -> None:
    train(store, tmp_path / "run", minimal(seed=1), stages=(1,))
    assert differing(weights(tmp_path / "run", 1), weights(undisturbed, 1))


def killed_and_resumed(
    store: Path, out: Path, moments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One training, ended at each of the moments in turn, and then let run."""
    for moment in (*moments, ""):
        killer = Killer(moment)
        monkeypatch.setattr(run_folder, "write_whole", killer.write)
        monkeypatch.setattr(checkpoint, "write_whole", killer.write)
        monkeypatch.setattr(stage_run, "judge", killer.judge)
        if moment:
            with pytest.raises(Killed, match=re.escape(moment)):
                train(store, out, progress=killer)
        else:
            train(store, out, progress=killer)


def test_training_that_was_killed_goes_on_with_the_same_bits(
    store: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is on: dropout, moving average, cosine, cache, batch norms that train."""
    out = tmp_path / "run"
    moments = [
        "step 1",  # Nothing is written yet.
        "after stage1/epoch-000.safetensors",  # The record of the best epoch is missing.
        "after checkpoints/step-00000006.pt",  # The stage is done, the next has not begun.
        "step 11",  # Within an epoch of stage 2, whose cache is filled anew.
        f"after {out.name}/minimal.safetensors",  # Its card is missing.
    ]
    killed_and_resumed(store, out, moments, monkeypatch)
    assert outcome(out) == outcome(undisturbed)


@pytest.mark.slow
def test_training_that_was_killed_at_every_moment_goes_on_with_the_same_bits(
    store: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        killer = Killer()
        patch.setattr(run_folder, "write_whole", killer.write)
        patch.setattr(checkpoint, "write_whole", killer.write)
        patch.setattr(stage_run, "judge", killer.judge)
        train(store, tmp_path / "watched" / "run", progress=killer)
    moments = [each for each in killer.seen if "experiment" not in each and "environ" not in each]
    assert len(moments) > 60
    killed_and_resumed(store, out, moments, monkeypatch)
    assert outcome(out) == outcome(undisturbed)


def test_damaged_checkpoint_is_passed_over_for_the_one_before(
    store: Path, first_stage: dict[str, object], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    with pytest.raises(Killed):
        train(store, out, progress=Killer("step 5"), stages=(1,))
    newest = out / "checkpoints" / "step-00000004.pt"
    newest.write_bytes(newest.read_bytes()[:5000])
    train(store, out, stages=(1,))
    assert outcome(out) == first_stage


def test_resuming_what_is_done_changes_nothing(
    store: Path, undisturbed: Path, tmp_path: Path
) -> None:
    before = outcome(undisturbed)
    assert train(store, undisturbed).stage == 3
    assert outcome(undisturbed) == before


def test_training_never_reads_the_test_side(store: Path, undisturbed: Path) -> None:
    """Its pictures are damaged, and the training went through."""
    data = open_data(store, PROTOCOL, 2)
    reader = ClipReader(store, 2, 224, 224)
    for split in Split:
        (row, *_) = (each for each in data.clips.presentations if each.split is split)
        draw = Draw(row.path, row.label, data.clips.windows(row.path)[0], unchanged(), 0)
        if split is Split.TEST:
            with pytest.raises(DataError, match="damaged"):
                reader[[draw]]
        else:
            reader[[draw]]
    assert {row.split for row in (*data.train, *data.dev)} == {Split.TRAIN, Split.DEV}


def one_stage(**changes: object) -> Experiment:
    """Nothing but an Advisor."""
    network = minimal().network.model_copy(update={"aam": None, "fusion": "am"})
    return minimal(network=network, stage2=None, stage3=None, **changes)


def test_network_without_second_module_has_one_stage(store: Path, tmp_path: Path) -> None:
    assert train(store, tmp_path / "run", one_stage()).stage == 1
    network, _ = load_checkpoint(tmp_path / "run" / "minimal.safetensors.json")
    assert network.aam is None


def test_stage_that_the_network_has_no_use_for_is_refused(store: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^minimal has no stage 2, 3$"):
        train(store, tmp_path / "run", one_stage(), stages=(2, 3))


def test_stage_needs_the_one_before(store: Path, tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match="stage 2 starts from stage 1, which has not been trained in"
    ):
        train(store, tmp_path / "run", stages=(2,))


def test_stage_needs_the_one_before_to_its_end(store: Path, tmp_path: Path) -> None:
    """The best epoch of half a stage is no start."""
    with pytest.raises(Killed):
        train(store, tmp_path / "run", progress=Killer("step 5"))
    with pytest.raises(TrainingError, match="stage 1 .* has not ended"):
        train(store, tmp_path / "run", stages=(2,))


def test_stage_that_later_ones_started_from_is_not_trained_again(
    undisturbed: Path, store: Path
) -> None:
    before = outcome(undisturbed)
    with pytest.raises(TrainingError, match="stage 3 has begun"):
        train(store, undisturbed, stages=(1,))
    assert outcome(undisturbed) == before


@pytest.mark.parametrize(("clips", "micro", "devices"), [(8, 8, 2), (8, 2, 3), (4, 4, 2)])
def test_batch_that_cannot_be_dealt_evenly_is_refused(clips: int, micro: int, devices: int) -> None:
    uneven = minimal(data=minimal_data(batch_clips=clips, micro_batch_clips=micro))
    with pytest.raises(
        ConfigError, match=rf"multiple of data\.micro_batch_clips x devices \({micro} x {devices}\)"
    ):
        require_even_batches(uneven, devices)


@pytest.mark.slow
def test_full_disk_leaves_what_can_be_gone_on_with(
    store: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"

    def write(path: Path, content: str | bytes) -> None:
        if path.name == "step-00000006.pt":
            raise OutputError("cannot write: no space left on device")
        write_whole(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(run_folder, "write_whole", write)
        with pytest.raises(OutputError, match="no space left"):
            train(store, out)
    train(store, out)
    assert outcome(out) == outcome(undisturbed)


def test_generators_are_those_of_the_place() -> None:
    """Each of them depends on each part of the place, and on nothing else."""
    import random

    import numpy as np

    def drawn(*place: int) -> tuple[float, float, float]:
        stage_run.seed_generators(*place)
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    places = [(0, 1, 0, 0, 0), *((1, 1, 0, 0, 0), (0, 2, 0, 0, 0), (0, 1, 1, 0, 0))]
    places += [(0, 1, 0, 1, 0), (0, 1, 0, 0, 1)]
    found = [drawn(*place) for place in places]
    assert all(len(set(numbers)) == len(places) for numbers in zip(*found, strict=True))
    assert drawn(*places[0]) == found[0]


def test_processes_that_see_different_checkpoints_do_not_train(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that is not shared: the first process is elsewhere."""
    fabric = one_process()
    monkeypatch.setattr(fabric, "broadcast", lambda place: Position(1, 1, 0, 3))
    with pytest.raises(TrainingError, match="process 0 sees another last checkpoint .*None, Pos"):
        train(store, tmp_path / "run", fabric=fabric)
