"""Processes that are forked for files: each its own, none left over, from a nursery that is replaced."""

import errno
import fcntl
import mmap
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clocks import wait_until
from media import clip
from served_process import is_running, tree
from vivant.errors import MediaError, Refusal
from vivant.video import nursery as nursery_module
from vivant.video.isolation import DecoderPool, _Worker
from vivant.video.limits import VideoLimits
from vivant.video.nursery import ALIVE, Nursery

LIMITS = VideoLimits()


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.retire()


def assert_goes(pid: int) -> None:
    wait_until(lambda: not is_running(pid), f"process {pid} ended")


def num_open() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def read(pool: DecoderPool) -> int:
    return len(list(pool.read_media(clip(), 0.1).frames))


def test_each_file_has_a_process_of_its_own_and_they_share_a_nursery(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pids: list[int] = []
    ask = _Worker.ask

    def ask_and_note(self: _Worker, data: bytes, interval_s: float) -> None:
        ask(self, data, interval_s)
        pids.append(self.meet().pid)

    monkeypatch.setattr(_Worker, "ask", ask_and_note)
    with DecoderPool(LIMITS) as pool:
        before = pool._nursery.pid
        assert [read(pool) for _ in range(4)] == [20] * 4
        assert pool._nursery.pid == before
    assert len(set(pids)) == 4
    assert before not in pids
    for pid in (before, *pids):
        assert not is_running(pid)


def test_process_that_crashes_takes_its_nursery_with_it() -> None:
    """Whoever guesses where things lie in memory must guess anew."""
    with DecoderPool(LIMITS) as pool:
        assert read(pool) == 20
        before = pool._nursery.pid
        os.kill(pool._spares[0].meet().pid, signal.SIGSEGV)
        with pytest.raises(MediaError, match="ended over this file"):
            read(pool)
        assert read(pool) == 20
        assert pool._nursery.pid != before
        assert not is_running(before)


def test_file_that_is_refused_or_left_is_no_crash() -> None:
    with DecoderPool(LIMITS) as pool:
        before = pool._nursery.pid
        with pytest.raises(MediaError):
            pool.read_media(b"no media", 0.1)
        frames = pool.read_media(clip(), 0.1).frames
        next(frames)
        frames.close()
        assert read(pool) == 20
        assert pool._nursery.pid == before


def test_nursery_that_has_done_enough_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nursery_module, "_MAX_CHILDREN", 2)
    with DecoderPool(LIMITS, num_spares=0) as pool:
        seen = []
        for _ in range(5):
            assert read(pool) == 20
            seen.append(pool._nursery.pid)
        assert seen[0] == seen[1] != seen[2] == seen[3] != seen[4]
        assert [is_running(pid) for pid in (seen[0], seen[2], seen[4])] == [False, False, True]


def test_file_in_work_is_finished_though_its_nursery_was_killed() -> None:
    with DecoderPool(LIMITS) as pool:
        media = pool.read_media(clip(), 0.1)
        next(media.frames)
        os.kill(pool._nursery.pid, signal.SIGKILL)
        assert len(list(media.frames)) == 19
        assert read(pool) == 20, "and the next comes from another"


def test_process_that_was_never_forked_is_no_fault_of_the_media() -> None:
    with DecoderPool(LIMITS) as pool:
        os.kill(pool._nursery.pid, signal.SIGKILL)  # It is still importing.
        with pytest.raises(MediaError, match="did not start") as caught:
            read(pool)
        assert caught.value.code is Refusal.RESOURCE_LIMIT
        assert read(pool) == 20


def test_death_that_nobody_can_tell_of_is_no_fault_of_the_media(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nursery_module, "_DYING_S", 0.1)
    with DecoderPool(LIMITS, num_spares=0) as pool:
        frames = pool.read_media(clip(), 0.1).frames
        next(frames)
        nursery, child = tree(pool._nursery.pid)
        os.kill(nursery, signal.SIGKILL)
        os.kill(child, signal.SIGKILL)
        with pytest.raises(MediaError, match="nobody knows why") as caught:
            list(frames)
        assert caught.value.code is Refusal.RESOURCE_LIMIT


def test_lack_of_descriptors_loses_none(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_many(*_: object) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    before = num_open()
    for module, name in ((socket, "socketpair"), (mmap, "mmap"), (fcntl, "fcntl")):
        with monkeypatch.context() as patch, pytest.raises(OSError, match="too many open files"):
            patch.setattr(module, name, too_many)
            _Worker(LIMITS, nursery)
    assert num_open() == before


def test_signals_to_end_are_left_to_whoever_asked() -> None:
    """A terminal's Ctrl+C and a supervisor's SIGTERM reach all processes of a service."""
    with DecoderPool(LIMITS) as pool:
        child = pool._spares[0].meet().pid
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(child, number)
            os.kill(pool._nursery.pid, number)
        before = pool._nursery.pid
        assert read(pool) == 20
        assert pool._nursery.pid == before


def test_nothing_outlives_whoever_asked() -> None:
    script = (
        "import os; from vivant.video.isolation import DecoderPool; "
        "from vivant.video.limits import VideoLimits; pool = DecoderPool(VideoLimits()); "
        "print(pool._nursery.pid, pool._spares[0].meet().pid, flush=True); os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    for pid in map(int, done.stdout.split()):
        assert_goes(pid)


def test_nursery_says_how_a_process_ended_and_kills_one_that_lives(nursery: Nursery) -> None:
    worker, other = _Worker(LIMITS, nursery), _Worker(LIMITS, nursery)
    child = worker.meet()
    assert nursery.ask("status", child.pid) == ALIVE
    assert child.poll() is None
    child.end()
    assert child.status == -signal.SIGKILL
    assert not is_running(child.pid)
    worker.end()
    os.kill(other.meet().pid, signal.SIGXCPU)
    assert other.meet().wait() == -signal.SIGXCPU
    other.end()
    assert nursery.is_retired


def test_nursery_that_has_gone_is_an_error_and_no_wait(nursery: Nursery) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        os.kill(nursery.pid, signal.SIGKILL)
        assert_goes(nursery.pid)
        with pytest.raises(ConnectionError):
            nursery.start(theirs.fileno(), theirs.fileno(), 1)
        with pytest.raises(ConnectionError):
            nursery.ask("status", 1)
    assert nursery.is_retired
