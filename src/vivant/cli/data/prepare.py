"""`vivant data prepare`: from a data set's videos to a store that training reads."""

import os
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from vivant.cli.data.listing import DATASETS
from vivant.plugins import find

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vivant.datasets.dataset import DataSet
    from vivant.preparation.run import Outcome

__all__ = ["prepare"]

_SHOWN = 20
_TELL_S = 30.0  # Between two lines where there is no terminal to draw a bar on.


def prepare(
    name: Annotated[str, typer.Argument(help="A data set, as in `vivant data list`.")],
    root: Annotated[Path, typer.Argument(help="Its folder, as its owner gave it.")],
    out: Annotated[Path, typer.Option(help="The store: a new folder, or one to go on with.")],
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; by default one for each core.")
    ] = None,
    frames: Annotated[
        str, typer.Option(help="Frames to store of each presentation: all, or at most so many.")
    ] = "all",
    depth_maps: Annotated[
        Path | None,
        typer.Option(
            help="Take depth from this folder instead of the face's mesh: "
            "<path without ending>/<time in ms>.png, such as PRNet's."
        ),
    ] = None,
    trusted: Annotated[
        bool,
        typer.Option(
            "--trusted",
            help="Decode without isolation: for files that you made yourself, and faster.",
        ),
    ] = False,
) -> None:
    """Find, follow and cut the face of every presentation, with its depth, into a store.

    Stopped or killed at any moment, the same command goes on where it was. A video that cannot be
    read becomes a row with its reason. The store holds faces: only you may read it (mode 0700), and
    `vivant data delete` removes it.

    Exit code: 0 where all was stored, 1 where something was refused or misnamed.
    """
    from vivant.preparation.manifest import current_manifest
    from vivant.preparation.presentation import preparer
    from vivant.preparation.run import prepare as run
    from vivant.preparation.settings import PreparationSettings
    from vivant.preparation.store import Store

    dataset: DataSet = find(DATASETS, name, "data set")()
    limit = _max_frames(frames)
    reading = dataset.read(root)
    settings = PreparationSettings(max_frames=limit, depth_maps=depth_maps is not None)
    store = Store.create(out, current_manifest(dataset.name, settings))
    work = partial(preparer, root, settings, depth_maps, isolated=not trusted)
    num_workers = workers or len(os.sched_getaffinity(0))
    _watch(run(reading.presentations, store, work, num_workers), len(reading.presentations))
    rows = store.presentations(["path", "refusal", "message"])
    refused = [row for row in rows if row["refusal"]]
    console = Console()
    for row in refused[:_SHOWN]:
        line = Text.assemble((f"{row['refusal']}: ", "red"), f"{row['path']}: {row['message']}")
        console.print(line, soft_wrap=True)
    for problem in reading.problems[:_SHOWN]:
        line = Text.assemble(("not read: ", "red"), f"{problem.path}: {problem.message}")
        console.print(line, soft_wrap=True)
    console.print(
        f"{len(rows):,} presentations are in {out}, {len(refused):,} of them refused; "
        f"{len(reading.problems):,} files were not read. `vivant data info {out}` says more."
    )
    raise typer.Exit(int(bool(refused or reading.problems)))


def _max_frames(frames: str) -> int | None:
    if frames == "all":
        return None
    if not (frames.isascii() and frames.isdecimal() and int(frames) > 0):
        raise typer.BadParameter(f"expected all, or a number of frames, got {frames!r}")
    return int(frames)


def _watch(outcomes: "Iterable[Outcome]", num_all: int) -> None:
    """Show how far it has come: a bar, or a line now and then where there is no terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("preparing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    started_s = told_s = time.monotonic()
    num_new = num_frames = num_refused = 0
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("preparing", total=num_all, rate="")
        for outcome in outcomes:
            num_new += 1
            num_frames += outcome.num_frames
            num_refused += outcome.refusal is not None
            now_s = time.monotonic()
            rate = f"{num_frames / max(now_s - started_s, 1e-9):.0f} frames/s"
            rate += f", {num_refused} refused" if num_refused else ""
            progress.update(task, completed=outcome.num_done, rate=rate)
            if not console.is_terminal and now_s - told_s > _TELL_S:
                told_s = now_s
                left_s = (num_all - outcome.num_done) * (now_s - started_s) / num_new
                line = f"{outcome.num_done}/{num_all}, {rate}, about {left_s / 60:.0f} min left"
                console.print(line, soft_wrap=True)
