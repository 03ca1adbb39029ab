"""Reads a file's bytes: a regular file, of bounded size, without following where a name leads."""

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from vivant.errors import MediaError, Refusal
from vivant.video.limits import VideoLimits

__all__ = ["check_num_bytes", "in_order", "list_frames", "ordered_frames", "read_file"]

_STILL_ENDINGS = {".jpg", ".jpeg", ".png", ".webp"}


@runtime_checkable
class Named(Protocol):
    """A file by its name, wherever it lies."""

    @property
    def name(self) -> str:
        """The last part of its path."""
        ...

    @property
    def suffix(self) -> str:
        """The name's ending, with its dot."""
        ...


File = TypeVar("File", bound=Named)


def read_file(path: Path, limits: VideoLimits) -> bytes:
    """The content of a regular file.

    Raises:
        MediaError: NOT_A_FILE, TOO_LARGE or EMPTY_INPUT.
    """
    if "\0" in str(path):
        raise MediaError(Refusal.NOT_A_FILE, "the path holds a NUL character")
    try:
        # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise MediaError(Refusal.NOT_A_FILE, f"expected a file: {error.strerror}") from error
    except ValueError as error:
        raise MediaError(Refusal.NOT_A_FILE, "no file can have this name") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise MediaError(Refusal.NOT_A_FILE, "expected a regular file, got another kind")
    with os.fdopen(descriptor, "rb") as file:
        try:
            data = file.read(limits.max_bytes + 1)
        except OSError as error:
            raise MediaError(Refusal.NOT_A_FILE, f"not readable: {error.strerror}") from error
    check_size(data, limits)
    return data


def check_size(data: bytes, limits: VideoLimits) -> None:
    """Refuse nothing at all, and too much.

    Raises:
        MediaError: TOO_LARGE or EMPTY_INPUT.
    """
    check_num_bytes(len(data), limits)


def check_num_bytes(num_bytes: int, limits: VideoLimits) -> None:
    """Refuse nothing at all, and too much, before it is read.

    Raises:
        MediaError: TOO_LARGE or EMPTY_INPUT.
    """
    if num_bytes > limits.max_bytes:
        raise MediaError(
            Refusal.TOO_LARGE,
            f"expected at most {limits.max_bytes / 2**20:g} MiB (max_bytes), got more: "
            "send a shorter or a smaller video",
        )
    if not num_bytes:
        raise MediaError(Refusal.EMPTY_INPUT, "the file is empty: 0 bytes")


def in_order(path: Named) -> list[tuple[int, int, str]]:
    """A key that sorts names by the numbers in them: 9 before 10."""
    return [
        (1, int(part), "") if part.isdecimal() else (0, 0, part)
        for part in re.split(r"(\d+)", path.name)
    ]


def list_frames(folder: Path, limits: VideoLimits) -> list[Path]:
    """The pictures of a folder in the order of their names, 9 before 10.

    Raises:
        MediaError: EMPTY_INPUT where there is none, TOO_MANY_FRAMES.
    """
    return ordered_frames(folder.iterdir(), limits)


def ordered_frames(files: Iterable[File], limits: VideoLimits) -> list[File]:
    """The pictures among the files of a folder, wherever it lies: as `list_frames`.

    Raises:
        MediaError: EMPTY_INPUT where there is none, TOO_MANY_FRAMES.
    """
    frames = sorted((file for file in files if file.suffix.lower() in _STILL_ENDINGS), key=in_order)
    if not frames:
        raise MediaError(
            Refusal.EMPTY_INPUT,
            "expected a folder with the frames of one clip (JPEG, PNG, WebP), got none: "
            "to check several videos, name the videos",
        )
    if len(frames) > limits.max_frames:
        raise MediaError(
            Refusal.TOO_MANY_FRAMES,
            f"expected at most {limits.max_frames} frames (max_frames), got {len(frames)}",
        )
    return frames
