"""Attacks simulated on anybody's bona fide clips, as a folder that two readers read.

    OUT/bona_fide/<clip>.mp4              the clip, in the coding of the attacks
    OUT/attack/<species>/<clip>_<n>.mp4   attacks made of it
    OUT/manifest.csv                      a row for each, with all that was drawn
    OUT/README.md, OUT/simulation.json    what it is, for people and for programs

Each video follows from the seed, the clip's name, the PAI species and its number, and from nothing
else; so a run that was killed goes on where it was.
"""

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import cv2

from vivant.attacks.camera import Camera
from vivant.attacks.ranges import stated
from vivant.attacks.recording import write_video
from vivant.attacks.simulate import Hold, species_by_name
from vivant.datasets.dataset import Problem
from vivant.datasets.simulation_clip import (
    BONA_FIDE,
    MAX_RATE,
    MAX_SECONDS,
    MAX_SIDE_PX,
    Clip,
    film_attack,
    film_bona_fide,
    read_clip,
)
from vivant.datasets.walk import VIDEO_ENDINGS, ending, list_files
from vivant.errors import DataError, MediaError, OutputError, UnknownNameError, VivantError
from vivant.faces.detectors.blazeface import blazeface
from vivant.faces.mesh import FaceMesh
from vivant.parallel import Failure, in_processes
from vivant.video.isolation import DecoderPool
from vivant.video.limits import VideoLimits

__all__: list[str] = []

MARKER = "simulation.json"
MANIFEST = "manifest.csv"
README = "README.md"
VERSION = 1
"""Of what a seed and a name give; another number means other videos."""
_ROWS = ".rows"
"""A file for each video that is done: its row, written after the video."""
_FIRST = ("path", "label", "pai", "subject", "split", "source", "take", "frame_rate")


@dataclass(frozen=True, slots=True)
class Output:
    """One video that is made of a clip."""

    path: str
    """Below the folder, with slashes."""
    species: str | None
    """PAI species; None for bona fide."""
    number: int


@dataclass(frozen=True, slots=True)
class Source:
    """A clip and what is still to be made of it."""

    path: str
    """Below the folder of bona fide clips, with slashes."""
    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a simulation is."""

    done: int
    """Videos that are there."""
    failed: int
    """Videos that could not be made."""
    total: int
    kept: int
    """Of those done, how many were there already."""
    problems: tuple[Problem, ...]
    """Clips that gave nothing, or less than they should."""


def simulate_folder(
    root: Path, out: Path, species: Sequence[str], num_takes: int, seed: int, num_workers: int = 1
) -> Iterator[Progress]:
    """Make attacks of every video below a folder, or go on with it.

    Args:
        root: Bona fide clips, in any folders.
        out: A folder that is empty, or not there, or was begun with this seed.
        species: PAI species; none means all.
        num_takes: Attacks of each species of each clip.
        seed: Of all that is drawn.
        num_workers: Processes.

    Returns:
        How far it is: first what was there, then after each clip. The manifest is written after
        the last.

    Raises:
        UnknownNameError: no such PAI species.
        DataError: the folder of clips is none, or the other folder holds something else.
        OutputError: something cannot be written.
    """
    known = species_by_name()
    for name in species:
        if name not in known:
            raise UnknownNameError("PAI species", name, known)
    wanted = tuple(dict.fromkeys(species)) or tuple(known)
    sources, problems = _plan(root, wanted, num_takes)
    _claim(root, out, seed)
    total = sum(len(source.outputs) for source in sources)
    missing = [left for source in sources if (left := _missing(out, source)).outputs]
    kept = done = total - sum(len(source.outputs) for source in missing)
    failed = 0
    yield Progress(done, failed, total, kept, tuple(problems))
    build = partial(_build, root, out, seed)
    for source, result in in_processes(build, missing, num_workers):
        if isinstance(result, Failure):
            problems.append(Problem(source.path, result.message))
        elif result is not None:
            problems.append(result)
        not_made = len(_missing(out, source).outputs)
        failed += not_made
        done += len(source.outputs) - not_made
        yield Progress(done, failed, total, kept, tuple(problems))
    _write_manifest(out)
    _write(out / README, _readme(wanted, seed))


def _plan(root: Path, species: Sequence[str], num_takes: int) -> tuple[list[Source], list[Problem]]:
    """What there is, and what is to be made of it."""
    if not root.is_dir():
        what = "a file" if root.exists() else "nothing"
        raise DataError(f"expected a folder of bona fide clips at {root}, found {what}")
    files, problems = list_files(root)
    sources: dict[str, Source] = {}
    for path in files:
        name = str(PurePosixPath(path).with_suffix(""))
        if ending(path) not in VIDEO_ENDINGS:
            endings = " ".join(sorted(VIDEO_ENDINGS))
            problems.append(Problem(path, f"expected a video ({endings}): only those are filmed"))
        elif "\\" in path or any(part != part.strip() for part in name.split("/")):
            problems.append(Problem(path, "a name with \\ or spaces at its ends: rename it"))
        elif name in sources:
            first = sources[name].path
            problems.append(Problem(path, f"is there twice, also as {first}: keep one of them"))
        else:
            sources[name] = Source(path, tuple(_outputs(name, species, num_takes)))
    return list(sources.values()), problems


def _outputs(name: str, species: Sequence[str], num_takes: int) -> Iterator[Output]:
    yield Output(f"bona_fide/{name}.mp4", None, 0)
    for each in species:
        for number in range(num_takes):
            yield Output(f"attack/{each}/{name}_{number}.mp4", each, number)


def _missing(out: Path, source: Source) -> Source:
    """The source with the outputs that are not there."""
    left = (
        each
        for each in source.outputs
        if not ((out / each.path).is_file() and _row_path(out, each.path).is_file())
    )
    return Source(source.path, tuple(left))


def _claim(root: Path, out: Path, seed: int) -> None:
    """Make the folder ours, or make sure that it is.

    Raises:
        DataError: it holds something else, or one folder lies in the other.
    """
    inner, outer = out.resolve(), root.resolve()
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise DataError(f"expected two folders that lie apart, got {root} and {out}")
    marker = {"simulation": {"seed": seed, "version": VERSION}}
    path = out / MARKER
    if path.is_file():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is damaged: {error}; name another folder") from error
        if found != marker:
            raise DataError(
                f"{out} holds another simulation ({found}), expected {marker}: name another "
                "folder, or remove it"
            )
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(
            f"expected an empty folder or a simulation begun before, found something else in "
            f"{out}: name another folder"
        )
    else:
        try:
            out.mkdir(mode=0o700, parents=True, exist_ok=True)  # Faces: for this user alone.
        except OSError as error:
            raise OutputError(f"{out} cannot be made: {error}") from error
        _write(path, json.dumps(marker) + "\n")
    for unfinished in out.rglob(".*.part"):  # Of a run that was killed.
        unfinished.unlink(missing_ok=True)


def _build(root: Path, out: Path, seed: int) -> Callable[[Source], Problem | None]:
    """The work of a process: makes what is missing of a source; gives what went wrong."""
    cv2.setNumThreads(1)  # Each process has a core; threads would only wait for each other.
    pool = DecoderPool(VideoLimits(), num_spares=0)
    detector, mesh = blazeface(), FaceMesh()

    def work(source: Source) -> Problem | None:
        try:
            clip = read_clip(root / source.path, pool, detector, mesh)
            for output in source.outputs:
                _make(clip, source.path, output, out, seed)
        except OutputError:
            raise  # The disk is full, or not ours: no clip after this one fares better.
        except MediaError as error:
            return Problem(source.path, f"{error.code}: {error}")
        except VivantError as error:
            return Problem(source.path, str(error))
        return None

    return work


def _make(clip: Clip, source: str, output: Output, out: Path, seed: int) -> None:
    """Film one video; then, when it is whole, write its row."""
    if output.species is None:
        take = film_bona_fide(clip, source, seed)
    else:
        take = film_attack(clip, source, output.species, output.number, seed)
    path = out / output.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path.parent} cannot be made: {error}") from error
    write_video(path, take.frames, clip.rate, take.crf)
    row = {
        "path": output.path,
        "label": "attack" if output.species else BONA_FIDE,
        "pai": output.species or "",
        "subject": _subject(source),
        "split": "",
        "source": source,
        "take": str(output.number),
        "frame_rate": f"{clip.rate:g}",
    }
    _write(_row_path(out, output.path), json.dumps(row | take.parameters) + "\n")


def _subject(source: str) -> str:
    """Whom a clip is of, as far as its name says: its first folder, or itself.

    >>> _subject("anna/evening.mp4"), _subject("evening.mp4")
    ('anna', 'evening')
    """
    parts = PurePosixPath(source).parts
    return parts[0] if len(parts) > 1 else PurePosixPath(source).stem


def _row_path(out: Path, path: str) -> Path:
    return out / _ROWS / f"{path}.json"


def _write_manifest(out: Path) -> None:
    """The table of all videos that are there."""
    rows = []
    for path in sorted((out / _ROWS).rglob("*.json")):
        try:
            row: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is damaged: {error}; remove it and run again") from error
        if (out / row["path"]).is_file():
            rows.append(row)
    columns = list(dict.fromkeys([*_FIRST, *(name for row in rows for name in row)]))
    table = io.StringIO()
    writer = csv.DictWriter(table, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    _write(out / MANIFEST, table.getvalue())


def _write(path: Path, text: str) -> None:
    """A file that is there when it is whole.

    Raises:
        OutputError: it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error}") from error


_README = """# Simulated attacks

Made from bona fide clips by `vivant data simulate --seed {seed}`. The prints, screens and cut
photos are computed, and so are the cameras that film them.

**They prove that the machinery runs, and say nothing about accuracy on recorded attacks.** A model
that was trained or measured on them has never seen a print or a screen. Do not give out error
rates on them as results.

- `bona_fide/`: the clips' first {seconds:g} seconds, at most {rate:g} frames a second and
  {side} pixels a side, filmed once more by a simulated camera and coded like the attacks, so that
  neither noise nor coding nor size tells one from the other.
- `attack/<species>/`: {species}. Behind the instrument is the clip's own room, without the person;
  what the person hid is made up.
- `manifest.csv`: a row for each, with all that was drawn. `subject` is the first folder of a clip's
  path, or the clip itself where it lies in none: sort clips into folders by person, or one person
  may come to stand on two sides of a split.

    vivant data check manifest DIR --split subject:0.6/0.2/0.2

Faces are biometric data: `bona_fide/` and `attack/` show the people of the clips.

## What was drawn

Each number evenly from its range; `log` means that each doubling is as likely as the next.

| column | range |
|---|---|
{ranges}
"""


def _readme(species: Sequence[str], seed: int) -> str:
    known = species_by_name()
    records = [("hold_", Hold), *((f"{name}_", known[name].look) for name in species)]
    ranges = [
        f"| `{prefix}{name}` | {given} |"
        for prefix, record in (*records, ("camera_", Camera))
        for name, given in stated(record).items()
        if (prefix, name) != ("hold_", "face")
    ]
    ranges.insert(0, "| `hold_face` | 0.85 to 1.2 times the width of the face in the clip |")
    return _README.format(
        seed=seed,
        seconds=MAX_SECONDS,
        rate=MAX_RATE,
        side=MAX_SIDE_PX,
        species=", ".join(species),
        ranges="\n".join(ranges),
    )
