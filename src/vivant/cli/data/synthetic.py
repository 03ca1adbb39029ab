"""`vivant data synthetic`: a benchmark drawn by a program, in a data set's own layout."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from vivant.parallel import num_cores

if TYPE_CHECKING:
    from vivant.datasets.synthetic import Progress

__all__ = ["synthetic"]


def synthetic(
    layout: Annotated[str, typer.Option(help="Whose folders and names: oulu-npu or siw.")],
    size: Annotated[str, typer.Option(help="tiny (minutes), small or full (all names).")],
    out: Annotated[Path, typer.Option(help="An empty folder, or one begun by this command.")],
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 is one for each core.")] = 0,
) -> None:
    """Draw videos of made-up people, bona fide and attacks, in OULU-NPU's or SiW's own layout.

    They prove that everything runs, and say nothing about accuracy on people. Videos that are
    there are kept: killed at any moment, the same command goes on.
    """
    from vivant.datasets.synthetic import generate
    from vivant.datasets.synthetic_plan import READERS

    console = Console(stderr=True)
    started = time.monotonic()
    state: Progress | None = None
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console) as bar:
        task = bar.add_task("videos", total=None, rate="")
        num_workers = workers or num_cores()
        for state in generate(out, layout, size, seed, num_workers):
            made = state.done - state.kept
            rate = made / max(time.monotonic() - started, 1e-6)
            bar.update(task, completed=state.done, total=state.total, rate=f"{rate:.1f} a second")
    assert state is not None
    minutes = (time.monotonic() - started) / 60
    Console().print(
        f"{state.total} SYNTHETIC videos in {out}: {state.done - state.kept} made in {minutes:.1f} "
        f"minutes, {state.kept} were there. Not people: see README.md",
        soft_wrap=True,
    )
    Console().print(
        f"vivant data check {READERS[layout]} {out} --protocol 1", soft_wrap=True, markup=False
    )
