from collections.abc import Sequence

import pytest

from evaluations import scored
from vivant.errors import DataError
from vivant.evaluation.scored import ScoredPresentation
from vivant.records import Split
from vivant.reproduction.plan import Fold, Line, lines_of
from vivant.reproduction.results import Rows, compare
from vivant.reproduction.runs import Run

BONA_FIDE_DEV, PRINT_DEV = (0.5, 0.9), (0.1, 0.4)


class MadeUpScores:
    """Every run's dev side has its threshold at 0.5; test scores are given by the fold."""

    def __init__(self, test: dict[str, Sequence[ScoredPresentation]] | None = None) -> None:
        self.of = test or {}

    def dev(self, run: Run) -> Rows:
        return (
            *(scored(Split.DEV, n, None, (s,)) for n, s in enumerate(BONA_FIDE_DEV)),
            *(scored(Split.DEV, n, "print", (s,)) for n, s in enumerate(PRINT_DEV)),
        )

    def test(self, fold: Fold) -> Rows:
        return tuple(self.of.get(fold.protocol, side_of((0.9, 0.4), (0.6, 0.1, 0.2, 0.3))))


def side_of(bona_fide: Sequence[float], attacks: Sequence[float]) -> tuple[ScoredPresentation, ...]:
    return (
        *(scored(Split.TEST, n, None, (s,)) for n, s in enumerate(bona_fide)),
        *(scored(Split.TEST, n, "print", (s,)) for n, s in enumerate(attacks)),
    )


def rows_of(table: str, scores: MadeUpScores, lines: Sequence[Line] | None = None) -> list[dict]:
    chosen = lines_of(table) if lines is None else lines
    return compare(table, chosen, scores)


def test_one_result_is_its_rates_beside_the_papers() -> None:
    rows = rows_of("table3", MadeUpScores())
    ours = next(row for row in rows if (row["protocol"], row["method"]) == ("1", "Ours"))
    found = ours["ours"]["units"]["video"]["fused"]
    # 1 of 2 bona fide and 1 of 4 prints are on the wrong side of 0.5.
    assert found["bpcer"]["mean"] == 0.5
    assert found["apcer"]["mean"] == 0.25
    assert found["acer"]["mean"] == 0.375
    assert ours["paper"] == {"apcer": "1.1", "bpcer": "0.1", "acer": "0.6"}
    assert ours["difference"]["acer"] == pytest.approx(37.5 - 0.6)
    assert found["all_apcer"]["print"]["n"] == 4
    assert found["acer"]["std_sample"] is None
    assert set(ours["ours"]["units"]["video"]) == {"fused", "advisor", "aam"}


def test_folds_are_averaged_each_with_its_own_acer_and_pooled_for_the_interval() -> None:
    """ACER of folds (0.5 + 0) / 2 and (0 + 0.25) / 2; specification 4, "Folds"."""
    folds = tuple(Fold(Run("model_d", "siw", fold), "siw", fold) for fold in ("3_1", "3_2"))
    line = Line("table2", "SiW", "3", "Ours", folds, "folds")
    scores = MadeUpScores(
        {
            "3_1": side_of((0.9, 0.1), (0.1, 0.2, 0.3, 0.4)),
            "3_2": side_of((0.9, 0.8), (0.6, 0.2, 0.3, 0.4)),
        }
    )
    rows = rows_of("table2", scores, [line])
    ours = next(row for row in rows if row["ours"] is not None)
    found = ours["ours"]["units"]["video"]["fused"]
    assert found["bpcer"] == {
        "mean": 0.25, "std_population": 0.25, "std_sample": pytest.approx(0.25 * 2**0.5),
    }  # fmt: skip
    assert found["acer"]["mean"] == pytest.approx((0.25 + 0.125) / 2)
    assert (found["all_bpcer"]["errors"], found["all_bpcer"]["n"]) == (1, 4)
    assert (found["all_apcer"]["print"]["errors"], found["all_apcer"]["print"]["n"]) == (1, 8)


def test_seeds_see_the_same_presentations_which_count_once() -> None:
    rows = rows_of("table1", MadeUpScores())
    assert [row["method"] for row in rows] == ["Model A", "Model B", "Model C", "Model D"]
    found = rows[0]["ours"]["units"]["video"]["fused"]["all_bpcer"]
    assert (found["errors"], found["n"]) == (1, 2)
    assert rows[0]["ours"]["num"] == 3


def test_every_row_of_the_paper_is_there_in_its_order_and_baselines_follow_their_protocol() -> None:
    rows = rows_of("table3", MadeUpScores())
    of_first = [row["method"] for row in rows if row["protocol"] == "1"]
    assert of_first == [
        "GRADIENT [34]", "BASN[10]", "STASN[9]", "Auxiliary[8]", "FaceDe-S[26]", "Ours",
        "CNN-LSTM (ours)", "STASN-style (ours)",
    ]  # fmt: skip
    baseline = next(row for row in rows if row["method"] == "CNN-LSTM (ours)")
    assert baseline["paper"] is None
    assert baseline["difference"] is None
    compared = next(row for row in rows if row["method"] == "BASN[10]")
    assert compared["ours"] is None
    assert len(rows) == 24 + 2


def test_flags_of_printed_numbers_are_told() -> None:
    rows = rows_of("table3", MadeUpScores())
    flagged = {(row["protocol"], row["method"]) for row in rows if row["flags"]}
    assert ("1", "Ours") in flagged  # BPCER .1 is no share of 120 videos.
    assert ("4", "FaceDe-S[26]") in flagged


def test_a_fold_that_cannot_be_judged_is_told_and_stops_nothing() -> None:
    scores = MadeUpScores({"4_3": side_of((), (0.1,))})
    rows = rows_of("table3", scores)
    bad = next(row for row in rows if (row["protocol"], row["method"]) == ("4", "Ours"))
    assert "found none of bona fide" in bad["ours"]["problem"]
    assert bad["difference"] is None
    good = next(row for row in rows if (row["protocol"], row["method"]) == ("3", "Ours"))
    assert good["ours"]["problem"] is None


def test_a_cross_test_says_whose_threshold_it_is() -> None:
    rows = rows_of("table4", MadeUpScores())
    ours = [row for row in rows if row["ours"] is not None]
    assert len(ours) == 7
    assert {row["ours"]["threshold_rule"] for row in ours} == {"source dev-eer"}


def test_a_damaged_store_is_no_line_s_problem() -> None:
    class Damaged(MadeUpScores):
        def test(self, fold: Fold) -> Rows:
            raise DataError("the store is damaged")

    with pytest.raises(DataError, match="the store is damaged"):
        rows_of("table1", Damaged())
