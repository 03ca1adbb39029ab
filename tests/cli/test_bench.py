import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vivant.bench.bench import Bench, Line
from vivant.bench.machine import Machine
from vivant.bench.streaming import Streaming
from vivant.cli.app import app

MACHINE = Machine("EPYC", 2, ("avx2",), None, {"torch": "2.13"}, "2026-11-26")
FOUND = Bench(
    MACHINE,
    "lite",
    2.1,
    3,
    (
        Line("naive", 445.0, 420.0, 540.0, 2.25, 1.0, None, None, None, None, None),
        Line("onnx int8", 31.5, 26.0, 38.0, 31.7, 14.1, 0.81, 213.0, 3e-2, 0.01, 0.75),
    ),
    (Streaming("onnx int8", "exact", 26, 22.4, 66.3, 2.96, 1.07, 1.15, 4.0, 0.0),),
)


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, dict]]:
    asked = []

    def run(card: Path, **how: object) -> Bench:
        asked.append((card, how))
        return FOUND

    monkeypatch.setattr("vivant.bench.bench.run_bench", run)
    return asked


def test_bench_shows_ways_and_streams(found: list[tuple[Path, dict]]) -> None:
    answer = CliRunner().invoke(app, ["bench", "lite", "--repeats", "3", "--threads", "2"])
    assert answer.exit_code == 0
    assert "EPYC, 2 cores (avx2); torch 2.13; 2026-11-26" in answer.stdout
    rows = {line.split("  ")[0]: line.split() for line in answer.stdout.splitlines()}
    assert rows["naive"][-2:] == ["x", "1.00"]
    assert "14.10" in answer.stdout
    assert "81%" in answer.stdout
    assert "2.96" in answer.stdout
    ((card, how),) = found
    assert card.name == "lite.safetensors.json"
    assert (how["repeats"], how["num_threads"]) == (3, 2)


def test_json_is_all_of_it() -> None:
    answer = CliRunner().invoke(app, ["bench", "lite", "--json"])
    content = json.loads(answer.stdout)
    assert content["lines"][1]["times_as_fast"] == 14.1
    assert content["streaming"][0]["patches"] == "exact"
    assert content["machine"]["cores"] == 2


def test_card_of_ones_own_is_taken(found: list[tuple[Path, dict]]) -> None:
    CliRunner().invoke(app, ["bench", "runs/mine.safetensors.json"])
    assert found[0][0] == Path("runs/mine.safetensors.json")


def test_unknown_model_names_the_known() -> None:
    answer = CliRunner().invoke(app, ["bench", "model_e"])
    assert "no model is called 'model_e'" in str(answer.exception)
