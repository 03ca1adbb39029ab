import csv
import json
from pathlib import Path

import pytest

from evaluations import GreyRunner, grey_store, row, scored
from made_up import card
from vivant.errors import DataError
from vivant.evaluation.protocol_run import (
    draw_mistakes,
    measure_rows,
    notices,
    write_evaluation,
)
from vivant.evaluation.scored import ScoredPresentation, load_scored
from vivant.evaluation.scoring import StoreSource, score_sides
from vivant.metrics.rules import parse_rule
from vivant.networks.card import TrainingRecord
from vivant.records import Split

RULE = parse_rule("dev-eer")


def rows() -> list[ScoredPresentation]:
    """Dev tells the classes apart at 0.5; on test one bona fide and one print are wrong."""
    return [
        *(scored(Split.DEV, n, None, (s, s), aam=0.9) for n, s in enumerate((0.5, 0.9))),
        *(scored(Split.DEV, n, "print", (s, s), aam=0.1) for n, s in enumerate((0.1, 0.4))),
        *(scored(Split.TEST, n, None, (s, s), aam=0.9) for n, s in enumerate((0.3, 0.9))),
        *(scored(Split.TEST, n, "print", (s, s), aam=0.1) for n, s in enumerate((0.7, 0.1, 0.2))),
        *(scored(Split.TEST, n, "replay", (s,), aam=0.1) for n, s in enumerate((0.1, 0.2))),
        ScoredPresentation(row(Split.TEST, 7, "print"), Split.TEST, (), ("NO_FACE",)),
    ]


def test_each_part_has_its_own_threshold_by_the_same_rule() -> None:
    found = {(s.name, s.unit): s.content for s in measure_rows(rows(), RULE)}
    assert list(found) == [
        (part, unit) for part in ("fused", "advisor", "aam") for unit in ("video", "clip")
    ]
    thresholds = {key: content["convention"]["threshold"] for key, content in found.items()}
    assert thresholds[("fused", "video")] == 0.5
    assert thresholds[("advisor", "video")] == 0.25  # Half of each score.
    assert thresholds[("aam", "video")] == 0.9
    by_video, by_clip = found[("fused", "video")]["rates"], found[("fused", "clip")]["rates"]
    assert (by_video["bpcer"]["errors"], by_video["bpcer"]["n"]) == (1, 2)
    assert (by_clip["bpcer"]["errors"], by_clip["bpcer"]["n"]) == (2, 4)
    assert by_video["apcer_max"] == {"rate": pytest.approx(1 / 3), "species": "print"}
    assert found[("aam", "video")]["rates"]["acer_legacy"] == 0


def test_no_answer_is_counted_apart_and_as_a_rejection() -> None:
    rates = measure_rows(rows(), RULE)[0].content["rates"]
    assert rates["no_answer"]["print"] == {"missing": 1, "n": 4, "rate": 0.25}
    assert rates["as_rejected"]["apcer"]["print"]["rate"] == 0.25
    assert rates["as_rejected"]["bpcer"]["rate"] == 0.5


def test_columns_of_few_values_are_broken_down_by() -> None:
    assert list(measure_rows(rows(), RULE)[0].content["by"]) == ["phone"]


def test_what_is_written_says_the_same_in_every_file(tmp_path: Path) -> None:
    sections = measure_rows(rows(), RULE)
    facts = [("command", "vivant evaluate")]
    write_evaluation(tmp_path, rows(), sections, card(), facts=facts, is_synthetic=True)
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["parts"]["fused"]["video"] == json.loads(json.dumps(sections[0].content))
    assert content["facts"]["command"] == "vivant evaluate"
    assert any("SYNTHETIC DATA" in line for line in content["notices"])
    assert content["is_synthetic"] is True
    assert len(load_scored(tmp_path / "scores.parquet")) == len(rows())
    with (tmp_path / "scores.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(rows())
    assert lines[-1]["score"] == ""
    assert lines[-1]["reasons"] == "NO_FACE"
    assert lines[0]["phone"] == "0"
    page = (tmp_path / "report.html").read_text()
    assert "SYNTHETIC DATA" in page
    assert "NO_FACE 1" in page
    assert "<img" not in page


def test_a_side_without_a_class_is_told() -> None:
    without = [each for each in rows() if each.presentation.pai_species or each.split is Split.DEV]
    with pytest.raises(DataError, match="found none of bona fide"):
        measure_rows(without, RULE)


def test_a_model_says_what_it_is() -> None:
    assert notices(card(), is_synthetic=False) == []
    assert "UNTRAINED" in notices(card(training=None, point=None), is_synthetic=False)[0]
    drawn = TrainingRecord(data="drawn", is_synthetic=True, pai_species=("print",))
    assert "SYNTHETIC TRAINING" in notices(card(training=drawn), is_synthetic=False)[0]


def test_worst_errors_are_drawn_from_the_data(tmp_path: Path) -> None:
    source = StoreSource(GreyRunner(), grey_store(tmp_path / "store"))
    found = score_sides(source, "folder", tmp_path / "kept", lambda done, num: None)
    section = measure_rows(found, RULE)[0]
    drawn = draw_mistakes(source, found, section)
    assert [each.path for each in drawn] == ["test/bona_fide-0.mp4", "test/print-0.mp4"]
    for each in drawn:
        assert each.picture is not None
        assert each.picture.shape[1] > 500
        assert each.picture.std() > 10
