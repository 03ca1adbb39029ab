"""Attacks simulated on anybody's bona fide clips, as a folder that two readers read.

    OUT/bona_fide/<clip>.mp4              the clip, in the coding of the attacks
    OUT/attack/<species>/<clip>_<n>.mp4   attacks made of it
    OUT/manifest.csv                      a row for each, with all that was drawn
    OUT/README.md, OUT/simulation.json    what it is, for people and for programs

What is drawn for a video follows from the seed, the clip's name, the PAI species and its number;
what it shows follows from the clip's content too. So a run that was killed goes on where it was,
and a clip whose size or time of change is another is filmed anew; videos of a clip that is gone
stay.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
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
    MAX_FACE,
    MAX_RATE,
    MAX_SECONDS,
    MAX_SIDE_PX,
    Clip,
    Framing,
    Shake,
    film_attack,
    film_bona_fide,
    read_clip,
)
from vivant.datasets.walk import VIDEO_ENDINGS, ending, list_files
from vivant.errors import DataError, MediaError, OutputError, UnknownNameError, VivantError
from vivant.faces.detectors.blazeface import blazeface
from vivant.faces.mesh import FaceMesh
from vivant.files import remove_unfinished, write_whole
from vivant.parallel import Failure, in_processes
from vivant.video.isolation import DecoderPool
from vivant.video.limits import VideoLimits

__all__: list[str] = []

MARKER = "simulation.json"
MANIFEST = "manifest.csv"
README = "README.md"
VERSION = 2
"""Of what a seed and a name give; another number means other videos."""
_ROWS = ".rows"
"""A file for each video that is done, written after it: its row, and what it was made of."""
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
    _remove_stale(root, out)
    total = sum(len(source.outputs) for source in sources)
    missing = [left for source in sources if (left := _missing(out, source)).outputs]
    kept = done = total - sum(len(source.outputs) for source in missing)
    failed = 0
    yield Progress(done, failed, total, kept, tuple(problems))
    for source, result in in_processes(partial(_Maker, root, out, seed), missing, num_workers):
        if isinstance(result, Failure):
            problems.append(Problem(source.path, result.message))
        elif result is not None:
            problems.append(result)
        not_made = len(_missing(out, source).outputs)
        failed += not_made
        done += len(source.outputs) - not_made
        yield Progress(done, failed, total, kept, tuple(problems))
    _write_manifest(out)
    write_whole(out / README, _readme(wanted, seed))


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
    """The source with the outputs that are not there; see `_remove_stale`."""
    left = (
        each
        for each in source.outputs
        if not ((out / each.path).is_file() and _row_path(out, each.path).is_file())
    )
    return Source(source.path, tuple(left))


def _remove_stale(root: Path, out: Path) -> None:
    """Remove videos that are not what was written, or whose clip is another by now.

    A clip that is gone says nothing against its videos.

    Raises:
        OutputError: something cannot be removed.
    """
    rows = out / _ROWS
    for path in sorted(rows.rglob("*.json")):
        video = out / path.relative_to(rows).with_suffix("")
        try:
            done = json.loads(path.read_text(encoding="utf-8"))
            now, size = _state(root / done["row"]["source"]), done["size"]
            is_whole = video.is_file() and video.stat().st_size == size
            if is_whole and now in (None, done["source"]):
                continue
        except (OSError, ValueError, TypeError, KeyError):
            pass  # A damaged row: nobody knows what the video is.
        try:
            path.unlink(missing_ok=True)
            video.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{video} cannot be removed: {error}") from error


def _state(path: Path) -> list[int] | None:
    """Size and time of change, in ns, of a file; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]


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
        write_whole(path, json.dumps(marker) + "\n")
    remove_unfinished(out)


class _Maker:
    """The work of a process: makes what is missing of a source; gives what went wrong."""

    def __init__(self, root: Path, out: Path, seed: int) -> None:
        cv2.setNumThreads(1)  # Each process has a core; threads would only wait for each other.
        self._root, self._out, self._seed = root, out, seed
        self._pool = DecoderPool(VideoLimits(), num_spares=0)
        self._detector, self._mesh = blazeface(), FaceMesh()
        self.close = self._pool.close

    def __call__(self, source: Source) -> Problem | None:
        path = self._root / source.path
        try:
            made_of = _state(path)  # Before it is read: a later change is noticed.
            clip = read_clip(path, self._pool, self._detector, self._mesh)
            for output in source.outputs:
                _make(clip, source.path, output, self._out, self._seed, made_of)
        except OutputError:
            raise  # The disk is full, or not ours: no clip after this one fares better.
        except MediaError as error:
            return Problem(source.path, f"{error.code}: {error}")
        except VivantError as error:
            return Problem(source.path, str(error))
        return None


def _make(
    clip: Clip, source: str, output: Output, out: Path, seed: int, made_of: list[int] | None
) -> None:
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
    done = {"row": row | take.parameters, "source": made_of, "size": path.stat().st_size}
    write_whole(_row_path(out, output.path), json.dumps(done) + "\n")


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
            row: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))["row"]
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is damaged: {error}; remove it and run again") from error
        if (out / row["path"]).is_file():
            rows.append(row)
    columns = list(dict.fromkeys([*_FIRST, *(name for row in rows for name in row)]))
    table = io.StringIO()
    writer = csv.DictWriter(table, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(out / MANIFEST, table.getvalue())


_README = """# Simulated attacks

Made from bona fide clips by `vivant data simulate --seed {seed}`. The prints, screens and cut
photos are computed, and so are the cameras that film them.

**They prove that the machinery runs, and say nothing about accuracy on recorded attacks.** A model
that was trained or measured on them has never seen a print or a screen. Do not give out error
rates on them as results.

- `bona_fide/`: the clips' first {seconds:g} seconds, at most {rate:g} frames a second and
  {side} pixels a side, framed anew, filmed once more by a simulated camera and coded like the
  attacks, so that neither framing nor noise nor coding nor size tells one from the other.
- `attack/<species>/`: {species}. Behind the instrument is the clip's own room, without the person;
  what the person hid is made up. The room is one picture, moved as a hand moves a camera: where a
  clip was filmed from a stand, or something moves behind the person, that tells them apart.
- `manifest.csv`: a row for each, with all that was drawn. `subject` is the first folder of a clip's
  path, or the clip itself where it lies in none: sort clips into folders by person, or one person
  may come to stand on two sides of a split.

    vivant data check manifest DIR --split subject:0.6/0.2/0.2

Faces are biometric data: `bona_fide/` and `attack/` show the people of the clips.

## What was drawn

Each number evenly from its range; `log` means that each doubling is as likely as the next.
`framing_scale` is the width of the face against that in the clip. It ends where the face would have
more than {max_face:g} of the frame's width or height, and `framing_x` and `framing_y` end where the
clip's frame does; rows say what came of it.

| column | range |
|---|---|
{ranges}
"""


def _readme(species: Sequence[str], seed: int) -> str:
    known = species_by_name()
    records = [
        ("framing_", Framing),
        ("shake_", Shake),
        ("hold_", Hold),
        *((f"{name}_", known[name].look) for name in species),
    ]
    ranges = [
        f"| `{prefix}{name}` | {given} |"
        for prefix, record in (*records, ("camera_", Camera))
        for name, given in stated(record).items()
        if prefix != "hold_" or name not in ("face", "x", "y")
    ]
    ranges.append("| `hold_face`, `hold_x`, `hold_y` | follow from the clip and `framing_` |")
    return _README.format(
        seed=seed,
        seconds=MAX_SECONDS,
        rate=MAX_RATE,
        side=MAX_SIDE_PX,
        max_face=MAX_FACE,
        species=", ".join(species),
        ranges="\n".join(ranges),
    )
