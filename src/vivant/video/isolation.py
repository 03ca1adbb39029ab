"""Decodes files that nobody vouches for in processes that can do nothing else.

One process decodes one file: what a file does to it ends with it. Processes are started ahead, so
that a file does not wait for Python's imports.
"""

import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

import numpy as np

from vivant.errors import MediaError, Refusal
from vivant.records import Frame
from vivant.video.frames import Media
from vivant.video.limits import VideoLimits
from vivant.video.source import check_size

__all__ = ["DecoderPool"]

_MAX_MESSAGE = 64 * 1024
# Signals by which the kernel or an allocator ends a process that asks for too much.
_OUT_OF_RESOURCES = {signal.SIGXCPU, signal.SIGKILL, signal.SIGABRT}


class DecoderPool:
    """Processes that wait for a file to decode. Safe to use from several threads.

    Args:
        limits: What is read, and what reading may cost.
        num_spares: How many processes wait while nothing is to be done.
    """

    def __init__(self, limits: VideoLimits, num_spares: int = 1) -> None:
        self.limits = limits
        self.not_locked: tuple[str, ...] = ()
        """What this machine could not lock, as the last process said."""
        self._num_spares = num_spares
        self._spares: list[_Worker] = []
        self._guard = threading.Lock()
        self._is_closed = False
        self._refill()

    def read_media(self, data: bytes, interval_s: float) -> Media:
        """As `vivant.video.frames.read_media`, in a process of its own.

        Leaving the frames before their end is fine: the process is ended.

        Raises:
            MediaError: as there; and TIMEOUT or RESOURCE_LIMIT, which say nothing of the media.
        """
        check_size(data, self.limits)
        worker = self._take()
        try:
            is_still = self._begin(worker, data, interval_s)
        except BaseException:
            self._put_away(worker)
            raise

        def frames() -> Iterator[Frame]:
            try:
                yield from worker.frames()
            finally:
                self._put_away(worker)

        return Media(is_still, frames())

    @contextmanager
    def hold(self) -> Iterator[Callable[[bytes, float], Media]]:
        """One process for several files of one sender, such as the pictures of a folder.

        Gives a function like `read_media`. Take all frames of a file before you read the next.
        """
        worker = self._take()

        def read(data: bytes, interval_s: float) -> Media:
            check_size(data, self.limits)
            return Media(self._begin(worker, data, interval_s), worker.frames())

        try:
            yield read
        finally:
            self._put_away(worker)

    def close(self) -> None:
        """End the processes that wait."""
        with self._guard:
            self._is_closed = True
            spares, self._spares = self._spares, []
        for worker in spares:
            worker.end()

    def __enter__(self) -> "DecoderPool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _take(self) -> "_Worker":
        with self._guard:
            if self._spares:
                return self._spares.pop()
        return _Worker(self.limits)

    def _begin(self, worker: "_Worker", data: bytes, interval_s: float) -> bool:
        worker.ask(data, interval_s)
        header = worker.hear()
        self.not_locked = tuple(str(what) for what in header["not_locked"])
        return bool(header["is_still"])

    def _put_away(self, worker: "_Worker") -> None:
        worker.end()
        self._refill()

    def _refill(self) -> None:
        with self._guard:
            while not self._is_closed and len(self._spares) < self._num_spares:
                self._spares.append(_Worker(self.limits))


class _Worker:
    """One process, from its start to its end."""

    def __init__(self, limits: VideoLimits) -> None:
        self._limits = limits
        # Room for a few of the largest frames; only what is written becomes memory.
        size = max(4 * 3 * limits.max_pixels, 3 * limits.max_still_pixels)
        memory = os.memfd_create("vivant-frames", os.MFD_CLOEXEC)
        os.ftruncate(memory, size)
        self._memory = mmap.mmap(memory, size)
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own Python.
                [sys.executable, "-P", "-m", "vivant.video.worker"]
                + [str(number) for number in (theirs.fileno(), memory, size)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), memory),
                # Libraries' thread pools would take address space and do nothing for one file.
                env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        os.close(memory)
        self._channel = Connection(ours.detach())
        self._is_asked = False

    def ask(self, data: bytes, interval_s: float) -> None:
        request = {"interval_s": interval_s, "limits": self._limits.model_dump(mode="json")}
        try:
            if not self._is_asked:
                self._channel.send_bytes(json.dumps(request).encode())
            self._is_asked = True
            self._channel.send_bytes(data)
        except OSError as error:
            raise self._died() from error

    def hear(self) -> dict[str, Any]:
        """The next message.

        Raises:
            MediaError: the worker refused the file, said nothing for too long, or died.
        """
        try:
            if not self._channel.poll(self._limits.max_silence_s):
                raise MediaError(
                    Refusal.TIMEOUT,
                    f"decoding gave no frame for {self._limits.max_silence_s:g} seconds "
                    "(max_silence_s): the machine may be busy, try again",
                )
            message = json.loads(self._channel.recv_bytes(_MAX_MESSAGE))
        except (EOFError, OSError) as error:
            raise self._died() from error
        if "code" in message:
            raise MediaError(Refusal(message["code"]), str(message["message"]))
        assert isinstance(message, dict)
        return message

    def frames(self) -> Iterator[Frame]:
        """The frames of the file that was asked for."""
        while "end" not in (message := self.hear()):
            yield self.take(message)

    def take(self, message: dict[str, Any]) -> Frame:
        """The frame that a message tells of, copied out of the shared memory."""
        height, width, slot = (int(message[name]) for name in ("height", "width", "slot"))
        size = 3 * height * width
        # Checked, because the worker has read the file and may no longer be ours.
        if min(height, width, slot) < 0 or (slot + 1) * size > len(self._memory):
            raise MediaError(Refusal.CORRUPT_MEDIA, "the decoder gave an impossible frame")
        pixels = np.frombuffer(self._memory, np.uint8, size, slot * size).copy()
        with suppress(OSError):  # It has sent its last frame and gone; its end is still to hear.
            self._channel.send_bytes(str(slot).encode())
        return Frame(pixels.reshape(height, width, 3), float(message["time_s"]))

    def end(self) -> None:
        """End the process, whatever it does, and free what it held."""
        self._channel.close()
        self._process.kill()
        self._process.wait()
        self._memory.close()

    def _died(self) -> MediaError:
        try:
            status = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            status = 0
        if -status in _OUT_OF_RESOURCES:
            return MediaError(
                Refusal.RESOURCE_LIMIT,
                "decoding used up its processor time or memory (cpu_seconds, "
                "cpu_seconds_per_frame, max_memory_bytes): send a shorter or smaller video",
            )
        return MediaError(
            Refusal.CORRUPT_MEDIA, f"the decoder ended over this file (status {status})"
        )
