import json

import numpy as np
import pytest
from typer.testing import CliRunner

from vivant.cli.app import app
from vivant.datasets import synthetic
from vivant.datasets.synthetic import MARKER
from vivant.datasets.synthetic_plan import SIZES, Size, plan

runner = CliRunner()


def make(root, *options: str):
    command = ["data", "synthetic", "--layout", "oulu-npu", "--size", "tiny", "--out", str(root)]
    return runner.invoke(app, [*command, "--workers", "1", *options])


def test_the_command_makes_a_benchmark_that_check_knows(tmp_path, monkeypatch):
    videos = [
        video
        for video in plan("oulu-npu", "tiny")
        if video.path.endswith(("1_1_01_1.avi", "1_2_21_1.avi", "1_3_38_1.avi"))
    ]
    monkeypatch.setitem(SIZES, "tiny", Size(1, False, 8, 8))
    monkeypatch.setattr(synthetic, "plan", lambda layout, size: videos)
    grey = np.full((480, 360, 3), 90, np.uint8)
    monkeypatch.setattr(synthetic.Studio, "film", lambda studio, video: iter([grey]))
    root = tmp_path / "new"
    answer = make(root, "--seed", "4")
    assert answer.exit_code == 0, answer.output
    assert "3 SYNTHETIC videos" in answer.output
    assert "3 made" in answer.output
    assert "vivant data check oulu_npu" in answer.output
    assert json.loads((root / MARKER).read_text())["synthetic"]["seed"] == 4
    assert "0 made" in make(root, "--seed", "4").output

    checked = runner.invoke(app, ["data", "check", "oulu_npu", str(root), "--protocol", "1"])
    assert checked.exit_code == 0, checked.output
    assert "SYNTHETIC (tiny): drawn by a program, not people" in checked.output
    assert "1 + 0" in checked.output  # Expected on each side: one user's file 1.
    (root / videos[0].path).unlink()
    less = ["data", "check", "oulu_npu", str(root), "--protocol", "1", "--json"]
    found = runner.invoke(app, less)
    assert found.exit_code == 1
    content = json.loads(found.output)
    assert content["synthetic"] == "tiny"
    assert content["splits"]["train"]["expected"] == [1, 0]
    assert content["splits"]["train"]["bona_fide"] == 0


@pytest.mark.parametrize("missing", ["--layout", "--size", "--out"])
def test_layout_size_and_folder_have_to_be_named(missing, tmp_path):
    command = ["data", "synthetic", "--layout", "siw", "--size", "tiny", "--out", str(tmp_path)]
    at = command.index(missing)
    answer = runner.invoke(app, command[:at] + command[at + 2 :])
    assert answer.exit_code == 2
