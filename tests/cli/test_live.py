"""What is shown of a live verdict: in a terminal, and in a window where there is a display."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from made_up import MadeUpRunner
from people import person_video
from vivant.cli import live
from vivant.session.session import Session
from vivant.session.stream import StreamCounts
from vivant.session.verdict import Verdict

COUNTS = StreamCounts(20, 12, 3, 12, 48)


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    with Session(MadeUpRunner(0.9), isolated=False) as session:
        return session.check(person_video())


def stream_of(verdict: Verdict) -> SimpleNamespace:
    return SimpleNamespace(newest=verdict.windows[-1], counts=COUNTS)


def test_two_pixels_are_one_character() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0, 0], picture[1, 1] = (255, 0, 0), (0, 0, 255)
    text = live.half_blocks(picture, 2, 1)
    assert text.plain == "▀▀\n"
    styles = [span.style for span in text.spans]
    assert [style.color.triplet.rgb for style in styles] == ["rgb(255,0,0)", "rgb(0,0,0)"]
    assert [style.bgcolor.triplet.rgb for style in styles] == ["rgb(0,0,0)", "rgb(0,0,255)"]


@pytest.mark.parametrize(("columns", "rows"), [(72, 20), (10, 40), (1, 1)])
def test_picture_fits_the_terminal(columns: int, rows: int) -> None:
    lines = live.half_blocks(np.zeros((360, 480, 3), np.uint8), columns, rows).plain.splitlines()
    assert len(lines) <= rows
    assert {len(line) for line in lines} == {len(lines[0])}
    assert len(lines[0]) <= columns


def test_face_cells_and_patches_are_drawn(verdict: Verdict) -> None:
    shown = live.draw(verdict, stream_of(verdict))
    assert shown.shape == verdict.poster.shape
    for colour in ((40, 200, 80), (255, 140, 0), (255, 255, 255)):
        assert (shown == colour).all(-1).sum() > 20, colour
    assert not (verdict.poster == (255, 140, 0)).all(-1).any()


def test_caption_says_decision_score_and_what_was_dropped(verdict: Verdict) -> None:
    words = live.caption(verdict, stream_of(verdict)).plain
    assert words.startswith("bona fide  score 0.900  4 windows, 12 looks, 3 dropped")


def test_terminal_shows_it_and_goes_on(verdict: Verdict) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, height=30)
    with live.viewer("terminal", console) as show:
        assert show(verdict, stream_of(verdict))
    assert "▀" in file.getvalue()
    assert "bona fide" in file.getvalue()


def test_nothing_is_shown_where_nobody_looks(verdict: Verdict) -> None:
    file = io.StringIO()
    with live.viewer("none", Console(file=file)) as show:
        assert show(verdict, stream_of(verdict))
    assert file.getvalue() == ""


def test_terminal_is_chosen_without_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert live.choose_view(Console(file=io.StringIO(), force_terminal=True)) == "terminal"
    assert live.choose_view(Console(file=io.StringIO())) == "none"
    monkeypatch.setenv("DISPLAY", ":4711")  # Nobody is there.
    assert live.choose_view(Console(file=io.StringIO())) == "none"
