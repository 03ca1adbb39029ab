import io
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from vivant.metrics.rates import rates
from vivant.training import progress
from vivant.training.folder import Position
from vivant.training.progress import Progress
from vivant.training.scoring import Judgement


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


def paper(*, is_terminal: bool = False) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=is_terminal, width=120), file


def test_no_console_shows_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with Progress(None) as shown:
        shown.begin(Position(1, 0, 0, 0), 2, 3)
        shown.step(Position(1, 0, 1, 1), {"loss": 1.0, "clips_per_s": 2.0})
        shown.say("stage 1")
        shown.warn("careful")
    assert capfd.readouterr() == ("", "")


def test_file_gets_a_line_every_half_minute(clock: Clock) -> None:
    console, file = paper()
    with Progress(console) as shown:
        shown.begin(Position(2, 0, 0, 0), 1, 9)
        for step in range(1, 8):
            clock.now_s += 10
            values = {"loss": float(step), "aam_loss": 0.5, "clips_per_s": 4.0}
            shown.step(Position(2, 0, step, step), values)
    assert file.getvalue().strip() == "stage 2 epoch 1 step 4: loss 2.5, AA 0.5, 4.0 clips/s"


def test_numbers_are_the_mean_of_the_last_twenty_steps_of_the_stage(clock: Clock) -> None:
    console, file = paper()
    shown = Progress(console)
    shown.begin(Position(1, 0, 0, 0), 1, 50)
    for step in range(1, 31):
        clock.now_s += 31 if step == 30 else 0
        shown.step(Position(1, 0, step, step), {"loss": float(step), "clips_per_s": 1.0})
    assert "step 30: loss 20.5," in file.getvalue()
    shown.begin(Position(2, 0, 0, 30), 1, 50)
    clock.now_s += 31
    shown.step(Position(2, 0, 1, 31), {"loss": 3.0, "clips_per_s": 1.0})
    assert "stage 2 epoch 1 step 1: loss 3," in file.getvalue()


def test_terminal_gets_a_bar_that_goes_on_where_the_training_does() -> None:
    console, file = paper(is_terminal=True)
    with Progress(console) as shown:
        shown.begin(Position(3, 1, 2, 99), 2, 5)
        shown.step(Position(3, 1, 3, 100), {"loss": 1.5, "clips_per_s": 2.0})
    last = file.getvalue()
    assert "stage 3 epoch 2" in last
    assert "8/10" in last
    assert "loss 1.5, 2.0 clips/s" in last


@pytest.mark.parametrize("is_best", [True, False])
def test_judged_epoch_is_told_with_its_rates(is_best: bool) -> None:
    console, file = paper()
    found = rates(np.array([0.1, 0.9, 0.8, 0.7]), {"print": np.array([0.2, 0.6])}, 0.5)
    Progress(console).judged(Position(1, 4, 3, 12), Judgement(0.5, found, 0.3), is_best=is_best)
    assert file.getvalue() == (
        "stage 1 epoch 5: dev ACER 37.5% (APCER 50.0%, BPCER 25.0%, at its equal error)"
        + (", the best so far\n" if is_best else "\n")
    )


def test_brackets_in_a_line_stay_as_they_are() -> None:
    console, file = paper()
    shown = Progress(console)
    shown.say("the store at /data/[old] and [/]")
    shown.warn("the store at /data/[old] and [/]")
    line = "the store at /data/[old] and [/]\n"
    assert file.getvalue() == f"{line}Warning: {line}"
