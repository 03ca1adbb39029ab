"""Prepares a data set: what is stored stays, what is not is done, whatever happens meanwhile."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vivant.errors import DataError, OutputError
from vivant.parallel import Failure, in_processes
from vivant.preparation.record import WORKER_DIED, PreparedPresentation
from vivant.preparation.schema import to_presentation, told
from vivant.preparation.store import Store
from vivant.preparation.writer import Writer
from vivant.records import Presentation

__all__ = ["Engine", "Outcome", "Work", "prepare"]

_CONTENT = ("frames", "rotation_deg")  # Columns that decide what is read, and how.
_COMMIT_BYTES = 256 * 2**20  # What waits in memory to be stored, at most.

Work = Callable[[], Callable[[Presentation], PreparedPresentation]]
"""Makes what a process does with a presentation: see `vivant.preparation.presentation`."""


@runtime_checkable
class Engine(Protocol):
    """Runs work on presentations, wherever: `in_processes`, or a cluster's.

    Each presentation comes back once, in any order, with its result or the reason why its process
    could not give one.
    """

    def __call__(
        self, build: Work, items: Iterable[Presentation], num_workers: int, /
    ) -> Iterator[tuple[Presentation, PreparedPresentation | Failure]]:
        """Each presentation with its result, in any order."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """One presentation that was just prepared, and how far the whole has come."""

    presentation: Presentation
    num_frames: int
    refusal: str | None
    message: str | None
    num_done: int
    """Presentations in the store or about to be, with those of earlier runs."""
    num_all: int


def prepare(
    presentations: Sequence[Presentation],
    store: Store,
    work: Work,
    num_workers: int,
    engine: Engine = in_processes,
    commit_s: float = 20.0,
) -> Iterator[Outcome]:
    """Prepare what the store does not have yet.

    Taken up again after any end, it goes on where it was. What was refused is tried again; what
    has another label now, for attacks have no depth, is prepared anew; what has another subject,
    side or column only is told so. What is stored and not among the presentations stays.

    Args:
        presentations: Of the data set.
        store: Where to.
        work: What to do with each.
        num_workers: Processes.
        engine: Where to do it.
        commit_s: When this process is killed, what was finished in so many seconds before may be
            lost, and what was being worked on.

    Raises:
        DataError: a path is there twice, or is none that can be stored.
        OutputError: the store cannot be written; what was in it is whole.
    """
    _check_paths(presentations)
    with store.writing() as writer:
        todo, changed = _todo(presentations, store)
        writer.relabel(changed)
        num_done = len(presentations) - len(todo)
        buffer = _Buffer(writer, commit_s)
        is_writable = True
        try:
            for item, result in engine(work, todo, num_workers):
                if isinstance(result, Failure):
                    result = PreparedPresentation(item, refusal=WORKER_DIED, message=result.message)
                buffer.add(result)
                num_done += 1
                yield Outcome(
                    item,
                    len(result.frames),
                    result.refusal,
                    result.message,
                    num_done,
                    len(presentations),
                )
        except OutputError:
            is_writable = False
            raise
        finally:
            if is_writable:
                buffer.flush()
        writer.tidy()


def _check_paths(presentations: Sequence[Presentation]) -> None:
    seen = set()
    for row in presentations:
        if row.path in seen:
            raise DataError(f"{row.path!r} is there twice: one row for each presentation")
        seen.add(row.path)
        try:
            "".join(map(str, told(row).values())).encode()
        except UnicodeEncodeError as error:
            raise DataError(f"{row.path!r}: expected names in UTF-8: {error.reason}") from error


def _todo(
    presentations: Sequence[Presentation], store: Store
) -> tuple[list[Presentation], list[Presentation]]:
    """What is to be prepared, and what is there and has only been renamed or moved to a side."""
    there = {str(row["path"]): row for row in store.presentations()}
    todo, changed = [], []
    for each in presentations:
        row = there.get(each.path)
        if row is None or row["refusal"] or _content(to_presentation(row)) != _content(each):
            todo.append(each)
        elif {name: row[name] for name in told(each)} != told(each):
            changed.append(each)
    return todo, changed


def _content(row: Presentation) -> tuple[object, ...]:
    return (row.label, *(row.columns.get(name) for name in _CONTENT))


class _Buffer:
    """What is prepared and not stored yet."""

    def __init__(self, writer: Writer, commit_s: float) -> None:
        self._writer = writer
        self._commit_s = commit_s
        self._waiting: list[PreparedPresentation] = []
        self._num_bytes = 0
        self._since_s = time.monotonic()

    def add(self, prepared: PreparedPresentation) -> None:
        self._waiting.append(prepared)
        self._num_bytes += sum(
            len(frame.crop) + len(frame.depth or b"") + frame.landmarks.nbytes
            for frame in prepared.frames
        )
        late = time.monotonic() - self._since_s >= self._commit_s
        if late or self._num_bytes > _COMMIT_BYTES:
            self.flush()

    def flush(self) -> None:
        waiting, self._waiting, self._num_bytes = self._waiting, [], 0
        if waiting:
            self._writer.append(waiting)
        self._since_s = time.monotonic()
