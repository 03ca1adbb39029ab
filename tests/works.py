"""Work for `vivant.parallel`: in a module, because a process of its own has to find it."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from vivant.errors import InputError

LASTING_S = 3600.0
"""No test waits that long: what still works is ended, or the test has failed."""


def squares() -> Callable[[int], int]:
    return lambda number: number * number


def fatal(deadly: int, marks: Path) -> Callable[[int], int]:
    """Work that kills its process over one number, and notes each try."""

    def work(number: int) -> int:
        with (marks / str(number)).open("a") as file:
            file.write("x")
        if number == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    return work


def once(marks: Path) -> Callable[[int], int]:
    """Work that kills its process the first time it meets 2."""

    def work(number: int) -> int:
        mark = marks / "killed"
        if number == 2 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    return work


def threads() -> Callable[[int], str | None]:
    return lambda number: os.environ.get("OPENBLAS_NUM_THREADS")


def lasting(marks: Path) -> Callable[[int], int]:
    """Work on which 0 is done at once, and any other number keeps its process busy for good.

    A process that is kept busy leaves a file there, whose name is the process's number.
    """

    def work(number: int) -> int:
        if number:
            (marks / str(os.getpid())).touch()
            time.sleep(LASTING_S)
        return number

    return work


def wrong() -> Callable[[int], int]:
    def work(number: int) -> int:
        raise ValueError(f"cannot do {number}")

    return work


def broken() -> Callable[[int], int]:
    raise InputError("no such folder")
