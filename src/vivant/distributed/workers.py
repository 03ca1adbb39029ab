"""What a cluster's workers tell the command: lines for people, and errors of ours."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, cast

import ray
from ray.exceptions import RayError
from rich.console import Console

from vivant import errors
from vivant.distributed.cluster import here
from vivant.errors import TrainingError, VivantError

__all__ = [
    "HandedOverError",
    "at_work",
    "console_to",
    "listening",
    "require_shared",
    "to_error",
]

_LISTEN_S = 0.5
_WIDTH = 100
_SEEN_S = 60.0  # How long a network's file system may show a folder as it was.


class HandedOverError(Exception):
    """An error of ours on its way from a worker: some of them cannot be pickled.

    Args:
        kind: Its class in `vivant.errors`.
        message: What it says.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)
        self.kind, self.message = kind, message


def to_error(found: HandedOverError) -> VivantError:
    """The error that a worker raised, with its class and message.

    >>> to_error(HandedOverError("DataError", "no store at x"))
    DataError('no store at x')
    """
    kind = getattr(errors, found.kind)
    assert issubclass(kind, VivantError)
    # Not by its constructor: that would make the message anew.
    error = kind.__new__(kind, found.message)
    assert isinstance(error, VivantError)
    return error


@contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """Within, a worker works for a command: names mean the same, errors of ours are handed over.

    Args:
        folder: The command's working directory; where a node has none, names must be absolute.

    Raises:
        HandedOverError: an error of ours.
    """
    try:
        if folder.is_dir():
            os.chdir(folder)
        yield
    except VivantError as error:
        raise HandedOverError(type(error).__name__, str(error)) from None


def require_shared(path: Path, what: str, *, patience_s: float = _SEEN_S) -> None:
    """Make sure that a worker sees what the command, or another worker, has made.

    Args:
        path: A file or folder.
        what: For the message: `--out`.
        patience_s: Network file systems keep what they have seen for a while.

    Raises:
        TrainingError: it is not there.
    """
    until_s = time.monotonic() + patience_s
    while not path.exists():
        if time.monotonic() > until_s:
            raise TrainingError(
                f"expected {what} at {path} on every node of the cluster, and "
                f"{socket.gethostname()} has none: put it on a file system that all nodes share, "
                "at the same path"
            )
        time.sleep(_LISTEN_S)


@contextmanager
def listening(tell: Callable[[str], None]) -> Iterator[Any]:
    """Within, what workers say with `console_to` is told here.

    Args:
        tell: Is given each line, in a thread of its own.

    Returns:
        What to give to the workers: a handle of an actor.
    """
    box = ray.remote(num_cpus=0, scheduling_strategy=here())(_Box).remote()
    ended = threading.Event()

    def take() -> None:
        try:
            for line in ray.get(box.take.remote()):
                tell(line)
        except RayError:  # Lines are lost; the work is not.
            ended.set()

    def listen() -> None:
        while not ended.wait(_LISTEN_S):
            take()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield box
    finally:
        ended.set()
        thread.join()
        take()


def console_to(box: Any, prefix: str = "") -> Console:
    """Prints to the command, from a worker.

    Args:
        box: From `listening`.
        prefix: Of each line.
    """
    writer = cast(TextIO, _Writer(lambda line: box.put.remote(prefix + line)))
    return Console(file=writer, width=_WIDTH, force_terminal=False, no_color=True)


class _Box:
    """An actor that keeps lines until they are taken."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def put(self, line: str) -> None:
        self._lines.append(line)

    def take(self) -> list[str]:
        lines, self._lines = self._lines, []
        return lines


class _Writer:
    """A file that gives away whole lines.

    Args:
        put: Takes a line.
    """

    def __init__(self, put: Callable[[str], object]) -> None:
        self._put, self._rest = put, ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._put(line)
        return len(text)

    def flush(self) -> None:
        """Lines are given away when they are whole."""

    def isatty(self) -> bool:
        return False
