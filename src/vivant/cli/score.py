"""`vivant score`: every video and picture of a folder, into one Parquet file."""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vivant.cli.check import ModelFile, ProfileFile, RuntimeName, Threads, Trusted
from vivant.cli.engine import (
    Address,
    Engine,
    EngineName,
    GpusPerWorker,
    Patience,
    cluster_engine,
    require_ray_for,
)
from vivant.cli.evaluate import progress_bar

if TYPE_CHECKING:
    from vivant.evaluation.score_folder import FolderScores, Judge, MediaFolder
    from vivant.session.session import Session

__all__ = ["score"]

_SHOWN = 10


def score(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="DIR",
            help="Folder, or with --engine ray a URL (s3://, gs://, az://), with videos (.mp4 .m4v "
            ".mov .mkv .webm .avi) and pictures (.jpg .jpeg .png .webp), in folders of any depth. "
            "Each file is a presentation of its own; folders of frames are for `vivant check`.",
        ),
    ],
    out: Annotated[str, typer.Option(help="The Parquet file to write; it may be at a URL.")],
    model: ModelFile = None,
    profile: ProfileFile = None,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Clips in one run of the network, at most. A presentation has up to 4: more than "
            "one at a time serves GPUs, processors gain little. On a cluster: those of one.",
            show_default="8",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Files that are decoded and watched at a time. On a cluster: each with a network "
            "of its own, at most so many.",
            show_default="one a core",
        ),
    ] = None,
    runtime: RuntimeName = "auto",
    threads: Threads = 0,
    trusted: Trusted = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file that is there.")] = False,
    engine: Engine = EngineName.LOCAL,
    address: Address = None,
    gpus_per_worker: GpusPerWorker = 0,
    patience: Patience = None,
) -> None:
    """Check every file of a folder: one row each, with decision, score and reasons.

    A file that cannot be read is a row with its code. The next files are decoded while the network
    runs. Stopped or killed, the same command goes on where it was, with any engine: rows are kept
    in OUT.parts until all are there.

    Exit code: 0 where every file has a row, whatever it says; 1 where something could not be looked
    into, or the command failed; 2 wrong usage.
    """
    from vivant.evaluation.score_folder import judge_here, read_folder, require_free, score_folder
    from vivant.preparation.place import to_place
    from vivant.session.batch import BATCH_CLIPS
    from vivant.session.session import Session

    is_cluster = engine is EngineName.RAY
    require_ray_for(engine, address=address, patience=patience, gpus_per_worker=gpus_per_worker)
    root, target = to_place(folder), to_place(out)
    _require_fit(root, batch, runtime, gpus_per_worker, is_cluster=is_cluster)
    require_free(target, force=force)
    media = read_folder(root)
    # What only names the model needs no GPU: the workers have them.
    own = runtime.partition(":")[0] if is_cluster else runtime
    with ExitStack() as opened:
        session = opened.enter_context(
            Session.open(
                model, isolated=not trusted, profile=profile, runtime=own, num_threads=threads
            )
        )
        judge: Judge = partial(judge_here, num_workers=workers, batch_clips=batch or BATCH_CLIPS)
        if is_cluster:
            from vivant.distributed.scoring import ClusterJudge

            place = cluster_engine(address, workers, patience, gpus_per_worker)
            cluster, num = opened.enter_context(place)
            judge = ClusterJudge(cluster, num, model, profile, not trusted, threads or 1, runtime)
        with progress_bar() as tell:
            found = score_folder(session, media, target, tell, judge)
        notes = _notes(session)
    _print(found, media, notes, out)
    raise typer.Exit(int(bool(media.problems)))


def _require_fit(
    root: object, batch: int | None, runtime: str, gpus_per_worker: float, *, is_cluster: bool
) -> None:
    """Refuse what the engine cannot do.

    Raises:
        typer.BadParameter: it cannot.
    """
    if is_cluster and batch is not None:
        raise typer.BadParameter("--batch is for --engine local: a cluster's worker judges one")
    if not is_cluster and not isinstance(root, Path):
        raise typer.BadParameter(f"expected --engine ray with {root}: its workers fetch the files")
    if gpus_per_worker and "cuda" not in runtime:
        raise typer.BadParameter(
            f"expected --runtime torch:cuda with --gpus-per-worker, got --runtime {runtime}"
        )


def _print(found: "FolderScores", media: "MediaFolder", notes: list[str], out: str) -> None:
    """A table for people, and what to know of it."""
    tally = found.tally
    table = Table("verdict", box=None, pad_edge=False)
    table.add_column("files", justify="right")
    table.add_column("why", overflow="fold")
    table.add_row("bona fide", f"{tally.num_bona_fide:,}", "")
    table.add_row("ATTACK", f"{tally.num_attack:,}", "")
    table.add_row("no decision", f"{tally.num_undecided:,}", _listed(tally.undecided))
    table.add_row("refused", f"{tally.num_refused:,}", _listed(tally.refused))
    console = Console()
    console.print(table)
    lines = []
    num_new = len(media.files) - found.num_kept
    if num_new:
        lines.append(
            f"{found.num_clips:,} clips of {num_new:,} files in {found.duration_s:.1f} s: "
            f"{found.num_clips / found.duration_s:.1f} clips/s"
        )
    if found.num_kept:
        lines.append(f"{found.num_kept:,} files were scored before")
    if media.num_others:
        lines.append(f"{media.num_others:,} files with other endings were passed over")
    lines += notes
    for problem in media.problems[:_SHOWN]:
        lines.append(f"NOT LOOKED INTO: {problem.path}: {problem.message}")
    if len(media.problems) > _SHOWN:
        lines.append(f"... and {len(media.problems) - _SHOWN:,} more")
    lines.append(out)
    for line in lines:
        console.print(Text(line), soft_wrap=True)


def _notes(session: "Session") -> list[str]:
    """What to know of the scores, as `vivant check` says it."""
    from vivant.session.report import of_model
    from vivant.session.voting import NO_VOTE

    model = of_model(session.model)
    notes = [f"model {model.name} {model.sha256[:12]} on {model.runtime}: {model.note}"]
    if model.patches_vote is False:
        notes.append(NO_VOTE)
    if session.profile is not None:
        point = session.profile.point
        of = f"{point.rule} on {point.data}"
        notes.append(f"profile {session.profile.sha256[:12]}: {of}; calibrated scores")
    return notes


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{code} {count:,}" for code, count in counts.items())
