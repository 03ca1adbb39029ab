"""Files that are there when they are whole, and what a killed run leaves of others."""

import os
from fnmatch import fnmatch
from pathlib import Path

from vivant.errors import OutputError

__all__ = ["is_unfinished", "put_in_place", "remove_unfinished", "unfinished_path", "write_whole"]

_UNFINISHED = ".*.[0-9]*.part"


def unfinished_path(path: Path) -> Path:
    """Where a file is written until it is whole: beside it, and passed over by readers.

    No other process of this machine writes to it.

    >>> unfinished_path(Path("videos/a.mp4")).name.startswith(".a.mp4.")
    True
    """
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def is_unfinished(path: Path) -> bool:
    """Whether a file is what `unfinished_path` names, of this process or any other.

    >>> is_unfinished(unfinished_path(Path("a.mp4"))), is_unfinished(Path("a.part"))
    (True, False)
    """
    return fnmatch(path.name, _UNFINISHED)


def put_in_place(unfinished: Path, path: Path) -> None:
    """Give a whole file its name, once its content is on the disk.

    Without the wait a name may outlive a power cut, and the content not.

    Raises:
        OSError: it cannot be done.
    """
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # The name, too, is content: of the folder.
    finally:
        os.close(folder)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, text in UTF-8; it has the old content or all of the new.

    Args:
        path: Its folder is made where it is not there.
        content: What it will hold.

    Raises:
        OutputError: it cannot be written.
    """
    unfinished = unfinished_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            unfinished.write_bytes(content if isinstance(content, bytes) else content.encode())
            put_in_place(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror}. Choose another folder, with room"
        ) from error


def remove_unfinished(root: Path) -> None:
    """Remove what a run that was killed left below a folder.

    Call it only where no other run writes.

    Raises:
        OutputError: something cannot be removed.
    """
    try:
        for path in root.rglob(_UNFINISHED):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"what was left in {root} cannot be removed: {error}") from error
