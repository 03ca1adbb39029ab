import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from vivant.errors import InputError
from vivant.parallel import Failure, in_processes, num_cores
from works import fatal, once, sleepy, squares, threads, wrong


@pytest.mark.parametrize("num_workers", [1, 2])
def test_each_thing_gets_its_result(num_workers: int) -> None:
    found = dict(in_processes(squares, range(7), num_workers))
    assert found == {number: number * number for number in range(7)}


def test_what_kills_its_process_twice_is_given_up_and_nothing_else_is(tmp_path: Path) -> None:
    found = dict(in_processes(partial(fatal, 3, tmp_path), range(6), 2))
    failure = found.pop(3)
    assert isinstance(failure, Failure)
    assert "died, twice" in failure.message
    assert found == {number: number for number in (0, 1, 2, 4, 5)}
    assert (tmp_path / "3").read_text() == "xx"


def test_a_process_killed_once_costs_nothing(tmp_path: Path) -> None:
    found = dict(in_processes(partial(once, tmp_path), range(6), 2))
    assert found == {number: number for number in range(6)}


@pytest.mark.parametrize("num_workers", [1, 2])
def test_an_error_of_the_work_reaches_the_caller(num_workers: int) -> None:
    with pytest.raises(ValueError, match="cannot do"):
        list(in_processes(wrong, range(3), num_workers))


def test_each_process_has_one_thread_for_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert dict(in_processes(threads, [0, 1], 2)) == {0: "1", 1: "1"}
    assert "OPENBLAS_NUM_THREADS" not in os.environ


def test_things_are_taken_as_they_are_needed() -> None:
    taken = []

    def things():  # type: ignore[no-untyped-def]
        for number in range(100):
            taken.append(number)
            yield number

    results = in_processes(squares, things(), 2)
    next(results)
    results.close()
    assert len(taken) <= 6


def test_work_in_this_process_is_closed() -> None:
    class Work:
        is_closed = False

        def __call__(self, item: int) -> int:
            return item

        def close(self) -> None:
            self.is_closed = True

    work = Work()
    assert dict(in_processes(lambda: work, [1, 2], 1)) == {1: 1, 2: 2}
    assert work.is_closed


def test_nobody_waits_for_what_nobody_wants() -> None:
    results = in_processes(sleepy, [0, 2, 2, 2, 2], 2)
    assert next(results) == (0, 0)
    started_s = time.monotonic()
    results.close()
    assert time.monotonic() - started_s < 10


def test_no_workers_is_an_error() -> None:
    with pytest.raises(InputError, match="at least one worker, got 0"):
        list(in_processes(squares, [1], 0))


ORPHANS = """
import os, time
from vivant.parallel import in_processes

def sleepy():
    def work(path):
        with open(path, "w") as file:
            file.write(str(os.getpid()))
        time.sleep(60)
    return work

if __name__ == "__main__":
    list(in_processes(sleepy, PATHS, 2))
"""


def test_the_processes_end_with_their_parent(tmp_path: Path) -> None:
    marks = [tmp_path / "a", tmp_path / "b"]
    program = tmp_path / "program.py"
    program.write_text(ORPHANS.replace("PATHS", repr([str(mark) for mark in marks])))
    parent = subprocess.Popen([sys.executable, str(program)])
    deadline = time.monotonic() + 30
    while not all(mark.exists() and mark.read_text() for mark in marks):
        assert time.monotonic() < deadline, "the processes did not start"
        time.sleep(0.05)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    children = [int(mark.read_text()) for mark in marks]
    while any(is_running(child) for child in children):
        assert time.monotonic() < deadline, "a process outlived its parent"
        time.sleep(0.05)


def is_running(process: int) -> bool:
    """Whether a process does anything: one that nobody has waited for is a zombie."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def test_cores_are_those_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {3, 5, 7}, raising=False)
    assert num_cores() == 3
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert num_cores() == 1
