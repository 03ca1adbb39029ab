"""Tells people how far a training is: a bar on a terminal, else a line now and then."""

import time
from collections import deque
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from vivant.training.folder import Position
from vivant.training.scoring import Judgement

__all__ = ["Progress"]

_TELL_S = 30.0
_RECENT = 20  # Steps whose mean is shown.
_SHOWN = (("loss", "loss"), ("depth_loss", "J_D"), ("advisor_loss", "AD"), ("aam_loss", "AA"))


class Progress:
    """Shows steps, losses, clips a second and the time left.

    Args:
        console: Where to; None shows nothing: a process that is not the first.
    """

    def __init__(self, console: Console | None) -> None:
        self._console = console or Console(quiet=True)
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bars.add_task("", total=None, numbers="")
        self._recent: deque[dict[str, float]] = deque(maxlen=_RECENT)
        self._told_s = time.monotonic()

    def __enter__(self) -> "Progress":
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def begin(self, position: Position, num_epochs: int, steps_per_epoch: int) -> None:
        """A stage begins, or goes on."""
        self._recent.clear()
        done = position.epoch * steps_per_epoch + position.step
        self._bars.reset(self._task, total=num_epochs * steps_per_epoch, completed=done, numbers="")
        self._bars.update(self._task, description=f"stage {position.stage}")

    def step(self, position: Position, values: dict[str, float]) -> None:
        """A step is done.

        Args:
            position: After it.
            values: As they go into the log.
        """
        self._recent.append(values)
        numbers = ", ".join(
            f"{name} {self._mean(key):.3g}" for key, name in _SHOWN if key in values
        )
        numbers += f", {self._mean('clips_per_s'):.1f} clips/s"
        where = f"stage {position.stage} epoch {position.epoch + 1}"
        self._bars.update(self._task, advance=1, description=where, numbers=numbers)
        now_s = time.monotonic()
        if not self._console.is_terminal and now_s - self._told_s > _TELL_S:
            self._told_s = now_s
            self.say(f"{where} step {position.step}: {numbers}")

    def judged(self, position: Position, judgement: Judgement, *, is_best: bool) -> None:
        """An epoch was judged on the dev side."""
        rates = judgement.rates
        self.say(
            f"stage {position.stage} epoch {position.epoch + 1}: dev ACER {rates.acer:.1%} (APCER "
            f"{rates.apcer:.1%}, BPCER {rates.bpcer:.1%}, at its equal error)"
            + (", the best so far" if is_best else "")
        )

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)

    def warn(self, line: str) -> None:
        """Print a warning."""
        text = Text.assemble(("Warning:", "yellow"), " ", line)
        self._console.print(text, soft_wrap=True, highlight=False)

    def _mean(self, name: str) -> float:
        found = [values[name] for values in self._recent if name in values]
        return sum(found) / max(len(found), 1)
