"""Files that are there when they are whole, and what a killed run leaves of others."""

import json
import os
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from vivant.errors import OutputError

__all__ = [
    "claim",
    "claim_text",
    "is_unfinished",
    "put_in_place",
    "remove_unfinished",
    "unfinished_path",
    "write_whole",
]

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


def claim(
    folder: Path, name: str, identity: Mapping[str, Any], what: str, instead: str = "another folder"
) -> None:
    """Make sure that what a folder keeps of an earlier run belongs to this one.

    Args:
        folder: Where a run keeps its parts; made where it is not there.
        name: Of the file in it that says what they are of.
        identity: What the parts depend on, ready for JSON.
        what: What the folder has where they belong to another run, for the message.
        instead: What to name then, for the message.

    Raises:
        OutputError: they do, or the folder cannot be read or written.
    """
    path = folder / name
    try:
        there = path.read_text("utf-8") if path.is_file() else None
    except (OSError, UnicodeDecodeError) as error:
        raise OutputError(f"{path} cannot be read: {error}. Delete {folder}") from error
    text = claim_text(there, identity, f"{folder} has {what}", instead)
    if text is not None:
        write_whole(path, text)


def claim_text(
    there: str | None, identity: Mapping[str, Any], what: str, instead: str
) -> str | None:
    """What `claim` writes, wherever: None where the same is there.

    Args:
        there: What was written before; None: nothing.
        identity: As for `claim`.
        what: Has what, where it belongs to another run, for the message.
        instead: As for `claim`.

    Raises:
        OutputError: another run's is there.
    """
    text = json.dumps(identity, indent=1, sort_keys=True) + "\n"
    if there is not None and there != text:
        changed = ", ".join(_changed(there, text))
        raise OutputError(f"{what} (differs in: {changed}): delete it, or name {instead}")
    return text if there is None else None


def _changed(before: str, now: str) -> list[str]:
    """The names of what differs in two objects of JSON."""
    try:
        old = json.loads(before)
    except ValueError:
        old = None
    if not isinstance(old, dict):
        return ["all"]
    new = json.loads(now)
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


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
