"""Scores every video and picture of a folder, and goes on where it was stopped.

What is done is kept in a folder beside the output, some files a part, and becomes the one file when
all of it is there.
"""

import hashlib
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from upath import UPath

from vivant import __version__
from vivant.datasets.dataset import Problem
from vivant.datasets.walk import NO_MEDIA, STILL_ENDINGS, VIDEO_ENDINGS, ending, list_files
from vivant.errors import DataError, MediaError, OutputError, Refusal
from vivant.evaluation.check_rows import Tally, join_rows, save_rows, to_row
from vivant.preparation.place import (
    Place,
    claim,
    is_there,
    listed_below,
    names_in,
    one_line,
    remove,
)
from vivant.session.batch import BATCH_CLIPS, check_many
from vivant.session.report import CheckRecord, of_error, of_model, of_verdict
from vivant.session.session import Session
from vivant.session.verdict import Verdict

__all__ = [
    "FolderScores",
    "Judge",
    "MediaFile",
    "MediaFolder",
    "judge_here",
    "read_folder",
    "require_free",
    "score_folder",
    "to_record",
]

_ENDINGS = VIDEO_ENDINGS | STILL_ENDINGS
_PART_ROWS = 32
"""Files that are kept together: what a kill can cost, beside those in work."""
_IDENTITY = "score.json"


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A file that will have a row."""

    path: str
    """Relative to the folder, with slashes."""
    size_bytes: int | None
    """None where the file cannot be looked at; so is the next."""
    changed: str | None
    """When its content was changed, in nanoseconds since 1970, or an object store's mark of it."""
    problem: str | None = None
    """Why it cannot be opened at all; None: nothing is known against it."""


@dataclass(frozen=True, slots=True)
class MediaFolder:
    """What a folder holds."""

    root: Place
    files: tuple[MediaFile, ...]
    """Videos and pictures by their endings, in the order of their paths; at least one."""
    num_others: int
    """Files that are passed over: their endings are no video's and no picture's."""
    problems: tuple[Problem, ...]
    """Folders and other things that could not be looked into: what is in them has no row."""


Judge = Callable[
    [Session, MediaFolder, Sequence[MediaFile]],
    Generator[tuple[MediaFile, CheckRecord], None, None],
]
"""Checks some files of a folder, wherever, in any order: each comes back once, whatever happens."""


@dataclass(frozen=True, slots=True)
class FolderScores:
    """What came of a folder."""

    tally: Tally
    num_kept: int
    """Rows of earlier runs that went on."""
    num_clips: int
    """Clips that the network scored in this run."""
    duration_s: float
    """Of this run."""


def read_folder(root: Place) -> MediaFolder:
    """Find the videos and pictures below a folder.

    Args:
        root: The folder, which may be at a URL; links are followed.

    Raises:
        DataError: it is no folder, or there is none in it.
    """
    if not isinstance(root, Path):
        return _read_remote(root)
    if not root.is_dir():
        what = "a file" if root.exists() else "nothing"
        raise DataError(f"expected a folder at {root}, found {what}")
    paths, problems = list_files(root)
    files = [_file(root, path) for path in paths if ending(path) in _ENDINGS]
    num_others = len(paths) - len(files)
    bad = [each for each in problems if ending(each.path) in _ENDINGS]
    files += [MediaFile(each.path, None, None, each.message) for each in bad]
    unread = tuple(each for each in problems if ending(each.path) not in _ENDINGS | NO_MEDIA)
    if not files:
        found = "; ".join(f"{each.path}: {each.message}" for each in unread)
        raise DataError(
            f"expected videos or pictures ({', '.join(sorted(_ENDINGS))}) in {root}, found none"
            + (f", but {found}" if found else "")
        )
    return MediaFolder(root, tuple(sorted(files, key=lambda file: file.path)), num_others, unread)


def _read_remote(root: UPath) -> MediaFolder:
    try:
        found = listed_below(root)
    except OSError as error:
        raise DataError(f"expected a folder at {root}: {error.strerror}") from error
    files = [
        MediaFile(path, size, mark)
        for path, (size, mark) in sorted(found.items())
        if ending(path) in _ENDINGS
    ]
    if not files:
        raise DataError(
            f"expected videos or pictures ({', '.join(sorted(_ENDINGS))}) in {root}, found none"
        )
    return MediaFolder(root, tuple(files), len(found) - len(files), ())


def require_free(out: Place, *, force: bool) -> None:
    """Make sure that the output can be written without a loss.

    Args:
        out: The Parquet file.
        force: Whether one that is there may be replaced.

    Raises:
        OutputError: it is there and must not be replaced, or is no file.
    """
    if isinstance(out, Path) and out.is_dir():
        raise OutputError(f"expected a file to write to, got the folder {out}: name a file in it")
    try:
        is_taken = is_there(out)
    except OSError as error:
        raise OutputError(f"cannot write {out}: {one_line(error)}") from error
    if is_taken and not force:
        raise OutputError(f"{out} is there already: name another file, or replace it with --force")


def score_folder(
    session: Session,
    media: MediaFolder,
    out: Place,
    tell: Callable[[int, int], None],
    judge: Judge,
) -> FolderScores:
    """Score the files of a folder into one Parquet file, or go on with it.

    Whatever happens to a file is its row. Rows are kept in `OUT.parts` until all are there; where
    they are judged may differ from run to run.

    Args:
        session: The model, and what is decided with it.
        media: Of `read_folder`.
        out: The Parquet file; one that is there is replaced.
        tell: Is told how many of how many are done.
        judge: `judge_here`, or a cluster's.

    Raises:
        OutputError: the parts are of another model, setting or state of the files, or something
            cannot be read there or written.
        DataError: a part cannot be read.
    """
    started_s = time.perf_counter()
    folder = out.parent / f"{out.name}.parts"
    claim(
        folder, _IDENTITY, _identity(session, media),
        "rows of another model, setting or state of the files", "another output",
    )  # fmt: skip
    num_all = len(media.files)
    parts = {
        folder / f"part-{at // _PART_ROWS:05}.parquet": media.files[at : at + _PART_ROWS]
        for at in range(0, num_all, _PART_ROWS)
    }
    there = set(names_in(folder))
    missing = {path: files for path, files in parts.items() if path.name not in there}
    num_kept = num_done = num_all - sum(map(len, missing.values()))
    tell(num_done, num_all)
    num_clips = 0
    todo = [file for files in missing.values() for file in files]
    part_of = {file.path: path for path, files in missing.items() for file in files}
    rows: dict[Place, dict[str, Mapping[str, Any]]] = {path: {} for path in missing}
    with closing(judge(session, media, todo)) as records:
        for file, record in records:
            path = part_of[file.path]
            rows[path][file.path] = to_row(record)
            num_clips += len(record.windows)
            num_done += 1
            tell(num_done, num_all)
            if len(rows[path]) == len(missing[path]):
                done = rows.pop(path)
                save_rows(path, [done[each.path] for each in missing[path]])
    tally = join_rows(list(parts), out, _about(session))
    remove(folder)
    return FolderScores(tally, num_kept, num_clips, time.perf_counter() - started_s)


def _file(root: Path, path: str) -> MediaFile:
    try:
        found = (root / path).stat()
    except OSError:  # Gone since it was listed: its row will say so.
        return MediaFile(path, None, None)
    return MediaFile(path, found.st_size, str(found.st_mtime_ns))


def judge_here(
    session: Session,
    media: MediaFolder,
    files: Sequence[MediaFile],
    *,
    num_workers: int | None = None,
    batch_clips: int = BATCH_CLIPS,
) -> Generator[tuple[MediaFile, CheckRecord], None, None]:
    """Check files on this machine, in their order.

    Args:
        session: Judges.
        media: The folder.
        files: Some of it.
        num_workers: As for `check_many`.
        batch_clips: As for `check_many`.
    """
    assert isinstance(media.root, Path), "at a URL, files are fetched by a cluster's workers"
    sources = [media.root / file.path for file in files if file.problem is None]
    checks = check_many(session, sources, num_workers=num_workers, batch_clips=batch_clips)
    with closing(checks) as answers:
        for file in files:
            answer: Verdict | Exception
            if file.problem is None:
                _, answer = next(answers)
            else:
                answer = MediaError(Refusal.NOT_A_FILE, file.problem)
            yield file, to_record(session, file.path, answer)


def to_record(session: Session, path: str, answer: Verdict | Exception) -> CheckRecord:
    """What a file's row is made of.

    Args:
        session: Has judged, or tried to.
        path: Of the file, relative to the folder.
        answer: The verdict, or what was raised instead.
    """
    if isinstance(answer, Verdict):
        try:
            return of_verdict(path, answer)
        except ValidationError as error:  # A number that is none: this file's alone.
            answer = error
    return of_error(path, answer, session.model)


def _identity(session: Session, media: MediaFolder) -> Mapping[str, Any]:
    """What the rows depend on."""
    return {
        "vivant": __version__,
        "weights": session.model.sha256,
        "card": hashlib.sha256(session.card.model_dump_json().encode()).hexdigest(),
        "profile": None if session.profile is None else session.profile.sha256,
        "runtime": session.model.runtime,
        "windows": session.num_windows,
        "quality_limits": session.quality_limits.model_dump(mode="json"),
        "video_limits": session.video_limits.model_dump(mode="json"),
        "files": [[file.path, file.size_bytes, file.changed] for file in media.files],
    }


def _about(session: Session) -> Mapping[str, str]:
    """What the file says of all its rows."""
    model = of_model(session.model)
    profile = session.profile
    score = "mean of the windows' raw scores" if profile is None else "calibrated by the profile"
    return {
        "vivant": __version__,
        "model": model.name,
        "weights_sha256": model.sha256,
        "training": model.note,
        "runtime": model.runtime,
        "profile": "none" if profile is None else profile.sha256,
        "bona_fide_score": f"0..1, higher is bona fide; {score}; null: there is none. Bona "
        "fide is what has the decision bona_fide, and nothing else",
    }
