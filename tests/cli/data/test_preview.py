import stat
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from prepared import filled, prepared, presentation
from vivant.cli.app import app


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return filled(tmp_path / "store", [prepared(presentation("a"))]).folder


def test_preview_writes_a_picture(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    answer = CliRunner().invoke(
        app, ["data", "preview", str(folder), "--out", str(out), "--frames", "3"]
    )
    assert answer.exit_code == 0
    assert "treat it like the store" in answer.stdout
    with Image.open(out) as sheet:
        assert sheet.width == 3 * 528
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_other_endings_are_refused(folder: Path, tmp_path: Path) -> None:
    answer = CliRunner().invoke(
        app, ["data", "preview", str(folder), "--out", str(tmp_path / "sheet.gif")]
    )
    assert answer.exit_code == 2
    assert ".png or .jpg" in answer.output


def test_folder_that_is_not_there_is_said(folder: Path, tmp_path: Path) -> None:
    answer = CliRunner().invoke(
        app, ["data", "preview", str(folder), "--out", str(tmp_path / "no" / "sheet.png")]
    )
    assert answer.exit_code == 1
    assert "cannot write" in str(answer.exception)
