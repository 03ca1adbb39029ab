import json
from pathlib import Path

from typer.testing import CliRunner

from prepared import filled, frame, prepared, presentation
from vivant.cli.app import app
from vivant.records import Label


def test_info_says_what_is_there_and_what_made_it(tmp_path: Path) -> None:
    rows = [
        prepared(presentation("a"), [frame(0), frame(1, faults=("POSE",))]),
        prepared(presentation("b", Label.ATTACK), [], refusal="TOO_LONG", message="too long"),
    ]
    folder = filled(tmp_path / "store", rows).folder
    answer = CliRunner().invoke(app, ["data", "info", str(folder)])
    assert answer.exit_code == 0
    for words in ("2 presentations of 2 subjects, 1 refused", "2 frames with a face, 50.0% without",
                  "refused: TOO_LONG 1", "faults of frames: POSE 1", "face_mesh.onnx", "pylance"):  # fmt: skip
        assert words in answer.stdout
    found = json.loads(CliRunner().invoke(app, ["data", "info", str(folder), "--json"]).stdout)
    assert found["frames"] == 2


def test_no_store_is_an_error(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["data", "info", str(tmp_path)])
    assert answer.exit_code == 1
    assert "expected a folder written by `vivant data prepare`" in str(answer.exception)
