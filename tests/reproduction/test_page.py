import re
from typing import Any

from vivant.reproduction.page import render, table_lines

RATE = {"rate": 0.5, "errors": 1, "n": 2, "wilson_95": [0.1, 0.9], "is_too_few": True}
SUMMARY = {"mean": 0.125, "std_population": 0.05, "std_sample": 0.06}
PART = {
    "apcer": SUMMARY, "bpcer": SUMMARY, "acer": SUMMARY, "all_bpcer": RATE,
    "all_apcer": {"print": RATE}, "no_answer": 2,
}  # fmt: skip


def ours(over: str = "folds", **fields: Any) -> dict[str, Any]:
    units = {unit: {"fused": PART, "advisor": PART, "aam": PART} for unit in ("video", "clip")}
    return {
        "over": over,
        "num": 6,
        "threshold_rule": "dev-eer",
        "problem": None,
        "units": units,
    } | (fields)


def row(method: str, **fields: Any) -> dict[str, Any]:
    paper = {"apcer": "1.9 ± 1.4", "bpcer": None, "acer": "2.2 ± 1.7"}
    return {
        "data_set": "OULU-NPU", "protocol": "3", "method": method, "paper": paper, "flags": [],
        "ours": None, "difference": None,
    } | fields  # fmt: skip


ROWS = [
    row("BASN[10]", flags=["APCER is no share"]),
    row("Ours", ours=ours(), difference={"acer": 10.3}),
    row("STASN-style (ours)", paper=None, ours=ours(problem="no bona fide", units={})),
    row("<b>", ours=ours("one")),
]


def test_page_has_paper_ours_difference_intervals_flags_and_stamp() -> None:
    page = render([("recipe", "tiny")], ["SYNTHETIC: drawn"], "SYNTHETIC", {"table3": ROWS}, {})
    for told in (
        "Table 3: OULU-NPU", "SYNTHETIC", "1.9 ± 1.4", "12.50 ± 5.00", "+10.30", "1/2*",
        "10.00 to 90.00", "protocol 3, BASN[10]: APCER is no share", "no result: no bona fide",
        "Advisor alone", "6 folds", "&lt;b&gt;",
    ):  # fmt: skip
        assert told in page, told
    assert "<h2>Figure" not in page


def test_page_opens_without_a_network() -> None:
    figures = {
        "figure1": {
            kind: {"mean_px": 1.0, "interval_95": [0.5, 1.5], "clips": 3}
            for kind in ("bona fide", "attack", "difference")
        },
        "looks": [
            {"title": "z", "silhouette": 0.1, "probe_auc": 0.9, "probe": "5 folds", "clips": 2,
             "points": [[0.0, 0.1, 0.2, 1]]}
        ],
        "figure4_png": "data:image/png;base64,AA",
        "gallery": [("bona fide, 3 px", "data:image/jpeg;base64,AA")],
        "with_images": False,
    }  # fmt: skip
    page = render([], [], "", {}, figures)
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    for told in ("Figure 1", "Figure 4", "Figure 5", "0.50 to 1.50", "[[0.0, 0.1, 0.2, 1]]",
                 "no face is shown"):  # fmt: skip
        assert told in page, told


def test_terminal_has_the_same_numbers() -> None:
    title, lines = table_lines("table3", ROWS)
    assert title.startswith("Table 3")
    compared, whole, broken, one = lines
    assert compared == ["OULU-NPU 3", "BASN[10] †", "1.9 ± 1.4 / - / 2.2 ± 1.7", *[""] * 5]
    assert whole[3] == "12.50 ± 5.00 / 12.50 ± 5.00 / 12.50 ± 5.00"
    assert whole[4] == "+10.30"
    assert whole[6] == "6 folds, 2 + 2"
    assert broken[3] == "no result: no bona fide"
    assert one[3] == "12.50 / 12.50 / 12.50"
