"""Folders of videos: anybody's `bona_fide/` and `attack/<species>/`; and how a folder is walked.

Every reader walks by `list_files`, so that one rule says what may be passed over: names that begin
with a dot, what archivers and desktops leave behind (`JUNK`), and files that are plainly no media
by their ending (`NO_MEDIA`). All else is either a presentation or a problem with its path.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from pathlib import Path, PurePosixPath

from vivant.datasets.dataset import DataSet, Problem, Protocol, Reading, Splits, by_split
from vivant.errors import DataError
from vivant.records import Label, Presentation, Split

__all__ = ["folder"]

VIDEO_ENDINGS = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm"})
"""What may be a video; its content is asked when it is decoded."""
STILL_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp"})
"""What may be a picture: the endings that `vivant.video.source` reads as frames."""
NO_MEDIA = frozenset(
    {".txt", ".md", ".csv", ".tsv", ".json", ".yaml", ".yml", ".xml", ".html", ".pdf", ".doc"}
    | {".docx", ".xls", ".xlsx", ".log", ".face", ".mat", ".npy", ".parquet", ".py", ".m", ".sh"}
)
"""Files with these endings are passed over: notes, lists, face boxes, tables, scripts."""
JUNK = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
"""Files and folders with these names are passed over, and all that begin with a dot."""

BONA_FIDE_FOLDERS = ("bona_fide", "bonafide")
ATTACK_FOLDER = "attack"
_LAYOUT = (
    "bona_fide/ (or bonafide/) and attack/<species>/, or these two below train/, dev/ and test/"
)


def list_files(root: Path, skip: Collection[str] = ()) -> tuple[list[str], list[Problem]]:
    """All files below a folder that may be media.

    Links are followed, for data often lies on another disk; a circle of them is a problem.

    Args:
        root: The folder.
        skip: Folders to leave out, relative to the root, with slashes.

    Returns:
        Paths relative to the root, with slashes, sorted; and what could not be looked at.
    """
    files: list[str] = []
    problems: list[Problem] = []
    pending = [(root, "", frozenset({root.resolve()}))]
    while pending:
        here, prefix, above = pending.pop()
        try:
            entries = list(os.scandir(here))
        except OSError as error:
            place = prefix.rstrip("/") or "."
            problems.append(Problem(place, f"the folder cannot be read: {error.strerror}"))
            continue
        for entry in entries:
            place = prefix + entry.name
            if entry.name.startswith(".") or entry.name in JUNK or place in skip:
                continue
            if not _is_text(entry.name):
                shown = os.fsencode(place).decode("utf-8", "backslashreplace")
                problems.append(Problem(shown, "expected a name in UTF-8: rename it"))
            elif _is_folder(entry):
                real = Path(entry.path).resolve()
                if real in above:
                    problems.append(Problem(place, "a link that leads in a circle: remove it"))
                else:
                    pending.append((Path(entry.path), f"{place}/", above | {real}))
            elif ending(place) in NO_MEDIA:
                continue
            elif not Path(entry.path).is_file():
                problems.append(
                    Problem(place, "expected a file, got a broken link or something that is none")
                )
            else:
                files.append(place)
    return sorted(files), sorted(problems, key=lambda problem: problem.path)


def ending(path: str) -> str:
    """The ending of a path's name, in lower case.

    >>> ending("Test/001/CLIP.MOV")
    '.mov'
    """
    return PurePosixPath(path).suffix.lower()


def require_folders(root: Path, name: str, folders: Sequence[str]) -> list[Problem]:
    """Make sure that a root is a data set's.

    Args:
        root: What the user gave.
        name: The data set's, for the message.
        folders: What lies in its root.

    Returns:
        A problem for each folder that is missing.

    Raises:
        DataError: the root is no folder, or none of these is in it.
    """
    found = folders_of(root, name)
    if not set(folders) & set(found):
        raise DataError(
            f"expected {', '.join(f'{each}/' for each in folders)} of {name} in {root}, found "
            f"{describe(found)}: name the folder that holds them"
        )
    return [
        Problem(each, f"expected this folder of {name}, and it is missing")
        for each in folders
        if each not in found
    ]


def folders_of(root: Path, name: str) -> list[str]:
    """Names of the folders in a root, sorted.

    Raises:
        DataError: the root is no folder that can be read.
    """
    if not root.is_dir():
        what = "a file" if root.exists() else "nothing"
        raise DataError(f"expected the folder of {name} at {root}, found {what}: name its folder")
    try:
        return sorted(each.name for each in root.iterdir() if each.is_dir())
    except OSError as error:
        raise DataError(
            f"expected the folder of {name} at {root}, and it cannot be read: {error.strerror}"
        ) from error


def describe(names: Sequence[str]) -> str:
    """What was found, short enough for a message.

    >>> describe([])
    'no folder'
    >>> describe(list("abcdefghij"))
    'a/, b/, c/, d/, e/, f/, g/, h/ and 2 more'
    """
    if not names:
        return "no folder"
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(f"{each}/" for each in names[:8]) + more


def read_names(
    root: Path, parse: Callable[[str], Presentation], skip: Collection[str] = ()
) -> Reading:
    """Read a data set whose files say by their paths what they are.

    Args:
        root: The data set's folder.
        parse: Gives a path's presentation, or raises DataError.
        skip: Folders that belong to the data set and hold no presentations.

    Returns:
        One presentation for each file that parses; a problem for each that does not, and for one
        that is there already with another ending, for then nobody knows which one to take.
    """
    files, problems = list_files(root, skip)
    presentations: list[Presentation] = []
    seen: dict[str, str] = {}
    for path in files:
        try:
            row = parse(path)
        except DataError as error:
            problems.append(Problem(path, str(error)))
            continue
        first = seen.setdefault(str(PurePosixPath(path).with_suffix("")), path)
        if first == path:
            presentations.append(row)
        else:
            problems.append(Problem(path, f"is there twice, also as {first}: keep one of them"))
    return Reading(tuple(presentations), tuple(problems))


def folder() -> DataSet:
    """Anybody's videos, sorted into folders by what they are.

    `bona_fide/` (or `bonafide/`) and `attack/<species>/`, optionally below `train/`, `dev/` and
    `test/`. A presentation is a video at any depth, or a folder of pictures, which are its frames
    in the order of their numbers. It names no subjects: for those, write a manifest.

    Its protocol `folders` divides as the folders do.
    """
    return DataSet("folder", _read, {"folders": Protocol(_by_folders)})


def _by_folders(presentations: Sequence[Presentation]) -> Splits:
    if not any(row.split for row in presentations):
        raise DataError(
            "expected train/, dev/ and test/ above bona_fide/ and attack/, found none: sort the "
            "videos into them, or write a manifest with a column `split` or `subject`"
        )
    return by_split(presentations)


def _read(root: Path) -> Reading:
    top = folders_of(root, "bona_fide/ and attack/")
    sides = {f"{split}/": split for split in Split if split in top}
    parts: dict[str, Split | None] = {**sides} or {"": None}
    skip: set[str] = set()
    num_classes = 0
    for prefix in {"", *parts}:
        known = set(sides) if prefix == "" and sides else {*BONA_FIDE_FOLDERS, ATTACK_FOLDER}
        known = {each.rstrip("/") for each in known}
        names = folders_of(root / prefix, "bona_fide/ and attack/")
        num_classes += len(known & set(names)) if prefix in parts else 0
        strangers = (each for each in names if each not in known and not _is_junk(each))
        skip |= {prefix + each for each in strangers if _is_text(each)}
    if not num_classes:
        raise DataError(f"expected {_LAYOUT} in {root}, found {describe(top)}")
    files, problems = list_files(root, skip)
    problems += [Problem(each, f"unknown folder, not read: expected {_LAYOUT}") for each in skip]

    presentations: list[Presentation] = []
    pictures: dict[str, list[Presentation]] = defaultdict(list)
    with_videos: set[str] = set()
    for path in files:
        try:
            row, depth = _parse(path, parts)
        except DataError as error:
            problems.append(Problem(path, str(error)))
            continue
        parent = str(PurePosixPath(path).parent)
        if ending(path) in VIDEO_ENDINGS:
            presentations.append(row)
            with_videos.add(parent)
        elif path.count("/") == depth:
            problems.append(
                Problem(path, "a picture by itself: put the frames of one clip into a folder")
            )
        else:
            pictures[parent].append(row)
    for parent, rows in pictures.items():
        if parent in with_videos:
            message = f"holds videos and {len(rows)} pictures, which are not read: separate them"
            problems.append(Problem(parent, message))
        else:
            first = rows[0]
            presentations.append(
                Presentation(parent, first.label, first.pai_species, split=first.split)
            )
    return Reading(
        tuple(sorted(presentations, key=lambda row: row.path)),
        tuple(sorted(problems, key=lambda problem: problem.path)),
    )


def _parse(path: str, parts: dict[str, Split | None]) -> tuple[Presentation, int]:
    """The file as a presentation of its own, and how many slashes its class folder's files have.

    Raises:
        DataError: what is wrong with its place or its ending.
    """
    if ending(path) not in VIDEO_ENDINGS | STILL_ENDINGS:
        known = " ".join(sorted(VIDEO_ENDINGS | STILL_ENDINGS))
        raise DataError(f"expected a video or a picture ({known}), got {ending(path) or 'none'!r}")
    for prefix, split in parts.items():
        names = path.removeprefix(prefix).split("/")
        if not path.startswith(prefix) or len(names) == 1:
            continue
        if names[0] in BONA_FIDE_FOLDERS:
            return Presentation(path, Label.BONA_FIDE, None, split=split), prefix.count("/") + 1
        if len(names) > 2:
            return Presentation(path, Label.ATTACK, names[1], split=split), prefix.count("/") + 2
        raise DataError("an attack of no species: expected attack/<species>/<video>")
    raise DataError(f"lies outside of the folders: expected {_LAYOUT}")


def _is_junk(name: str) -> bool:
    return name.startswith(".") or name in JUNK


def _is_text(name: str) -> bool:
    """Whether a name that the file system gives can be written into a list."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder or a link to one; a link that cannot be followed is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False
