import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commands import run
from made_up import MadeUpRunner
from vivant.cli.app import app
from vivant.errors import MediaError, Refusal


def doctor(*arguments: object) -> tuple[int, dict[str, dict[str, str]]]:
    answer = CliRunner().invoke(app, ["doctor", "--json", *(str(word) for word in arguments)])
    content = json.loads(answer.stdout)
    assert content["works"] == (answer.exit_code == 0)
    return answer.exit_code, {line["what"]: line for line in content["lines"]}


def test_says_what_works_and_what_is_off() -> None:
    code, lines = doctor()
    assert code == 0
    for what in (
        "base",
        "extra data",
        "extra train",
        "extra serve",
        "extra ray",
        "face models",
        "runtime onnx",
        "runtime torch",
    ):
        assert lines[what]["state"] == "works", lines[what]
    assert lines["decoding, isolated"]["state"] in ("works", "note")
    assert lines["model"]["state"] == "works"
    assert lines["model"]["detail"].startswith("lite, trained on simulated attacks of")
    assert (
        "OUT_OF_DISTRIBUTION and WINDOWS_DISAGREE are off" in lines["doubts by profile"]["detail"]
    )


def test_untrained_model_is_noted(lite_card: Path) -> None:
    code, lines = doctor("--model", lite_card)
    assert code == 0
    assert "UNTRAINED" in lines["model"]["detail"]


def test_trained_model_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vivant.runtimes.opening.open_runner", lambda *_: MadeUpRunner())
    _, lines = doctor("--model", "any.json")
    assert lines["model"] == {
        "what": "model",
        "state": "works",
        "detail": "made_up, trained on attacks of made-up:1",
    }


def test_missing_card_is_broken(tmp_path: Path) -> None:
    code, lines = doctor("--model", tmp_path / "none.json")
    assert code == 1
    assert "expected a model card at" in lines["model"]["detail"]


def test_decoder_that_fails_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MediaError(Refusal.TIMEOUT, "no answer")

    monkeypatch.setattr("vivant.video.isolation.DecoderPool.read_media", fail)
    code, lines = doctor()
    assert code == 1
    assert lines["decoding, isolated"] == {
        "what": "decoding, isolated",
        "state": "broken",
        "detail": "no answer",
    }


def test_missing_extra_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import PackageNotFoundError, version

    def without_torch(name: str) -> str:
        if name == "torch":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr("vivant.cli.doctor.version", without_torch)
    code, lines = doctor()
    assert code == 0
    assert lines["runtime torch"]["detail"] == (
        "torch is not installed: pip install 'vivant[train]'"
    )
    assert lines["extra train"]["detail"].startswith("not installed: torch; there: ")


def test_table_is_for_people() -> None:
    answer = run("doctor")
    assert answer.returncode == 0, answer.stderr
    assert "BlazeFace and FaceMesh" in answer.stdout
