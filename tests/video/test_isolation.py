import fcntl
import gc
import multiprocessing
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from forged import hostile, mutated, picture, seeds
from media import clip, pattern, remux, video
from vivant.errors import InputError, MediaError, Refusal
from vivant.video.frames import Media, read_media
from vivant.video.isolation import DecoderPool, _Worker
from vivant.video.limits import VideoLimits
from vivant.video.lock import what_the_kernel_has
from vivant.video.nursery import Nursery

LIMITS = VideoLimits()
# The same limits, on a machine that may be busy with much else.
PATIENT = VideoLimits(max_silence_s=300, max_wait_s=600)


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool(PATIENT) as pool:
        yield pool


@pytest.fixture(scope="module")
def full_hd() -> bytes:
    """Two seconds of 1080p."""
    frames = [pattern(index, 1920, 1080) for index in range(4)]
    return remux(
        video(frames, 30, "libx264", options={"g": "1"}), range(60), Fraction(1, 30), "mp4"
    )


def outcome(read: Callable[[], Media]) -> tuple[object, ...]:
    """All that reading gives: the frames, or the refusal and its words."""
    try:
        media = read()
        return media.is_still, [
            (f.time_s, f.pixels.shape, f.pixels.tobytes()) for f in media.frames
        ]
    except MediaError as error:
        return error.code, str(error)


def code_of(limits: VideoLimits, data: bytes) -> Refusal | None:
    with DecoderPool(limits, num_spares=0) as pool:
        try:
            list(pool.read_media(data, 0.1).frames)
        except MediaError as error:
            return error.code
    return None


def test_kernel_locks_all_that_it_has(pool: DecoderPool) -> None:
    list(pool.read_media(clip(), 0.1).frames)
    if all(what_the_kernel_has().values()):
        assert pool.not_locked == ()


@pytest.mark.parametrize(
    ("codec", "container"),
    [
        ("mpeg4", "mp4"), ("mjpeg", "avi"), ("libx264", "matroska"), ("libx265", "mp4"),
        ("libvpx", "webm"), ("libvpx-vp9", "webm"), ("libsvtav1", "mp4"),
    ],
)  # fmt: skip
def test_frames_are_the_same_inside_and_outside(
    codec: str, container: str, pool: DecoderPool
) -> None:
    data = clip(codec, container)
    inside = outcome(lambda: pool.read_media(data, 0.1))
    assert inside == outcome(lambda: read_media(data, 0.1, LIMITS))
    assert len(inside[1]) == 20


def test_pictures_are_the_same_inside_and_outside(pool: DecoderPool) -> None:
    for data in (picture("JPEG"), picture("PNG", mode="P"), picture("WEBP")):
        inside = outcome(lambda data=data: pool.read_media(data, 0.1))
        assert inside == outcome(lambda data=data: read_media(data, 0.1, LIMITS))
        assert inside[0] is True


def test_hostile_files_are_refused_alike_and_soon(pool: DecoderPool) -> None:
    """Soon: the decoder gets 5 s of processor time a file (cpu_seconds), beyond which its code is
    RESOURCE_LIMIT."""
    assert pool.limits.cpu_seconds <= 5
    with pool.hold() as read:
        for which, (data, code) in hostile().items():
            inside = outcome(lambda data=data: read(data, 0.1))
            assert inside[0] == code, which
            assert inside == outcome(lambda data=data: read_media(data, 0.1, LIMITS)), which


READ_HOSTILE_FILES = """
import resource
from contextlib import suppress
from forged import hostile
from vivant.errors import MediaError
from vivant.video.isolation import DecoderPool
from vivant.video.limits import VideoLimits

if __name__ == "__main__":
    with DecoderPool(VideoLimits(max_silence_s=300, max_wait_s=600)) as pool:
        with pool.hold() as read:
            for data, _ in hostile().values():
                with suppress(MediaError):
                    list(read(data, 0.1).frames)
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def test_hostile_files_take_little_memory(tmp_path: Path) -> None:
    """Measured in a process of its own: this one has had other children."""
    (tmp_path / "read.py").write_text(READ_HOSTILE_FILES)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    answer = subprocess.run(
        [sys.executable, str(tmp_path / "read.py")],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(answer.stdout) < 1.5 * 2**20, "in kB"


def test_damaged_files_fare_alike(pool: DecoderPool) -> None:
    with pool.hold() as read:
        for name, data in seeds().items():
            for seed in range(10):
                changed = mutated(data, seed)
                inside = outcome(lambda changed=changed: read(changed, 0.1))
                assert inside == outcome(
                    lambda changed=changed: read_media(changed, 0.1, LIMITS)
                ), (name, seed)


def test_one_process_reads_a_folder_whatever_its_files_are(pool: DecoderPool) -> None:
    with pool.hold() as read:
        for index in range(20):
            (frame,) = read(picture("PNG", pattern(index)), 0.1).frames
            np.testing.assert_array_equal(frame.pixels, pattern(index))
        assert len(list(read(clip(), 0.1).frames)) == 20
        assert outcome(lambda: read(picture("PNG")[:150], 0.1))[0] == Refusal.CORRUPT_MEDIA
        assert len(list(read(clip(), 0.1).frames)) == 20
        (frame,) = read(picture("PNG", pattern(1, 200, 100)), 0.1).frames
        assert frame.pixels.shape == (100, 200, 3)


def test_what_is_no_matter_of_the_file_needs_no_process() -> None:
    with DecoderPool(VideoLimits(max_bytes=1000), num_spares=0) as pool:
        with pytest.raises(MediaError, match="max_bytes"):
            pool.read_media(clip(), 0.1)
        with pytest.raises(InputError, match="expected an interval"):
            pool.read_media(b"x", 0.0)
        with pool.hold() as read, pytest.raises(InputError, match="expected an interval"):
            read(b"x", float("nan"))


@pytest.mark.parametrize("mebibytes", [200, 300, 330])
def test_lack_of_memory_is_not_the_medias_fault(mebibytes: int, full_hd: bytes) -> None:
    limits = VideoLimits(max_memory_bytes=mebibytes * 2**20)
    assert code_of(limits, full_hd) == Refusal.RESOURCE_LIMIT


def test_lack_of_memory_for_a_picture_is_not_its_fault() -> None:
    large = np.random.default_rng(0).integers(0, 256, (2500, 3000, 3), dtype=np.uint8)
    limits = VideoLimits(max_memory_bytes=340 * 2**20)
    for kind, options in (("JPEG", {"progressive": True}), ("WEBP", {"method": 0})):
        assert code_of(limits, picture(kind, large, **options)) == Refusal.RESOURCE_LIMIT


def test_lack_of_processor_time_is_not_the_medias_fault(full_hd: bytes) -> None:
    heavy = remux(full_hd, range(1500), Fraction(1, 30), "mp4")
    limits = VideoLimits(cpu_seconds=0.01, cpu_seconds_per_frame=1e-5)
    assert code_of(limits, heavy) == Refusal.RESOURCE_LIMIT


@pytest.mark.parametrize("limit", ["max_silence_s", "max_wait_s"])
def test_silence_is_a_timeout(limit: str) -> None:
    with DecoderPool(VideoLimits(**{limit: 0.01}), num_spares=1) as pool:
        os.kill(pool._spares[0].meet().pid, signal.SIGSTOP)
        with pytest.raises(MediaError, match=limit) as caught:
            pool.read_media(clip(), 0.1)
        assert caught.value.code == Refusal.TIMEOUT


def test_process_that_takes_nothing_is_a_timeout() -> None:
    with DecoderPool(VideoLimits(max_silence_s=0.1), num_spares=1) as pool:
        (worker,) = pool._spares
        os.kill(worker.meet().pid, signal.SIGSTOP)
        with pytest.raises(MediaError) as caught:
            pool.read_media(bytes(8 * 2**20), 0.1)
        assert caught.value.code == Refusal.TIMEOUT


def num_open() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def test_nothing_is_left_behind() -> None:
    with DecoderPool(LIMITS, num_spares=0) as pool:
        list(pool.read_media(clip(), 0.1).frames)
        before = num_open()
        for index in range(12):
            # To the end, refused by the worker, left amid the frames, left before the first.
            match index % 4:
                case 0:
                    assert len(list(pool.read_media(clip(), 0.1).frames)) == 20
                case 1:
                    assert (
                        outcome(lambda: pool.read_media(b"no media", 0.1))[0]
                        == "UNSUPPORTED_FORMAT"
                    )
                case 2:
                    frames = pool.read_media(clip(), 0.1).frames
                    next(frames)
                    frames.close()
                case 3:
                    pool.read_media(clip(), 0.1)
        assert num_open() == before


@pytest.mark.parametrize("num_taken", [0, 1, 3])
def test_frames_that_are_left_end_the_process(
    num_taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[_Worker] = []
    begin, ask_nursery = _Worker.ask, Nursery.ask

    def ask(self: _Worker, data: bytes, interval_s: float) -> None:
        started.append(self)
        begin(self, data, interval_s)

    def ask_before_hanging_up(self: Nursery, command: str, pid: int) -> str:
        # A process that hears first that it was left ends by an error, and is not killed.
        assert not started[0]._channel.closed
        return ask_nursery(self, command, pid)

    monkeypatch.setattr(_Worker, "ask", ask)
    monkeypatch.setattr(Nursery, "ask", ask_before_hanging_up)
    with DecoderPool(LIMITS, num_spares=0) as pool:
        frames = pool.read_media(clip(), 0.1).frames
        for _ in range(num_taken):
            next(frames)
        child = started[0].meet()
        assert child.poll() is None
        frames.close()
        assert child.status == -signal.SIGKILL
        assert not Path(f"/proc/{child.pid}").exists(), "ended, and no zombie"


def test_several_threads_read_at_once(pool: DecoderPool) -> None:
    files = [clip(), clip("libx264"), picture("PNG"), clip("mjpeg", "avi")]
    expected = [outcome(lambda data=data: read_media(data, 0.1, LIMITS)) for data in files]
    with ThreadPoolExecutor(4) as threads:
        found = list(
            threads.map(lambda data: outcome(lambda: pool.read_media(data, 0.1)), files * 2)
        )
    assert found == expected * 2


def test_process_that_is_killed_is_no_fault_of_the_media() -> None:
    with DecoderPool(LIMITS) as pool:
        os.kill(pool._spares[0].meet().pid, signal.SIGKILL)
        with pytest.raises(MediaError) as caught:
            pool.read_media(clip(), 0.1)
        assert caught.value.code == Refusal.RESOURCE_LIMIT
        # The next is read by another.
        assert len(list(pool.read_media(clip(), 0.1).frames)) == 20


def test_pool_that_is_closed_keeps_no_process() -> None:
    pool = DecoderPool(LIMITS, num_spares=2)
    children = [worker.meet() for worker in pool._spares]
    nursery = pool._nursery.pid
    pool.close()
    pool.close()
    assert [child.status for child in children] == [-signal.SIGKILL] * 2
    for pid in (nursery, *(child.pid for child in children)):
        assert not Path(f"/proc/{pid}").exists()
    assert pool._spares == []


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.retire()


@pytest.fixture
def taken_over(nursery: Nursery) -> Iterator[tuple[_Worker, Callable[[bytes], None]]]:
    """A worker, and a way to say something in its name."""
    limits = VideoLimits(max_frames=3, max_pixels=64 * 64, max_still_pixels=64 * 64)
    worker = _Worker(limits, nursery)
    worker._channel.close()
    worker._channel, theirs = multiprocessing.Pipe()
    yield worker, theirs.send_bytes
    theirs.close()
    worker.end()


GOOD = {"slot": 0, "height": 64, "width": 64, "time_s": 0.0, "number": 0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"slot": -1}, {"slot": 4}, {"slot": 10**30}, {"slot": "x"}, {"slot": None}, {"slot": 0.5},
        {"slot": [0]}, {"height": 0}, {"width": -64}, {"height": 64 * 64 * 5}, {"width": 1e400},
        {"time_s": -1}, {"time_s": float("nan")}, {"time_s": float("inf")}, {"time_s": "x" * 9},
        {"more": 1}, {"slot": 1, "height": 10**9, "width": 10**9},
    ],
    ids=str,
)  # fmt: skip
def test_impossible_frame_is_refused(
    wrong: dict[str, object], taken_over: tuple[_Worker, Callable[[bytes], None]]
) -> None:
    worker, _ = taken_over
    with pytest.raises(MediaError, match="impossible answer") as caught:
        worker.take(GOOD | wrong)
    assert caught.value.code == Refusal.CORRUPT_MEDIA


@pytest.mark.parametrize("missing", GOOD)
def test_frame_that_lacks_something_is_refused(
    missing: str, taken_over: tuple[_Worker, Callable[[bytes], None]]
) -> None:
    worker, _ = taken_over
    with pytest.raises(MediaError, match="impossible answer"):
        worker.take({name: value for name, value in GOOD.items() if name != missing})


@pytest.mark.parametrize(
    "second", [{"time_s": 0.0}, {"time_s": 1.0, "height": 32}], ids=["time", "size"]
)
def test_frames_must_follow_one_another(
    second: dict[str, object], taken_over: tuple[_Worker, Callable[[bytes], None]]
) -> None:
    worker, _ = taken_over
    assert worker.take(GOOD).pixels.shape == (64, 64, 3)
    with pytest.raises(MediaError, match="impossible answer"):
        worker.take(GOOD | second)


def test_frames_without_end_are_refused(
    taken_over: tuple[_Worker, Callable[[bytes], None]],
) -> None:
    worker, _ = taken_over
    for time_s in range(3):
        worker.take(GOOD | {"time_s": float(time_s)})
    with pytest.raises(MediaError, match="impossible answer"):
        worker.take(GOOD | {"time_s": 3.0})


@pytest.mark.parametrize(
    "said",
    [
        b"", b"x", b"\xff\xfe", b"[]", b"1", b'"end"', b"null", b"[" * 60_000, b'{"code": "FINE"}',
        b'{"code": ["TIMEOUT"]}', b'{"code": null}', b"9" * 6000,
    ],
    ids=lambda said: said[:12].decode("latin-1"),
)  # fmt: skip
def test_nonsense_is_refused(
    said: bytes, taken_over: tuple[_Worker, Callable[[bytes], None]]
) -> None:
    worker, say = taken_over
    say(said)
    with pytest.raises(MediaError, match="impossible answer") as caught:
        worker.hear()
    assert caught.value.code == Refusal.CORRUPT_MEDIA


@pytest.mark.parametrize(
    "start", [{}, {"is_still": 3, "not_locked": []}, {"is_still": True, "not_locked": 5}]
)
def test_start_that_lacks_something_is_refused(
    start: dict[str, object], pool: DecoderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Worker, "ask", lambda *_: None)
    monkeypatch.setattr(_Worker, "hear", lambda _: start)
    with pytest.raises(MediaError, match="impossible answer"):
        pool.read_media(clip(), 0.1)


def test_shared_memory_cannot_be_cut_short(nursery: Nursery) -> None:
    worker = _Worker(LIMITS, nursery)
    try:
        folder = Path(f"/proc/{worker.meet().pid}/fd")
        names = []
        for name in folder.iterdir():
            with suppress(FileNotFoundError):  # Python, which is starting there, has closed it.
                if "vivant-frames" in str(name.readlink()):
                    names.append(name)
        descriptor = os.open(names[0], os.O_RDWR)
        try:
            with pytest.raises(PermissionError):
                os.ftruncate(descriptor, 0)
            assert fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SEAL
        finally:
            os.close(descriptor)
    finally:
        worker.end()


def test_half_a_message_does_not_block_for_ever(nursery: Nursery) -> None:
    worker = _Worker(VideoLimits(max_silence_s=7), nursery)
    try:
        with socket.socket(fileno=os.dup(worker._channel.fileno())) as channel:
            for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                value = channel.getsockopt(socket.SOL_SOCKET, direction, 16)
                assert struct.unpack("@ll", value)[0] == 8
    finally:
        worker.end()
