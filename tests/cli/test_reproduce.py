import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commands import run
from reproductions import Trainer, named_store
from training_runs import thin_backbone
from vivant.cli.app import app
from vivant.errors import VivantError
from vivant.reproduction import runs
from vivant.reproduction.data import Data


def test_dry_run_lists_the_runs_and_does_nothing(tmp_path: Path) -> None:
    ended = run("reproduce", "table1", "--recipe", "smoke", "--out", tmp_path / "out", "--dry-run")
    assert ended.returncode == 0
    lines = ended.stdout.split()
    assert len(lines) == 12
    assert lines[0] == "oulu_npu-1-model_a-seed0"
    assert not (tmp_path / "out").exists()
    vary = ("--vary", "network.aam.num_patches=2,8", "--vary", "network.fusion=mean")
    words = ("ablation", *vary, "--recipe", "smoke", "--out", tmp_path / "out", "--dry-run")
    lines = run("reproduce", *words).stdout.split()
    assert len(lines) == 3 * (1 + 2)
    assert "oulu_npu-1-model_d-seed2-network.aam.num_patches=8-network.fusion=mean" in lines
    vary = ("--vary", "network.aam.grid_side=7", "--vary", "network.aam.depth_side=7,28")
    lines = run("reproduce", *words[:1], *vary, *words[5:]).stdout.split()
    assert len(lines) == 3 * (1 + 2)
    assert "oulu_npu-1-model_d-seed0-network.aam.grid_side=7-network.aam.depth_side=28" in lines


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("table9", "--recipe", "smoke"), "did you mean"),
        (("table1",), "--pretrained FILE"),
        (("table1", "--recipe", "smoke"), "--oulu DIR"),
        (("table2", "--recipe", "smoke"), "--siw DIR"),
        (("table1", "--recipe", "smoke", "--data", "oulu"), "expected --data synthetic"),
        (("table1", "--recipe", "smoke", "--data", "synthetic:huge"), "huge"),
        (("table1", "--recipe", "model_b", "--pretrained", "none", "--oulu", "x"), "whole network"),
        (("table1", "--recipe", "smoke", "--vary", "a=1"), "--vary is for the target ablation"),
        (("ablation", "--recipe", "smoke", "--vary", "a"), "expected --vary PART.FIELD=V1,V2"),
        (("table1", "--recipe", "smoke", "--set", "stage9.x=1"), "no field"),
        (("ablation", "--recipe", "smoke", "--vary", "seed=-1", "--dry-run"), "seed"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, words: tuple[str, ...], expected: str) -> None:
    ended = CliRunner().invoke(app, ["reproduce", *words, "--out", str(tmp_path / "out")])
    # `vivant.cli.app.main` makes one line of an error of ours.
    assert isinstance(ended.exception, VivantError)
    assert expected in str(ended.exception)


@pytest.mark.parametrize("options", [("--address", "auto"), ("--gpus-per-run", "0.5")])
def test_options_of_a_cluster_need_one(tmp_path: Path, options: tuple[str, ...]) -> None:
    words = ["reproduce", "table1", "--recipe", "smoke", "--out", str(tmp_path / "out"), *options]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 2
    assert f"--engine ray with {options[0]}" in " ".join(ended.output.replace("│", " ").split())


def test_a_figure_comes_out_and_says_that_it_is_smoke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thin_backbone(monkeypatch.setattr)
    trainer = Trainer()
    monkeypatch.setattr(runs, "fit", trainer)
    draw_figure_1(named_store(tmp_path / "oulu", "oulu-npu", num_frames=2, phones="12"), tmp_path)
    assert len(trainer.asked) == 1


@pytest.mark.slow
def test_a_figure_of_a_trained_network_comes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thin_backbone(monkeypatch.setattr)
    draw_figure_1(named_store(tmp_path / "oulu", "oulu-npu"), tmp_path)


def draw_figure_1(oulu: Data, tmp_path: Path) -> None:
    """Order figure 1 twice, once for people and once as JSON."""
    words = ["reproduce", "figure1", "--recipe", "smoke", "--oulu", str(oulu.store)]
    ended = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "out")])
    assert ended.exit_code == 0, ended.output
    for told in ("SYNTHETIC", "SMOKE, plumbing only", "bona fide less attack", "figure1.html"):
        assert told in ended.output
    ended = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "out"), "--json"])
    content = json.loads(ended.stdout)
    assert content["facts"]["recipe"] == "smoke"
    assert content["tables"] == {}
