from collections import Counter

import pytest

from vivant.errors import UnknownNameError
from vivant.evaluation.published import published_table
from vivant.reproduction.plan import FIGURES, TABLES, lines_of, runs_of, wanted
from vivant.reproduction.runs import Run


def test_runs_are_those_of_the_specification() -> None:
    """14 of OULU-NPU, 7 of SiW, 4 models x 3 seeds, 2 for the cross-tests; baselines beside them."""
    of = {table: runs_of([table]) for table in TABLES}
    ours = {
        table: [run for run in runs if run.variant[:5] == "model"] for table, runs in of.items()
    }
    assert {table: len(runs) for table, runs in ours.items()} == {
        "table1": 12, "table2": 7, "table3": 14, "table4": 2,
    }  # fmt: skip
    assert sum(map(len, ours.values())) == 35
    every = runs_of(wanted("all"))
    # Model D, seed 0, protocol 1 is in Tables 1 and 3; two baselines on each set.
    assert len(every) == 35 - 1 + 4
    assert len({run.name for run in every}) == len(every)


def test_each_line_of_ours_that_the_paper_has_is_one_of_the_plans() -> None:
    for table in TABLES:
        planned = {(line.data_set, line.protocol, line.method) for line in lines_of(table)}
        printed = {
            (row.data_set, row.protocol, row.method)
            for row in published_table(table)
            if row.method == "Ours" or row.method.startswith("Model ")
        }
        assert printed
        assert printed <= planned
        assert {method for *_, method in planned - printed} <= {
            "CNN-LSTM (ours)",
            "STASN-style (ours)",
        }


def test_folds_are_the_protocols() -> None:
    folds = Counter((line.data_set, line.protocol, len(line.folds)) for line in lines_of("table4"))
    assert folds == Counter(
        [("OULU-NPU", "1", 1), ("OULU-NPU", "2", 1), ("OULU-NPU", "3", 6), ("OULU-NPU", "4", 6),
         ("SiW", "1", 1), ("SiW", "2", 4), ("SiW", "3", 2)]
    )  # fmt: skip
    assert sum(num for _, _, num in folds) == 14 + 7
    assert all(fold.is_cross for line in lines_of("table4") for fold in line.folds)
    assert not any(fold.is_cross for line in lines_of("table3") for fold in line.folds)


def test_figures_need_model_d_and_figure_4_the_plain_network_too() -> None:
    whole, plain = Run("model_d", "oulu_npu", "1"), Run("cnn_lstm", "oulu_npu", "1")
    assert runs_of(["figure1"]) == runs_of(["figure5"]) == (whole,)
    assert runs_of(["figure4"]) == (whole, plain)
    assert set(runs_of(FIGURES)) <= set(runs_of(TABLES))


def test_an_ablation_has_model_d_as_it_is_and_a_line_for_each_setting() -> None:
    lines = lines_of("ablation", [("network.fusion=mean",), ("network.aam.num_patches=2",)])
    assert [line.method for line in lines] == [
        "Model D", "network.fusion=mean", "network.aam.num_patches=2",
    ]  # fmt: skip
    runs = runs_of(["ablation"], [("network.fusion=mean",)])
    assert len(runs) == 6
    assert {run.seed for run in runs} == {0, 1, 2}
    assert runs[3].name == "oulu_npu-1-model_d-seed0-network.fusion=mean"


def test_unknown_targets_are_told_with_the_known_ones() -> None:
    assert wanted("table2") == ("table2",)
    assert wanted("all") == (*TABLES, *FIGURES)
    with pytest.raises(UnknownNameError, match="table5"):
        wanted("table5")
