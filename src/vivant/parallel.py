"""The same work on many things, in processes of this machine."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from vivant.errors import InputError

__all__ = ["Failure", "in_processes", "num_cores"]

T = TypeVar("T")
R = TypeVar("R")

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_AHEAD = 2  # Things handed out for each process: one in work, one ready.


def num_cores() -> int:
    """Cores that this process may use; all of the machine where the system does not say."""
    if hasattr(os, "sched_getaffinity"):  # Not on macOS and Windows.
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Failure:
    """Stands for the result of a thing whose process died over it, twice."""

    message: str


def in_processes(
    build: Callable[[], Callable[[T], R]], items: Iterable[T], num_workers: int
) -> Iterator[tuple[T, R | Failure]]:
    """Work on each thing, in whatever order they get done.

    A process that dies (killed, out of memory) costs nothing but time: what it may have died of is
    tried again, one thing at a time, and only what kills a second process is given up. The
    processes end with this one, however it ends.

    Args:
        build: Makes the work, once in each process, such as by loading models. It, the things and
            the results are pickled: a function of a module, or a `functools.partial` of one. Work
            that has a `close` is closed where it was done in this process; others end with theirs.
        items: Taken as they are needed.
        num_workers: Processes; with 1 the work is done in this one.

    Returns:
        Each thing with its result.

    Raises:
        InputError: fewer than one worker.
        Exception: what the work raises; what is unfinished then is dropped.
    """
    if num_workers < 1:
        raise InputError(f"expected at least one worker, got {num_workers}")
    if num_workers == 1:
        work = build()
        try:
            for item in items:
                yield item, work(item)
        finally:
            close = getattr(work, "close", None)
            if close is not None:
                close()
        return
    waiting = iter(items)
    suspects: list[T] = []
    while True:
        yield from _until_broken(build, waiting, num_workers, suspects)
        if not suspects:
            return
        while suspects:
            item = suspects.pop(0)
            again: list[T] = []
            yield from _until_broken(build, iter([item]), 1, again)
            if again:
                message = "its process died, twice: killed from outside, or out of memory"
                yield item, Failure(message)


def _until_broken(
    build: Callable[[], Callable[[T], R]],
    waiting: Iterator[T],
    num_workers: int,
    suspects: list[T],
) -> Iterator[tuple[T, R | Failure]]:
    """Results until all is done, or a process dies: then `suspects` has what was being done."""
    pending: dict[Future[Any], T] = {}
    context = multiprocessing.get_context("spawn")
    with (
        _one_thread_each(),
        ProcessPoolExecutor(num_workers, context, _start) as pool,
        _ended_at_once(pool),
    ):
        while True:
            for item in islice(waiting, _AHEAD * num_workers - len(pending)):
                try:
                    pending[pool.submit(_run, build, item)] = item
                except BrokenProcessPool:
                    suspects.append(item)
                    break
            if not pending:
                return
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                item = pending.pop(future)
                try:
                    yield item, future.result()
                except BrokenProcessPool:
                    suspects.append(item)
            if suspects:
                wait(pending)  # All of them are lost, or done.
                for future, item in pending.items():
                    if future.exception() is None:
                        yield item, future.result()
                    else:
                        suspects.append(item)
                return


@contextmanager
def _ended_at_once(pool: ProcessPoolExecutor) -> Iterator[None]:
    """Where nobody waits for the results any more, the processes are not waited for either."""
    others = set(multiprocessing.active_children())
    try:
        yield
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes that are started within use one thread each for products of matrices.

    There are as many processes as cores; of small products, threads make ten times the work.
    """
    missing = [name for name in _THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(missing, "1"))
    try:
        yield
    finally:
        for name in missing:
            os.environ.pop(name, None)


_work: Callable[[Any], Any] | None = None  # Of this process: a pool hands out no other state.


def _run(build: Callable[[], Callable[[T], R]], item: T) -> R:
    global _work
    if _work is None:
        _work = build()
    result: R = _work(item)
    return result


def _start() -> None:
    """What a process does first: it leaves Ctrl-C to its parent, and ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
