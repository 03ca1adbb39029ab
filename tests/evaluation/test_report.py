import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from evaluations import scored
from vivant import evaluation
from vivant.evaluation.judging import measure
from vivant.evaluation.report import Mistake, Section, data_uri, find_mistakes, render_report
from vivant.evaluation.scored import to_table
from vivant.metrics.rules import parse_rule
from vivant.records import Split

ROWS = [
    *(scored(Split.TEST, n, None, (score,)) for n, score in enumerate((0.9, 0.8, 0.2))),
    *(scored(Split.TEST, n, "print", (score,)) for n, score in enumerate((0.1, 0.6))),
    *(scored(Split.TEST, n, "replay", (score,)) for n, score in enumerate((0.3, 0.95))),
    scored(Split.TEST, 9, None, (0.9,), reasons=("POSE",)),
]


def section(by: tuple[str, ...] = ()) -> Section:
    table = to_table(ROWS, "fused", "video")
    content = measure(table, None, parse_rule("fixed-0.5"), "video", by)
    return Section("fused", "video", content, table)


def test_page_has_conventions_rates_curves_and_what_got_no_answer() -> None:
    page = render_report(
        "A title", [("model", "made-up")], [section(("phone",))],
        notices=["SYNTHETIC"], reasons={"bona_fide": Counter(["POSE"])},
    )  # fmt: skip
    for told in (
        "<h1>A title</h1>", '<p class="notice">SYNTHETIC</p>', "fixed-0.5", "BPCER", "APCER replay",
        "legacy", "By phone", "<svg", "POSE 1", "score &gt;= 0.5", "95 % (Wilson)",
    ):  # fmt: skip
        assert told in page
    # 1 of 3 bona fide is rejected; with the one that got no answer it is 2 of 4.
    assert "33.33" in page
    assert "50.00" in page


def test_page_opens_without_a_network_and_shows_no_picture_unasked() -> None:
    page = render_report("t", [], [section()], worst=find_mistakes(section().table, 0.5))
    assert not re.search(r'(?:src|href)="(?!#|data:)|url\((?!#)', page)
    assert "<img" not in page
    assert "test/replay-1.mp4" in page


def test_pictures_stand_in_the_page_itself() -> None:
    picture = np.zeros((4, 6, 3), np.uint8)
    page = render_report("t", [], [section()], worst=[Mistake("a.mp4", "print", 0.9, picture)])
    assert '<img alt="what the network saw of a.mp4" src="data:image/jpeg;base64,' in page
    assert data_uri(b"\x89PNG").startswith("data:image/png;base64,iVBO")


def test_names_of_files_cannot_write_into_the_page() -> None:
    name = "<script>alert(1)</script>"
    page = render_report("t", [("model", name)], [section()], worst=[Mistake(name, "print", 0.9)])
    assert name not in page
    assert "&lt;script&gt;" in page


def test_worst_errors_are_the_farthest_on_the_wrong_side() -> None:
    found = find_mistakes(section().table, 0.5)
    assert [(each.path, each.kind, each.score) for each in found] == [
        ("test/bona_fide-2.mp4", "bona fide, rejected", 0.2),
        ("test/replay-1.mp4", "replay, accepted", 0.95),
        ("test/print-1.mp4", "print, accepted", 0.6),
    ]
    assert find_mistakes(section().table, 0.5, most=1)[1].path == "test/replay-1.mp4"
    everything = find_mistakes(section().table, float("inf"))
    assert [each.kind for each in everything] == ["bona fide, rejected"] * 3


@pytest.mark.parametrize("name", ["page.html", "rates.html", "report.html"])
def test_templates_are_installed(name: str) -> None:
    assert (Path(evaluation.__path__[0]) / "templates" / name).is_file()
