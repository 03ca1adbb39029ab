from pathlib import Path

import pytest
from typer.testing import CliRunner

from vivant.cli.app import app
from vivant.errors import CardError, OutputError
from vivant.export import onnx
from vivant.export.parity import ParityReport


def test_export_tells_what_it_wrote_and_how_well_it_answers(
    lite_card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exported(card: Path, folder: Path) -> tuple[Path, ParityReport]:
        return folder / "lite.onnx.json", ParityReport(4, 2.5e-6, 0.0, 1e-7, 1.0)

    monkeypatch.setattr(onnx, "export_onnx", exported)
    result = CliRunner().invoke(app, ["export", str(lite_card), "--out", str(tmp_path)])
    assert result.exit_code == 0
    assert "lite.onnx.json (UNTRAINED: no decision may rest on it)" in result.stdout
    assert (
        "parity over 4 made-up clips: logits within 2.5e-06 of the largest, scores within 1.0e-07"
        in result.stdout
    )
    assert "same anchors on 100.0% of frames" in result.stdout


def test_graph_that_is_there_is_not_replaced(lite_card: Path, tmp_path: Path) -> None:
    (tmp_path / "lite.onnx").write_bytes(b"precious")
    result = CliRunner().invoke(app, ["export", str(lite_card), "--out", str(tmp_path)])
    assert isinstance(result.exception, OutputError)
    assert (tmp_path / "lite.onnx").read_bytes() == b"precious"


def test_export_of_nothing_is_refused(tmp_path: Path) -> None:
    arguments = ["export", str(tmp_path / "none.json"), "--out", str(tmp_path)]
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, CardError)
    assert "expected a model card at" in str(error)


def test_unknown_format_is_wrong_usage(tmp_path: Path) -> None:
    arguments = ["export", "a.json", "--out", str(tmp_path), "--to", "onyx"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "onnx" in result.stderr
