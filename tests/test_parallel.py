import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from clocks import wait_until
from served_process import is_running
from vivant.errors import InputError
from vivant.parallel import Failure, in_processes, num_cores
from works import fatal, lasting, once, squares, threads, wrong


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


def test_nobody_waits_for_what_nobody_wants(tmp_path: Path) -> None:
    """The work would go on for an hour: it is ended with its processes, and not waited for."""
    results = in_processes(partial(lasting, tmp_path), [0, 1, 2, 3, 4], 2)
    assert next(results) == (0, 0)
    wait_until(lambda: any(tmp_path.iterdir()), "a process worked on what takes an hour")
    results.close()
    for mark in tmp_path.iterdir():
        wait_until(lambda pid=int(mark.name): not is_running(pid), f"process {mark.name} ended")


def test_no_workers_is_an_error() -> None:
    with pytest.raises(InputError, match="at least one worker, got 0"):
        list(in_processes(squares, [1], 0))


ORPHANS = """
import sys
from functools import partial
from pathlib import Path

from vivant.parallel import in_processes
from works import lasting

if __name__ == "__main__":
    list(in_processes(partial(lasting, Path(sys.argv[1])), [1, 2], 2))
"""


def test_the_processes_end_with_their_parent(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    program = tmp_path / "program.py"
    program.write_text(ORPHANS)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    parent = subprocess.Popen([sys.executable, str(program), str(marks)], env=environment)
    try:
        wait_until(lambda: len(list(marks.iterdir())) == 2, "both processes worked")
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    for mark in marks.iterdir():
        wait_until(
            lambda pid=int(mark.name): not is_running(pid),
            f"process {mark.name} ended with its parent",
        )


def test_cores_are_those_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {3, 5, 7}, raising=False)
    assert num_cores() == 3
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert num_cores() == 1
