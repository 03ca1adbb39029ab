import json
from pathlib import Path

import numpy as np
import pytest

from vivant.errors import DataError
from vivant.evaluation.judging import (
    breakdown,
    find_threshold,
    half_total_error,
    judge_table,
    threshold_free,
)
from vivant.evaluation.scores import ScoreTable, read_scores
from vivant.metrics.intervals import wilson
from vivant.metrics.rules import parse_rule

# Worked example 1 of the specification.
BONA_FIDE = (0.95, 0.90, 0.85, 0.80, 0.75, 0.70, 0.60, 0.55, 0.45, 0.30)
ATTACKS = {
    "print": (0.10, 0.15, 0.20, 0.25, 0.35, 0.40, 0.50, 0.05),
    "replay": (0.02, 0.12, 0.22, 0.32, 0.42, 0.52, 0.62, 0.72),
}


@pytest.fixture
def table(tmp_path: Path) -> ScoreTable:
    lines = [f"bona_fide,,{score},{at % 4},{at % 2}" for at, score in enumerate(BONA_FIDE)]
    for name, scores in ATTACKS.items():
        lines += [f"attack,{name},{score},{at % 4},{at % 2}" for at, score in enumerate(scores)]
    lines.append("attack,replay,,1,0")
    path = tmp_path / "scores.csv"
    path.write_text("label,pai,score,subject,light\n" + "\n".join(lines) + "\n", "utf-8")
    return read_scores(path)


def test_worked_example(table: ScoreTable) -> None:
    found = judge_table(table, 0.5)
    assert (found.bpcer.rate, found.bpcer.num_errors, found.bpcer.num) == (0.2, 2, 10)
    assert {name: of.rate for name, of in found.apcer_by_species.items()} == {
        "print": 0.125, "replay": 0.375,
    }  # fmt: skip
    assert (found.worst, found.acer) == ("replay", 0.2875)
    assert found.bpcer.wilson == wilson(2, 10)
    assert half_total_error(table, 0.5) == pytest.approx(0.225)


def test_what_got_no_score_is_counted_apart(table: ScoreTable) -> None:
    found = judge_table(table, 0.5)
    assert found.no_answer == {"bona_fide": (0, 10), "print": (0, 8), "replay": (1, 9)}
    assert found.apcer_by_species["replay"].num == 8


def test_subjects_give_a_second_interval_but_not_of_no_error(table: ScoreTable) -> None:
    assert judge_table(table, 0.5).bpcer.by_subject is not None
    certain = judge_table(table, 0.0).bpcer
    assert (certain.rate, certain.by_subject) == (0, None)
    assert certain.content()["below_95"] == 0.3


def test_numbers_of_the_whole_curve_are_the_specifications(table: ScoreTable) -> None:
    found = threshold_free(table)
    assert found["auc"]["pooled"] == 0.89375
    assert found["d_eer_pooled"] == {"rate": 0.19375, "threshold": 0.52}
    assert [found[name]["bpcer"] for name in ("bpcer10", "bpcer20", "bpcer100")] == [0.5] * 3
    assert found["apcer_at_bpcer_5%"] == {"apcer": 0.625, "threshold": 0.30}
    assert "optimistic" in found["convention"]


def test_by_a_column_the_threshold_is_one(table: ScoreTable) -> None:
    found = breakdown(table, "light", 0.5)
    assert [*found] == ["0", "1"]
    assert (found["0"]["bpcer"]["errors"], found["1"]["bpcer"]["errors"]) == (1, 1)
    assert found["1"]["apcer replay"]["rate"] == 0.5
    assert found["0"]["bpcer"]["is_too_few"]


def test_threshold_of_a_dev_side(table: ScoreTable) -> None:
    assert find_threshold(parse_rule("dev-eer"), table, table) == 0.55
    assert find_threshold(parse_rule("fixed-0.4"), table, None) == 0.4
    assert find_threshold(parse_rule("test-eer"), table, None) == 0.55
    for dev in (None, ScoreTable(())):
        with pytest.raises(DataError, match="found on a dev side, and there is none"):
            find_threshold(parse_rule("dev-eer"), table, dev)


def test_a_class_or_species_without_scores_has_no_rate(table: ScoreTable) -> None:
    for kept, message in (
        (lambda row: row.pai_species is None, "none of attacks"),
        (lambda row: row.pai_species is not None, "none of bona fide"),
        (lambda row: row.pai_species != "replay" or row.score is None, "none of attacks of replay"),
    ):
        part = ScoreTable(tuple(row for row in table.rows if kept(row)))
        for judge in (
            lambda part=part: judge_table(part, 0.5),
            lambda part=part: threshold_free(part),
        ):
            with pytest.raises(DataError, match=message):
                judge()


def test_all_of_it_is_json(table: ScoreTable) -> None:
    for content in (judge_table(table, np.inf).content(), threshold_free(table)):
        json.dumps(content, allow_nan=False)
