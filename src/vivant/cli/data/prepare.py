"""`vivant data prepare`: from a data set's videos to a store that training reads."""

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from vivant.cli.data.listing import DATASETS
from vivant.cli.engine import (
    Address,
    Engine,
    EngineName,
    Patience,
    cluster_engine,
    require_ray_for,
)
from vivant.parallel import num_cores
from vivant.plugins import find
from vivant.video.series import Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vivant.datasets.dataset import DataSet, Problem
    from vivant.preparation.run import Outcome
    from vivant.preparation.store import Store

__all__ = ["prepare"]

_SHOWN = 20
_TELL_S = 30.0  # Between two lines where there is no terminal to draw a bar on.

DepthMaps = Annotated[
    Path | None,
    typer.Option(
        help="Take depth from this folder instead of the face's mesh: "
        "<path without ending>/<time in ms>.png, such as PRNet's."
    ),
]
Margin = Annotated[
    float,
    typer.Option(
        min=1,
        max=4,
        help="Side of the stored square as a multiple of the face's longer side. It must hold the "
        "widest crop of the model; models that see a second, wider crop need 2.6.",
    ),
]
SeriesKind = Annotated[
    Series,
    typer.Option(
        help="How the pictures of a folder follow each other. even: at the camera's rate. "
        "numbered: by the last number in each name, and a missing number is a missing frame. "
        "still: at no known rate; each picture is a clip of its own, and motion and change are "
        "not judged."
    ),
]
CloseFaces = Annotated[
    bool,
    typer.Option(
        "--close-faces",
        help="Also look for faces that fill the frame, such as tightly cut web portraits. "
        "`vivant check` does not find those.",
    ),
]
PictureRate = Annotated[
    float, typer.Option(min=0.01, help="Frames in a second, of the pictures of a folder.")
]


def prepare(
    name: Annotated[str, typer.Argument(help="A data set, as in `vivant data list`.")],
    root: Annotated[
        str, typer.Argument(help="Its folder, as its owner gave it; or a URL: s3://, gs://, az://.")
    ],
    out: Annotated[
        str, typer.Option(help="The store: a new folder, or one to go on with; or a URL.")
    ],
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes; by default one for each core. On a cluster: at most so many; by "
            "default one for each CPU.",
        ),
    ] = None,
    frames: Annotated[
        str, typer.Option(help="Frames to store of each presentation: all, or at most so many.")
    ] = "all",
    depth_maps: DepthMaps = None,
    margin: Margin = 1.75,
    series: SeriesKind = Series.EVEN,
    picture_rate: PictureRate = 30,
    close_faces: CloseFaces = False,
    trusted: Annotated[
        bool,
        typer.Option(
            "--trusted",
            help="Decode without isolation: for files that you made yourself, and faster.",
        ),
    ] = False,
    engine: Engine = EngineName.LOCAL,
    address: Address = None,
    patience: Patience = None,
) -> None:
    """Find, follow and cut the face of every presentation, with its depth, into a store.

    Stopped or killed at any moment, the same command goes on where it was, with any engine. A video
    that cannot be read becomes a row with its reason. The store holds faces: only you may read a
    folder (mode 0700), whose a bucket is its owner says, and `vivant data delete` removes it.
    Credentials for URLs come from the environment (docs/scale.md).

    Exit code: 0 where all was stored, 1 where something was refused or misnamed.
    """
    from vivant.preparation.manifest import current_manifest
    from vivant.preparation.place import to_place
    from vivant.preparation.presentation import preparer
    from vivant.preparation.run import prepare as run
    from vivant.preparation.settings import PreparationSettings
    from vivant.preparation.skeleton import read_data_set
    from vivant.preparation.store import Store

    require_ray_for(engine, address=address, patience=patience)
    dataset: DataSet = find(DATASETS, name, "data set")()
    limit = _max_frames(frames)
    source, target = to_place(root), to_place(out)
    reading, made_up = read_data_set(dataset, source)
    settings = PreparationSettings(
        max_frames=limit,
        depth_maps=depth_maps is not None,
        margin=margin,
        series=series,
        picture_rate=picture_rate,
        close_faces=close_faces,
    )
    store = Store.create(target, current_manifest(dataset.name, settings, is_synthetic=made_up))
    rows, num_all = reading.presentations, len(reading.presentations)
    if engine is EngineName.RAY:
        # Elsewhere: another folder is the current one there.
        source, maps = source.absolute(), depth_maps and depth_maps.absolute()
        work = partial(preparer, source, settings, maps, isolated=not trusted)
        with cluster_engine(address, workers, patience) as (cluster, num_workers):
            _watch(run(rows, store, work, num_workers, cluster), num_all)
    else:
        work = partial(preparer, source, settings, depth_maps, isolated=not trusted)
        _watch(run(rows, store, work, workers or num_cores()), num_all)
    is_sound = _print_end(store, reading.problems, needs_depth=depth_maps is not None)
    raise typer.Exit(int(not is_sound))


def _print_end(store: "Store", problems: "Sequence[Problem]", *, needs_depth: bool) -> bool:
    """Say what is there and what is not; whether all is as it should be."""
    from vivant.preparation.info import describe

    content = describe(store)
    rows = store.presentations(["path", "refusal", "message", "num_frames"])
    refused = [row for row in rows if row["refusal"]]
    listed = [(row["refusal"], row["path"], row["message"]) for row in refused]
    listed += [("not read", problem.path, problem.message) for problem in problems]
    console = Console()
    for code, path, message in listed[:_SHOWN]:
        console.print(Text.assemble((f"{code}: ", "red"), f"{path}: {message}"), soft_wrap=True)
    if len(listed) > _SHOWN:
        console.print(f"... and {len(listed) - _SHOWN:,} more")
    no_face = sum(not row["num_frames"] and not row["refusal"] for row in rows)
    lines = [
        f"{len(rows):,} presentations are in {store.folder}: {len(refused):,} refused, {no_face:,} "
        f"without a face; {len(problems):,} files were not read",
        f"`vivant data info {store.folder}` says more",
    ]
    if content["without_depth"]:
        lines.insert(1, f"{content['without_depth']:,} bona fide frames have no depth")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    has_depth = content["frames_with_depth"] or not needs_depth
    return bool(has_depth and not refused and not problems)


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
