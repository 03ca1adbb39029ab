import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from commands import run
from evaluations import grey_rows
from prepared import encoded, new_store
from vivant.geometry.crop import CropBox
from vivant.preparation.record import PreparedPresentation
from vivant.preparation.settings import PreparationSettings
from vivant.preparation.square import Square
from vivant.session.session import STARTER


def wide_store(folder: Path, rows: list[PreparedPresentation]) -> None:
    """With squares that hold the wider crop of the model that ships."""
    square = Square(CropBox(70, 44, 96), 4)
    grey = np.full((96, 96, 3), 120, np.uint8)
    wide = [
        replace(
            row,
            frames=tuple(
                replace(
                    frame,
                    square=square,
                    crop=encoded((grey + at).astype(np.uint8), "JPEG"),
                    depth=None,
                )
                for at, frame in enumerate(row.frames)
            ),
        )
        for row in rows
    ]
    settings = PreparationSettings(margin=2.6)
    with new_store(folder, settings).writing() as writer:
        writer.append(wide)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model on made-up pictures."""
    folder = tmp_path_factory.mktemp("evaluate")
    wide_store(folder / "store", grey_rows(1))
    ended = run(
        "evaluate", STARTER, "--data", folder / "store", "--protocol", "folder",
        "--out", folder / "out", "--with-images",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    (folder / "told.txt").write_text(ended.stdout)
    return folder


def test_terminal_says_rates_parts_warnings_and_where_the_page_is(evaluated: Path) -> None:
    told = (evaluated / "told.txt").read_text()
    for word in (
        "SYNTHETIC TRAINING", "BPCER", "APCER print", "unit: video", "dev-eer", "advisor by video",
        "aam by clip", "no answer: 1 of 2 print", "report.html",
    ):  # fmt: skip
        assert word in told, word


def test_files_of_the_evaluation_agree(evaluated: Path) -> None:
    content = json.loads((evaluated / "out/metrics.json").read_text())
    rates = content["parts"]["fused"]["video"]["rates"]
    ended = run("metrics", evaluated / "out/scores.csv", "--json")
    assert json.loads(ended.stdout)["rates"] == rates
    page = (evaluated / "out/report.html").read_text()
    assert "vivant evaluate" in page
    errors = rates["bpcer"]["errors"] + sum(of["errors"] for of in rates["apcer"].values())
    assert page.count("<img") == errors  # Faces were asked for, of each error.


def test_again_it_scores_nothing_and_says_the_same(evaluated: Path) -> None:
    kept = {path: path.stat().st_mtime_ns for path in (evaluated / "out/scoring").iterdir()}
    ended = run(
        "evaluate", STARTER, "--data", evaluated / "store", "--protocol", "folder",
        "--out", evaluated / "out", "--json",
    )  # fmt: skip
    content = json.loads(ended.stdout)
    assert content["parts"].keys() == {"fused", "advisor", "aam"}
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert "<img" not in (evaluated / "out/report.html").read_text()


def test_mistakes_are_told_in_one_line(evaluated: Path, tmp_path: Path) -> None:
    store = evaluated / "store"
    cases = [
        ((tmp_path, "--data", store, "--protocol", "folder"), "found none: a training"),
        ((STARTER, "--data", tmp_path / "no", "--protocol", "folder"), "found none"),
        ((STARTER, "--data", store, "--protocol", "oulu-npu:1"), "expected a protocol of folder"),
        ((STARTER, "--data", store, "--protocol", "folder", "--threshold", "best"), "dev-eer"),
    ]
    for words, expected in cases:
        ended = run("evaluate", *words, "--out", tmp_path / "out")
        assert ended.returncode == 1, words
        assert expected in ended.stderr


def test_page_of_anybodys_scores(evaluated: Path, tmp_path: Path) -> None:
    ended = run("metrics", evaluated / "out/scores.csv", "--by", "phone", "--report", tmp_path)
    assert ended.returncode == 0, ended.stderr
    page = (tmp_path / "report.html").read_text()
    for told in ("By phone", "<svg", "dev-eer", "vivant metrics"):
        assert told in page
