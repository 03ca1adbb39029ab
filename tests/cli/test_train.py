import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from training_runs import side, thin_backbone, training_store
from vivant.cli.app import app
from vivant.errors import (
    ConfigError,
    DataError,
    OutputError,
    TrainingError,
    UnknownNameError,
    VivantError,
)
from vivant.networks.checkpoint import load_checkpoint
from vivant.preparation.record import PreparedPresentation
from vivant.records import Split
from vivant.training.config import Experiment

ONE_STEP = ("--set", "data.clips_per_epoch=4", "--set", "network.advisor.hidden_size=8")


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def train(store: Path, out: Path, *options: str | Path, recipe: str = "smoke") -> Result:
    """One step a stage; options given later count."""
    where = ("--data", store, "--protocol", "folder", "--out", out)
    return run("train", recipe, *where, *ONE_STEP, *options)


def rows() -> list[PreparedPresentation]:
    found = [row for split in Split for row in side(split)]
    return [
        replace(row, presentation=replace(row.presentation, subject=row.presentation.path))
        for row in found
    ]


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module", autouse=True)
def _thin() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        thin_backbone(patch.setattr)
        yield


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic, each presentation of another subject, at a place whose name looks like markup."""
    folder = tmp_path_factory.mktemp("data") / "[red]store[/]"
    return training_store(folder, rows(), is_synthetic=True)


@pytest.fixture(scope="module")
def trained(store: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A run of all stages: its folder, and what was printed."""
    out = tmp_path_factory.mktemp("trained") / "run"
    return out, train(store, out)


@pytest.fixture(scope="module")
def stage_1(store: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A run of stage 1 alone."""
    out = tmp_path_factory.mktemp("stage_1") / "run"
    return out, train(store, out, "--stage", "1")


def test_training_ends_with_a_card_that_says_all(trained: tuple[Path, Result]) -> None:
    out, _ = trained
    network, card = load_checkpoint(out / "smoke.safetensors.json")
    assert network.config.advisor.hidden_size == 8
    assert card.training is not None
    assert card.training.is_synthetic
    assert card.training.pai_species == ("print", "replay")
    assert card.operating_point is not None
    assert card.operating_point.rule == "dev-eer"
    assert 0 < card.operating_point.threshold <= 1


def test_end_says_how_good_it_is_and_what_to_do_with_it(trained: tuple[Path, Result]) -> None:
    out, result = trained
    assert re.search(r"stage 3, epoch 1: dev ACER \d+\.\d%", result.stdout)
    assert "optimistic" in result.stdout
    assert f"vivant check CLIP.mp4 --model {out / 'smoke.safetensors.json'}" in result.stdout


def test_folder_has_the_settings_and_the_data_of_the_run(trained: tuple[Path, Result]) -> None:
    out, _ = trained
    experiment = Experiment.model_validate_json((out / "experiment.json").read_text())
    assert experiment.data.clips_per_epoch == 4
    environment = json.loads((out / "environment.json").read_text())
    assert environment["data"]["is_synthetic"] is True
    assert environment["devices"] == 1


def test_dry_run_prints_plan_and_configuration_and_writes_nothing(
    store: Path, tmp_path: Path
) -> None:
    before = files(store)
    result = train(store, tmp_path / "run", "--dry-run", "--seed", "7")
    assert not (tmp_path / "run").exists()
    assert files(store) == before
    experiment = Experiment.model_validate_json(result.stdout)
    assert (experiment.seed, experiment.data.clips_per_epoch) == (7, 4)
    plan = " ".join(result.stderr.split())
    assert "smoke: PLUMBING ONLY" in plan
    assert f"data: folder in {store} SYNTHETIC: the model will say so" in plan
    assert "side bona fide print replay without a clip train 2 1 1 0 dev 2 1 1 0" in plan
    assert re.search(r"3 1 1 4 3e-05 \d+ s [\d,]+ MiB about \d+ s in all", plan)


def test_dry_run_of_a_run_that_is_there_leaves_it_alone(
    store: Path, trained: tuple[Path, Result]
) -> None:
    out, _ = trained
    before = files(out)
    train(store, out, "--dry-run")
    assert files(out) == before


def test_options_are_the_settings_of_the_same_name(store: Path, tmp_path: Path) -> None:
    """A plan needs no weights: the thin backbone is not what the package has some for."""
    options = ("--precision", "bf16-mixed", "--pretrained", "package", "--stage", "1", "--dry-run")
    experiment = Experiment.model_validate_json(train(store, tmp_path / "run", *options).stdout)
    assert (experiment.precision, experiment.pretrained) == ("bf16-mixed", "package")


def test_resume_of_what_is_done_changes_nothing(store: Path, trained: tuple[Path, Result]) -> None:
    out, first = trained
    before = files(out)
    result = train(store, out, "--resume")
    assert result.stdout == first.stdout
    after = files(out)
    assert {name for name in before if after[name] != before[name]} == set()


def test_stage_1_says_that_the_next_is_to_come(stage_1: tuple[Path, Result]) -> None:
    out, result = stage_1
    assert "the next stage: --stage 2" in result.stdout
    assert not (out / "smoke.safetensors.json").exists()


def test_stages_one_by_one_are_the_whole_training(
    store: Path, stage_1: tuple[Path, Result], trained: tuple[Path, Result]
) -> None:
    out, _ = stage_1
    with pytest.raises(TrainingError, match=r"a run has begun at .*: go on with --resume"):
        train(store, out, "--stage", "1")
    assert "the next stage: --stage 3" in train(store, out, "--stage", "2").stdout
    assert "vivant check" in train(store, out, "--stage", "3").stdout
    name = "smoke.safetensors"
    assert (out / name).read_bytes() == (trained[0] / name).read_bytes()


def refused(error: type[VivantError], match: str, store: Path, out: Path, *words: str) -> None:
    """The error is of that kind, and one line; nothing is written. Words are recipe and options."""
    before = files(out)
    recipe, *rest = words
    with pytest.raises(error, match=match) as found:
        train(store, out, *rest, recipe=recipe)
    assert "\n" not in str(found.value)
    assert files(out) == before


@pytest.mark.parametrize(
    ("error", "match", "options"),
    [
        (UnknownNameError, "no recipe is called 'smoek': did you mean 'smoke'", ("smoek",)),
        (DataError, "nowhere", ("smoke", "--data", "nowhere")),
        (UnknownNameError, "no protocol of .* is called '9'", ("smoke", "--protocol", "folder:9")),
        (DataError, "expected a protocol of folder, .* got 'oulu-npu:1'",
         ("smoke", "--protocol", "oulu-npu:1")),
        (DataError, "expected DATA_SET:PROTOCOL", ("smoke", "--protocol", ":1")),
        (ConfigError, "no field 'stage1.epoch': did you mean 'epochs'",
         ("smoke", "--set", "stage1.epoch=3")),
        (ConfigError, "stage1.epochs: .* got 'many'", ("smoke", "--set", "stage1.epochs=many")),
        (ConfigError, "expected part.field=value, got 'epochs'", ("smoke", "--set", "epochs")),
        (ConfigError, "precision: .* got '16'", ("smoke", "--precision", "16")),
        (ConfigError, "multiple of data.micro_batch_clips x devices",
         ("smoke", "--devices", "3")),
        (ConfigError, "^model_d starts from ImageNet weights, .*--pretrained FILE", ("model_d",)),
        (UnknownNameError, "no backbone is called 'resnet1'",
         ("smoke", "--set", "network.advisor.backbone=resnet1")),
        (TrainingError, "--resume goes on with a run, and there is none at", ("smoke", "--resume")),
        (TrainingError, "--stage 2 goes on from a run, and there is none at",
         ("smoke", "--stage", "2")),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_in_one_line(
    store: Path, tmp_path: Path, error: type[VivantError], match: str, options: tuple[str, ...]
) -> None:
    refused(error, match, store, tmp_path / "run", *options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("match", "options"),
    [
        ("a run has begun at .*: go on with --resume, or name another", ("smoke",)),
        ("another configuration .seed: 0 there, 1 now", ("smoke", "--resume", "--seed", "1")),
        ("model: smoke there, tiny now", ("tiny", "--resume", "--set", "network.num_frames=2")),
        ("begun with --protocol folder, now it is folder:subject:0.4/0.3/0.3",
         ("smoke", "--resume", "--protocol", "folder:subject:0.4/0.3/0.3")),
        ("a run has begun", ("smoke", "--stage", "2")),
    ],
)  # fmt: skip
def test_run_that_is_there_is_not_mistaken_for_another(
    store: Path, trained: tuple[Path, Result], match: str, options: tuple[str, ...]
) -> None:
    refused(TrainingError, match, store, trained[0], *options)


def test_run_is_not_gone_on_with_on_other_data(
    tmp_path: Path, trained: tuple[Path, Result]
) -> None:
    other = training_store(tmp_path / "other", rows()[:-1], is_synthetic=True)
    refused(TrainingError, "was begun with other data", other, trained[0], "smoke", "--resume")


def test_folder_with_something_else_is_left_alone(store: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    refused(OutputError, "expected a new or empty folder", store, tmp_path, "smoke")


@pytest.mark.parametrize("options", [("--stage", "4"), ("--devices", "0"), ("--seed", "-1")])
def test_number_out_of_range_is_wrong_usage(
    store: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    result = train(store, tmp_path / "run", *options)
    assert result.exit_code == 2
    assert options[0] in result.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--address", "auto"), "--engine ray with --address"),
        (("--workers", "2", "--use-gpu"), "--engine ray with --workers, --use-gpu"),
        (("--engine", "ray", "--devices", "2"), "--workers with --engine ray, got --devices"),
    ],
)
def test_options_of_another_engine_are_wrong_usage(
    store: Path, tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    result = train(store, tmp_path / "run", *options)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.replace("│", " ").split())


def test_what_a_cluster_would_do_is_told_without_one(store: Path, tmp_path: Path) -> None:
    options = ("--engine", "ray", "--workers", "2", "--set", "data.micro_batch_clips=2")
    result = train(store, tmp_path / "run", *options, "--dry-run")
    assert Experiment.model_validate_json(result.stdout).data.micro_batch_clips == 2
    refused(ConfigError, "x devices .4 x 3.", store, tmp_path / "run", "smoke", *options[:3], "3")


def test_training_needs_to_be_told_its_data() -> None:
    result = run("train", "smoke")
    assert result.exit_code == 2
    assert "Missing option" in result.stderr
