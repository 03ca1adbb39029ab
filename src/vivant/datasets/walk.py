"""How every reader walks a data set's folder, and what may be passed over.

Names that begin with a dot, what archivers and desktops leave behind (`JUNK`), and files that are
plainly no media by their ending (`NO_MEDIA`) are passed over. All else is either a presentation or
a problem with its path.
"""

import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path, PurePosixPath

from vivant.datasets.dataset import Problem, Reading
from vivant.errors import DataError
from vivant.records import Presentation

__all__: list[str] = []

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
            if is_junk(entry.name) or place in skip:
                continue
            if not is_text(entry.name):
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


def is_junk(name: str) -> bool:
    """Whether a file or folder of this name is passed over, whatever it holds."""
    return name.startswith(".") or name in JUNK


def is_text(name: str) -> bool:
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
