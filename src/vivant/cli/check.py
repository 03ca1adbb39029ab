"""`vivant check`: videos, pictures, folders of frames or a camera in, verdicts out."""

from collections.abc import Iterator
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from vivant.errors import OutputError

if TYPE_CHECKING:
    from vivant.session.report import CheckRecord
    from vivant.session.session import Session
    from vivant.session.verdict import Verdict

__all__ = ["check"]

# Exit codes: the first that applies to any of the files. 2 is wrong usage.
_REFUSED, _ATTACK, _UNDECIDED = 1, 3, 4
_STYLES = {"bona fide": "bold green", "ATTACK": "bold red", "no decision": "yellow"}

ProfileFile = Annotated[
    Path | None,
    typer.Option(
        help="File of `vivant calibrate`, for this model: calibrated scores, its threshold, and "
        "limits of OUT_OF_DISTRIBUTION and WINDOWS_DISAGREE.",
        show_default="none: the card's threshold",
    ),
]

ModelFile = Annotated[
    Path | None,
    typer.Option(
        help="Card of the model (*.onnx.json, *.xml.json or *.safetensors.json).",
        show_default="the one that ships, trained on synthetic data alone",
    ),
]
Trusted = Annotated[
    bool,
    typer.Option(
        "--trusted",
        help="Decode in this process, without isolation: for files that you made yourself.",
    ),
]
RuntimeName = Annotated[
    str,
    typer.Option(
        help="What runs the network: onnx or openvino for graphs; torch, torch-compile, "
        "torch-cuda-graphs for checkpoints, with a device where it is not the processor: "
        "torch:cuda. auto: the fastest that is installed, timed once for each model."
    ),
]
Threads = Annotated[int, typer.Option(min=0, help="Threads of the network; 0: one a core.")]


class View(StrEnum):
    """Where a camera's picture is shown."""

    AUTO = "auto"
    WINDOW = "window"
    TERMINAL = "terminal"
    NONE = "none"


Seconds = Annotated[
    float, typer.Option(help="How long to film with a camera; the verdict is about all of it.")
]
ViewOption = Annotated[
    View, typer.Option(help="Where a camera's picture and the verdict so far are shown, live.")
]
ExplainFolder = Annotated[
    Path | None,
    typer.Option(help="Folder for a picture of each verdict: boxes, Grad-CAM, depth maps."),
]
DetectorName = Annotated[
    str, typer.Option(help="What finds faces: blazeface, or centerface:FILE with its ONNX file.")
]


def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Videos (MP4, MKV, WebM, AVI), pictures (JPEG, PNG, WebP), or folders with the "
            "frames of one clip.",
            show_default=False,
            metavar="PATH",
        ),
    ] = None,
    model: ModelFile = None,
    profile: ProfileFile = None,
    camera: Annotated[
        int | None, typer.Option(help="Film with a camera of this machine: 0 is the first.")
    ] = None,
    rtsp: Annotated[
        str | None, typer.Option(help="Take a network camera's stream: rtsp://...")
    ] = None,
    seconds: Seconds = 5.0,
    view: ViewOption = View.AUTO,
    fps: Annotated[
        float, typer.Option(help="Frames in a second of a folder of pictures.", min=0.1)
    ] = 30.0,
    explain: ExplainFolder = None,
    detector: DetectorName = "blazeface",
    trusted: Trusted = False,
    runtime: RuntimeName = "auto",
    threads: Threads = 0,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON object a line (docs/check.schema.json)."),
    ] = False,
) -> None:
    """Say of each presentation whether it is bona fide, an attack, or why that stays open.

    Exit code, by the first that applies: 2 wrong usage, 1 a file was refused or failed, 3 an
    attack, 4 no decision on one, 0 all are bona fide.
    """
    num_cameras = (camera is not None) + (rtsp is not None)
    if bool(paths) + num_cameras != 1:
        raise typer.BadParameter("name files, or one camera (--camera or --rtsp)")
    from vivant.session.session import Session

    if explain is not None:
        _make_folder(explain)
    with Session.open(
        model,
        detector=detector,
        isolated=not trusted,
        profile=profile,
        runtime=runtime,
        num_threads=threads,
    ) as session:
        if paths:
            jobs = [(str(path), partial(session.check, path, rate=fps)) for path in paths]
        else:
            jobs = [_camera_job(session, camera, rtsp, seconds, view)]
        records: list[CheckRecord] = []
        for record, verdict in _run(jobs, session):
            if as_json:
                typer.echo(record.model_dump_json())
            if explain is not None and verdict is not None:
                _write_picture(explain, len(records), len(jobs), record.path, verdict)
            records.append(record)
    if not as_json:
        _print(records)
    raise typer.Exit(_exit_code(records))


def _run(
    jobs: list[tuple[str, "partial[Verdict]"]], session: "Session"
) -> Iterator[tuple["CheckRecord", "Verdict | None"]]:
    """One answer a job; an error of one is its answer and never stops the others."""
    from vivant.session.report import of_error, of_verdict

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=len(jobs) < 2) as progress:
        task = progress.add_task("checking", total=len(jobs))
        for name, ask in jobs:
            try:
                verdict = ask()
            except Exception as error:  # Ours too: the other files are still to be checked.
                yield of_error(name, error, session.model), None
            else:
                yield of_verdict(name, verdict), verdict
            progress.advance(task)


def _camera_job(
    session: "Session", camera: int | None, rtsp: str | None, seconds: float, view: View
) -> tuple[str, "partial[Verdict]"]:
    """Film, and show the verdict so far; the last one is about all that was filmed."""
    from vivant.cli.live import choose_view, viewer
    from vivant.session.stream import Stream
    from vivant.video.camera import open_camera, open_stream

    preprocessing = session.card.preprocessing

    def ask() -> "Verdict":
        console = Console(stderr=True)
        interval_s, limits = preprocessing.frame_interval_s, session.video_limits
        if rtsp is not None:
            media = open_stream(rtsp, seconds, interval_s, limits)
        else:
            assert camera is not None
            media = open_camera(camera, seconds, interval_s, limits)
        console.print(f"filming for {seconds:g} seconds: look into the camera")
        least_s = interval_s * session.card.architecture.num_frames
        stream = Stream(session, span_s=max(seconds, least_s), live=True)
        where = choose_view(console) if view is View.AUTO else view.value
        with viewer(where, console) as show:
            for verdict in stream.follow(media.frames):
                if not show(verdict, stream):
                    break
        return stream.end()

    # Not the address: it may hold a password.
    return ("rtsp" if camera is None else f"camera {camera}"), partial(ask)


def _print(records: "list[CheckRecord]") -> None:
    """A table for people."""
    from vivant.session.voting import NO_VOTE

    table = Table(box=None, pad_edge=False, expand=False)
    table.add_column("presentation", overflow="fold", max_width=40)
    table.add_column("verdict", no_wrap=True)
    table.add_column("score", justify="right")
    table.add_column("why, and what to know", overflow="fold")
    for record in records:
        word, why = _in_words(record)
        score = "" if record.bona_fide_score is None else f"{record.bona_fide_score:.3f}"
        table.add_row(Text(record.path), Text(word, _STYLES.get(word, "bold")), score, Text(why))
    console = Console()
    console.print(table)
    models = {record.model for record in records if record.model is not None}
    for model in models:
        console.print(f"model {model.name} {model.sha256[:12]} on {model.runtime}: {model.note}")
        if model.patches_vote is False:
            console.print(f"note: {NO_VOTE}")
    for line in {_profile(record) for record in records if record.profile is not None}:
        console.print(Text(line), soft_wrap=True)


def _profile(record: "CheckRecord") -> str:
    assert record.profile is not None
    assert record.operating_point is not None
    point = record.operating_point
    return f"profile {record.profile[:12]}: {point.rule} on {point.data}; calibrated scores"


def _in_words(record: "CheckRecord") -> tuple[str, str]:
    if record.status == "refused":
        return "refused", f"{record.code}: {record.message}"
    cautions = [f"note: {caution.message}" for caution in record.cautions]
    if record.status == "undecided":
        reasons = [f"{reason.code}: {reason.message}" for reason in record.reasons]
        return "no decision", "\n".join(reasons + cautions)
    assert record.threshold is not None
    word = "bona fide" if record.decision == "bona_fide" else "ATTACK"
    sign = ">=" if record.decision == "bona_fide" else "<"
    return word, "\n".join([f"score {sign} threshold {record.threshold:.3f}", *cautions])


def _exit_code(records: "list[CheckRecord]") -> int:
    if any(record.status == "refused" for record in records):
        return _REFUSED
    if any(record.decision == "attack" for record in records):
        return _ATTACK
    # Whatever is not known to be bona fide is not, and nothing at all is not either.
    if records and all(record.decision == "bona_fide" for record in records):
        return 0
    return _UNDECIDED


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror}") from error


def _write_picture(
    folder: Path, position: int, num_jobs: int, name: str, verdict: "Verdict"
) -> None:
    import io

    from PIL import Image

    from vivant.files import write_whole
    from vivant.session.explain import draw_verdict

    picture = io.BytesIO()
    Image.fromarray(draw_verdict(verdict, Path(name).name)).save(picture, "PNG")
    stem = Path(name).stem.replace(" ", "_") or "presentation"
    # Two files of one name in different folders are two pictures.
    prefix = f"{position + 1:0{len(str(num_jobs))}d}-" if num_jobs > 1 else ""
    write_whole(folder / f"{prefix}{stem}.png", picture.getvalue())
