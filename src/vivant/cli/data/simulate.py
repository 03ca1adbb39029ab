"""`vivant data simulate`: attacks computed from anybody's bona fide clips."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

from vivant.parallel import num_cores

if TYPE_CHECKING:
    from vivant.datasets.simulation import Progress

__all__ = ["simulate"]


def simulate(
    source: Annotated[Path, typer.Option("--from", help="Bona fide videos, in any folders.")],
    out: Annotated[Path, typer.Option(help="An empty folder, or one begun by this command.")],
    species: Annotated[
        list[str] | None,
        typer.Option(help="print, replay or cut_photo; again for more; without it all."),
    ] = None,
    takes: Annotated[int, typer.Option(min=1, help="Attacks of a species of each clip.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 is one for each core.")] = 0,
) -> None:
    """Print, replay and cut out bona fide clips, and film that: attacks to prove machinery with.

    They say nothing about accuracy on recorded attacks. Videos that are there are kept: killed at
    any moment, the same command goes on.

    Exit code: 0 where all were made, 1 where a file gave none.
    """
    from vivant.datasets.simulation import simulate_folder

    state: Progress | None = None
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("videos", total=None)
        num_workers = workers or num_cores()
        for state in simulate_folder(source, out, species or [], takes, seed, num_workers):
            bar.update(task, completed=state.done + state.failed, total=state.total)
    assert state is not None
    console = Console()
    for problem in state.problems:
        line = Text.assemble(("not simulated: ", "red"), f"{problem.path}: {problem.message}")
        console.print(line, soft_wrap=True)
    console.print(
        f"{state.done} of {state.total} videos are in {out}, {state.kept} of them from before. "
        "Attacks are SIMULATED: see README.md",
        soft_wrap=True,
        markup=False,
    )
    console.print(f"vivant data check manifest {out}", soft_wrap=True, markup=False)
    raise typer.Exit(int(bool(state.problems)))
