"""Work for `vivant.parallel`: in a module, because a process of its own has to find it."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from vivant.errors import InputError


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


def sleepy() -> Callable[[int], int]:
    def work(number: int) -> int:
        time.sleep(10 * number)
        return number

    return work


def wrong() -> Callable[[int], int]:
    def work(number: int) -> int:
        raise ValueError(f"cannot do {number}")

    return work


def broken() -> Callable[[int], int]:
    raise InputError("no such folder")
