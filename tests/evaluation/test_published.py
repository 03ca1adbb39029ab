import json
from pathlib import Path

import pytest

from vivant.errors import UnknownNameError
from vivant.evaluation.published import TABLES, Printed, PublishedRow, flags, published_table

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "paper_tables.json"


def flagged(name: str, word: str) -> set[tuple[str, str]]:
    return {
        (row.protocol, row.method)
        for row in published_table(name)
        if any(word in flag for flag in flags(row))
    }


def test_tables_have_their_rows() -> None:
    assert [len(published_table(name)) for name in TABLES] == [4, 15, 24, 18]
    with pytest.raises(UnknownNameError, match="table5"):
        published_table("table5")


def test_rows_that_are_not_their_own_mean() -> None:
    assert flagged("table1", "not the mean") == set()
    assert flagged("table2", "not the mean") == {("1", "Auxiliary[8]"), ("1", "DepthFreq[33]")}
    assert flagged("table3", "not the mean") == {
        ("3", "FaceDe-S[26]"), ("4", "Auxiliary[8]"), ("4", "FaceDe-S[26]"),
    }  # fmt: skip


def test_deviations_that_no_folds_have() -> None:
    assert flagged("table2", "no folds give") == {("3", "DepthFreq[33]")}
    assert flagged("table3", "no folds give") == {("4", "Auxiliary[8]")}


def test_rates_that_no_count_of_videos_gives() -> None:
    by_method = {row.method: flags(row) for row in published_table("table1")}
    assert [flag.split(" is no")[0] for flag in by_method["Model A"]] == ["BPCER 0.7"]
    assert [flag.split(" is no")[0] for flag in by_method["Model B"]] == ["BPCER 0.2"]
    assert by_method["Model C"] == ()
    assert [flag.split(" is no")[0] for flag in by_method["Model D"]] == ["APCER 1.1", "BPCER 0.1"]
    assert flagged("table3", "no share of") == {
        ("1", "BASN[10]"), ("1", "Ours"), ("2", "BASN[10]"), ("2", "Ours"), ("3", "STASN[9]"),
        ("4", "Auxiliary[8]"), ("4", "FaceDe-S[26]"), ("4", "BASN[10]"), ("4", "Ours"),
    }  # fmt: skip


def test_a_row_without_both_errors_has_nothing_to_check() -> None:
    acer = Printed("1.0", 1.0, None, 1)
    assert flags(PublishedRow("table3", "OULU-NPU", "1", "one", None, None, acer)) == ()


def test_numbers_are_those_of_the_reference() -> None:
    if not REFERENCE.exists():
        pytest.skip("the reference tables are not beside this checkout")
    reference = json.loads(REFERENCE.read_text("utf-8"))
    rows = list(reference["table1"]["rows"])
    for name in ("table2", "table3"):
        rows += [row for of in reference[name]["protocols"].values() for row in of]
    rows += reference["table4"]["rows"]
    ours = [row for name in TABLES for row in published_table(name)]
    for theirs, row in zip(rows, ours, strict=True):
        assert theirs["method"] == row.method
        for name in ("apcer", "bpcer", "acer"):
            told, printed = theirs.get(name), getattr(row, name)
            assert (told is None) == (printed is None)
            if told is not None:
                assert (told["mean"], told["std"]) == (printed.mean, printed.std)
                assert (told["text"], told["decimals"]) == (printed.text, printed.num_decimals)
