import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from training.small import small_experiment
from vivant.errors import OutputError, TrainingError
from vivant.files import unfinished_path, write_whole
from vivant.training import folder as folder_module
from vivant.training.config import Experiment, apply_settings
from vivant.training.folder import Best, Position, RunFolder, environment

FINGERPRINT = "ab" * 32
ENVIRONMENT = {"data": {"fingerprint": FINGERPRINT}, "devices": 1}


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run that has begun."""
    folder = RunFolder(tmp_path / "run")
    folder.begin(small_experiment(), ENVIRONMENT)
    return folder


def position(step: int, stage: int = 1) -> Position:
    return Position(stage=stage, epoch=0, step=step, total_steps=step)


def content(value: float) -> dict[str, Any]:
    return {"network": {"weight": torch.full((64,), value)}, "best": None, "number": value}


def best_of(epoch: int, stage: int = 1) -> Best:
    return Best(stage=stage, epoch=epoch, acer=0.25, threshold=0.5, apcer=0.3, bpcer=0.2)


def weights(value: float) -> dict[str, Tensor]:
    return {"a": torch.full((2, 3), value), "b": torch.arange(3)}


def names(folder: RunFolder, part: str) -> list[str]:
    return sorted(path.name for path in (folder.path / part).iterdir())


def damage(path: Path, value: float) -> None:
    """Change one bit of the stored weights: torch alone would not notice."""
    raw = bytearray(path.read_bytes())
    at = raw.index(torch.full((4,), value).numpy().tobytes())
    raw[at] ^= 1
    path.write_bytes(raw)


def loaded_value(found: tuple[Position, dict[str, Any]] | None) -> float:
    assert found is not None
    assert torch.equal(found[1]["network"]["weight"], torch.full((64,), found[1]["number"]))
    value: float = found[1]["number"]
    return value


def kill_at(patch: pytest.MonkeyPatch, name: str) -> None:
    def write(path: Path, text: str | bytes) -> None:
        if path.name == name:
            raise Killed
        write_whole(path, text)

    patch.setattr(folder_module, "write_whole", write)


def test_run_that_has_begun_says_what_it_is(run: RunFolder) -> None:
    assert run.is_there
    text = (run.path / "experiment.json").read_text()
    assert Experiment.model_validate_json(text) == small_experiment()
    assert json.loads((run.path / "environment.json").read_text()) == ENVIRONMENT
    run.go_on(small_experiment(), FINGERPRINT)


def test_run_of_before_a_field_goes_on_with_its_default(run: RunFolder) -> None:
    path = run.path / "experiment.json"
    content = json.loads(path.read_text())
    del content["network"]["aam"]["grid_side"], content["network"]["aam"]["depth_side"]
    path.write_text(json.dumps(content))
    run.go_on(small_experiment(), FINGERPRINT)
    finer = apply_settings(small_experiment(), ["network.aam.grid_side=7"])
    with pytest.raises(TrainingError, match=r"\(network.aam.grid_side: 4 there, 7 now\)"):
        run.go_on(finer, FINGERPRINT)


def test_new_folder_is_no_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert not folder.is_there
    assert folder.latest() is None
    assert folder.best(1) is None
    assert not folder.has_begun(1)
    with pytest.raises(TrainingError, match="expected a run to go on with at .*, found none"):
        folder.go_on(small_experiment(), FINGERPRINT)


@pytest.mark.parametrize("name", ["notes.txt", "experiment.json", "checkpoints"])
def test_run_begins_in_no_folder_with_something_else(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(OutputError, match="expected a new or empty folder at .* name another"):
        RunFolder(tmp_path).begin(small_experiment(), ENVIRONMENT)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_run_begins_in_no_file(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(OutputError, match="expected a new or empty folder"):
        RunFolder(tmp_path / "run").begin(small_experiment(), ENVIRONMENT)


def test_run_that_was_killed_while_it_began_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path / "run")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at(patch, "experiment.json")
        folder.begin(small_experiment(), ENVIRONMENT)
    unfinished_path(folder.path / "experiment.json").write_text('{"mod')
    assert not folder.is_there
    folder.begin(small_experiment(seed=1), ENVIRONMENT)
    folder.go_on(small_experiment(seed=1), FINGERPRINT)
    assert names(folder, ".") == ["environment.json", "experiment.json"]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("seed=7", r"\(seed: 0 there, 7 now\)"),
        ("stage2.loss.depth_weight=0.25", r"\(stage2.loss.depth_weight: 0.5 there, 0.25 now\)"),
        ("augment.scale_range=[1.3, 1.4]", r"scale_range: \(1.2, 1.5\) there, \(1.3, 1.4\) now"),
        ("stage3=null", r"\(stage3: {'epochs': .*} there, None now\)"),
    ],
)
def test_another_configuration_is_refused_with_its_differences(
    run: RunFolder, setting: str, message: str
) -> None:
    with pytest.raises(TrainingError, match=message) as error:
        run.go_on(apply_settings(small_experiment(), [setting]), FINGERPRINT)
    assert "give the same recipe and settings, or another folder" in str(error.value)


def test_all_differences_are_told_at_once(run: RunFolder) -> None:
    other = apply_settings(small_experiment(), ["seed=7", "stage1.epochs=3"])
    with pytest.raises(TrainingError, match="stage1.epochs: 10 there, 3 now; seed: 0 there, 7 now"):
        run.go_on(other, FINGERPRINT)


def test_other_data_are_refused(run: RunFolder) -> None:
    message = rf"begun with other data \(fingerprint {'ab' * 8}, now {'cd' * 8}\): give that store"
    with pytest.raises(TrainingError, match=message):
        run.go_on(small_experiment(), "cd" * 32)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("experiment.json", "{"),
        ("experiment.json", "{}"),
        ("environment.json", "{"),
        ("environment.json", "{}"),
        ("environment.json", '{"data": null}'),
        ("environment.json", None),
    ],
)
def test_damaged_run_is_told(run: RunFolder, name: str, text: str | None) -> None:
    if text is None:
        (run.path / name).unlink()
    else:
        (run.path / name).write_text(text)
    with pytest.raises(TrainingError, match=r"the run at .*run is damaged: "):
        run.go_on(small_experiment(), FINGERPRINT)


def test_what_a_killed_run_left_is_removed(run: RunFolder) -> None:
    run.save(position(1), content(1.0))
    left = unfinished_path(run.path / "checkpoints" / "step-00000002.pt")
    left.write_bytes(b"half")
    run.go_on(small_experiment(), FINGERPRINT)
    assert names(run, "checkpoints") == ["step-00000001.pt"]


def test_last_two_checkpoints_are_kept_and_the_newest_is_read(run: RunFolder) -> None:
    for step in (2, 9, 10, 100):
        run.save(position(step), content(step + 0.5))
        assert run.latest() is not None
    assert names(run, "checkpoints") == ["step-00000010.pt", "step-00000100.pt"]
    found = run.latest()
    assert found is not None
    assert found[0] == position(100)
    assert loaded_value(found) == 100.5
    assert found[1].keys() == content(0).keys()


def test_damaged_newest_checkpoint_falls_back_to_the_one_before(run: RunFolder) -> None:
    for step in (1, 2):
        run.save(position(step), content(step + 0.5))
    damage(run.path / "checkpoints" / "step-00000002.pt", 2.5)
    found = run.latest()
    assert found is not None
    assert found[0] == position(1)
    assert loaded_value(found) == 1.5


@pytest.mark.parametrize("text", [b"", b"no archive", None])
def test_cut_checkpoint_is_a_damaged_one(run: RunFolder, text: bytes | None) -> None:
    for step in (1, 2):
        run.save(position(step), content(step + 0.5))
    path = run.path / "checkpoints" / "step-00000002.pt"
    path.write_bytes(path.read_bytes()[:-100] if text is None else text)
    assert loaded_value(run.latest()) == 1.5


def test_no_whole_checkpoint_is_an_error_and_not_a_new_start(run: RunFolder) -> None:
    for step in (1, 2):
        run.save(position(step), content(step + 0.5))
        damage(run.path / "checkpoints" / f"step-{step:08}.pt", step + 0.5)
    with pytest.raises(TrainingError, match="none of the checkpoints in .*checkpoints is whole"):
        run.latest()


def test_checkpoint_that_could_run_code_is_not_loaded(run: RunFolder) -> None:
    run.save(position(1), content(1.5))
    torch.save({"position": Path("x")}, run.path / "checkpoints" / "step-00000002.pt")
    assert loaded_value(run.latest()) == 1.5


def test_checkpoint_that_was_not_written_leaves_those_before(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (1, 2):
        run.save(position(step), content(step + 0.5))
    kill_at(monkeypatch, "step-00000003.pt")
    with pytest.raises(Killed):
        run.save(position(3), content(3.5))
    assert names(run, "checkpoints") == ["step-00000001.pt", "step-00000002.pt"]


def test_best_comes_back_and_leaves_one_file_of_weights(run: RunFolder) -> None:
    for epoch in (0, 3, 12):
        run.keep_best(best_of(epoch), weights(epoch + 0.5))
        found = run.best(1)
        assert found is not None
        assert found[0] == best_of(epoch)
        assert found[1].keys() == {"a", "b"}
        assert all(torch.equal(found[1][name], weights(epoch + 0.5)[name]) for name in found[1])
        assert names(run, "stage1") == ["best.json", f"epoch-{epoch:03}.safetensors"]
    assert run.best(2) is None


def test_weights_need_not_lie_in_a_row(run: RunFolder) -> None:
    transposed = torch.arange(6.0).reshape(2, 3).T.requires_grad_()
    run.keep_best(best_of(0), {"a": transposed})
    found = run.best(1)
    assert found is not None
    assert torch.equal(found[1]["a"], torch.tensor([[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]))


def test_kill_between_weights_and_record_leaves_the_best_of_before(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.keep_best(best_of(1), weights(1.5))
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at(patch, "best.json")
        run.keep_best(best_of(2), weights(2.5))
    assert names(run, "stage1") == [
        "best.json",
        "epoch-001.safetensors",
        "epoch-002.safetensors",
    ]
    found = run.best(1)
    assert found is not None
    assert found[0] == best_of(1)
    assert torch.equal(found[1]["a"], weights(1.5)["a"])
    run.keep_best(best_of(3), weights(3.5))
    assert names(run, "stage1") == ["best.json", "epoch-003.safetensors"]


def test_kill_before_the_first_record_leaves_no_best(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_at(monkeypatch, "best.json")
    with pytest.raises(Killed):
        run.keep_best(best_of(0), weights(0.5))
    assert run.best(1) is None
    assert not run.has_begun(1)


@pytest.mark.parametrize("name", ["best.json", "epoch-001.safetensors"])
def test_damaged_best_is_told(run: RunFolder, name: str) -> None:
    run.keep_best(best_of(1), weights(1.5))
    path = run.path / "stage1" / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(TrainingError, match=r"the best weights in .*stage1 are damaged: "):
        run.best(1)


def test_stage_has_begun_with_its_checkpoint_or_its_best(run: RunFolder) -> None:
    assert [run.has_begun(stage) for stage in (1, 2, 3)] == [False] * 3
    run.save(position(1), content(1.0))
    assert [run.has_begun(stage) for stage in (1, 2, 3)] == [True, False, False]
    run.keep_best(best_of(0), weights(0.5))
    run.save(position(2, stage=2), content(2.0))
    run.save(position(3, stage=2), content(3.0))
    assert [run.has_begun(stage) for stage in (1, 2, 3)] == [True, True, False]


def test_failure_is_told(run: RunFolder) -> None:
    path = run.tell_failure({"stage": 2, "values": {"loss": "nan"}})
    assert path == run.path / "failure.json"
    assert json.loads(path.read_text()) == {"stage": 2, "values": {"loss": "nan"}}


def test_environment_says_what_a_run_was_made_with() -> None:
    found = environment({"name": "folder", "fingerprint": FINGERPRINT}, 2, "32")
    assert found["data"]["fingerprint"] == FINGERPRINT
    assert (found["devices"], found["precision"]) == (2, "32")
    assert found["versions"]["torch"] == torch.__version__
    assert found["versions"]["numpy"]
    json.dumps(found)
