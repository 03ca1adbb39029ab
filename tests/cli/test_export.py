import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vivant.cli.app import app
from vivant.errors import CardError, InputError, OutputError
from vivant.export import export as export_module
from vivant.export import triton as triton_module
from vivant.export.drift import DriftReport
from vivant.export.export import Exported
from vivant.export.parity import ParityReport
from vivant.networks.card import Precision


def test_export_tells_what_it_wrote_and_how_well_it_answers(
    lite_card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exported(card: Path, folder: Path, *_: object, **__: object) -> Exported:
        report = ParityReport(4, 2.5e-6, 0.0, 1e-7, 1.0)
        return Exported(folder / "lite.onnx.json", Precision(), {"onnx": report}, (), True)

    monkeypatch.setattr(export_module, "export_graph", exported)
    out = tmp_path / "runs[v2]"
    result = CliRunner().invoke(app, ["export", str(lite_card), "--out", str(out)])
    assert result.exit_code == 0
    assert (
        "runs[v2]/lite.onnx.json in float32 (UNTRAINED: no decision may rest on it)"
        in result.stdout
    )
    assert (
        "onnx, 4 clips: logits within 2.5e-06 of the largest, scores within 1.0e-07"
        in result.stdout
    )
    assert "same anchors on 100.0% of frames" in result.stdout


def test_export_shows_what_lower_precision_changes(
    lite_card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = DriftReport("onnx int8", 200, 0.01, 0.17, 0.825, "x", 0.02, 0.855, 1.0, 0.99, 1.85)
    second = replace(first, runtime="onnx float32/int8", flips=0.0, anchor_agreement=1.0)
    reports = (first, replace(second, auc_after=0.9999))
    exported = Exported(tmp_path / "a.json", Precision(execute="int8"), {}, reports, False)
    monkeypatch.setattr(export_module, "export_graph", lambda *_, **__: exported)
    monkeypatch.setattr("vivant.export.judged_clips.read_clips", lambda *_: None)
    arguments = ["export", str(lite_card), "--out", str(tmp_path), "--int8", "--calibrate", "S"]
    shown = CliRunner().invoke(app, arguments).stdout
    assert "in float32/int8" in shown
    rows = [line.split() for line in shown.splitlines() if line.startswith("onnx ")]
    assert rows == [
        ["onnx", "int8", "0.0100", "0.1700", "2.0%", "85.5%", *rows[0][6:]],
        ["onnx", "float32/int8", "0.0100", "0.1700", "0.0%", "100.0%", *rows[1][6:]],
    ]
    assert " ".join(rows[0]).endswith("too far")
    assert rows[1][-1] == "within"
    assert "the card has no operating point" in shown


def test_lower_precision_without_data_is_refused(lite_card: Path, tmp_path: Path) -> None:
    arguments = ["export", str(lite_card), "--out", str(tmp_path), "--bf16"]
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, InputError)
    assert "--bf16 needs --calibrate STORE" in str(error)
    result = CliRunner().invoke(app, [*arguments, "--int8", "--calibrate", "S"])
    assert result.exit_code == 2
    assert "one precision at a time, got int8 and bf16" in result.stderr


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


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What a repository was asked for with; nothing is exported."""
    asked: list[tuple[object, ...]] = []

    def exported(card: Path, folder: Path, *others: object, **__: object) -> Exported:
        asked.append((card, folder, *others))
        placed = folder / "lite" / "1" / "model.onnx.json"
        return Exported(placed, Precision(), {}, (), True)

    monkeypatch.setattr(triton_module, "export_repository", exported)
    monkeypatch.setattr("vivant.export.judged_clips.read_clips", lambda *_: None)
    return asked


def test_triton_s_repository_comes_with_the_line_that_serves_it(
    lite_card: Path, tmp_path: Path, repository: list[tuple[object, ...]]
) -> None:
    out = tmp_path / "my models"
    arguments = ["export", str(lite_card), "--to", "triton", "--out", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert repository == [(lite_card, out, "float32", None)]
    assert f"wrote {out}/lite/1/model.onnx.json in float32" in result.stdout
    assert f"Triton's model lite is in {out}." in result.stdout
    command = result.stdout.splitlines()[-1]
    assert shlex.split(command) == [
        *("docker", "run", "--gpus", "all", "--rm", "-p", "127.0.0.1:8000:8000"),
        *("-v", f"{out}:/models:ro", "nvcr.io/nvidia/tritonserver:<TAG>"),
        *("tritonserver", "--model-repository", "/models"),
    ]


def test_model_that_is_in_the_repository_is_replaced_only_by_force(
    lite_card: Path, tmp_path: Path, repository: list[tuple[object, ...]]
) -> None:
    (tmp_path / "lite").mkdir()
    arguments = ["export", str(lite_card), "--to", "triton", "--out", str(tmp_path)]
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, OutputError)
    assert str(error).startswith(f"{tmp_path}/lite is there already: ")
    assert not repository
    assert CliRunner().invoke(app, [*arguments, "--force"]).exit_code == 0
    low = CliRunner().invoke(app, [*arguments, "--int8", "--calibrate", "S"])
    assert "Triton's model lite_int8 is in" in low.stdout, "it is another model"
    assert [asked[2] for asked in repository] == ["float32", "int8"]


def test_bf16_is_not_for_triton(lite_card: Path, tmp_path: Path) -> None:
    arguments = ["export", str(lite_card), "--to", "triton", "--out", str(tmp_path), "--bf16"]
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, InputError)
    assert "expected float32, int8 or fp16 for Triton, got bf16" in str(error)
