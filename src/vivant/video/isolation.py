"""Decodes files that nobody vouches for in processes that can do nothing else.

One process decodes one file: what a file does to it ends with it. A nursery forks them, so that a
file does not wait for Python's imports.
"""

import fcntl
import json
import mmap
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vivant.errors import MediaError, Refusal
from vivant.records import Frame
from vivant.video.frames import Media
from vivant.video.limits import VideoLimits
from vivant.video.nursery import Child, Nursery
from vivant.video.sampling import check_interval
from vivant.video.source import check_size

__all__ = ["DecoderPool"]

_MAX_MESSAGE = 64 * 1024
_START_S = 20.0  # For a nursery to start, on a busy machine, and fork.
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
        self._nursery = Nursery()
        self._refill()

    def read_media(self, data: bytes, interval_s: float) -> Media:
        """As `vivant.video.frames.read_media`, in a process of its own.

        Leaving the frames before their end is fine: the process is ended.

        Raises:
            MediaError: as there; and TIMEOUT or RESOURCE_LIMIT, which say nothing of the media.
        """
        check_interval(interval_s)
        check_size(data, self.limits)
        worker = self._take()

        def answers() -> Iterator[Any]:
            try:
                yield self._begin(worker, data, interval_s)
                yield from worker.frames()
            finally:
                self._put_away(worker)

        # The generator runs from here on: closed or dropped, it ends the process.
        frames = answers()
        return Media(next(frames), frames)

    @contextmanager
    def hold(self) -> Iterator[Callable[[bytes, float], Media]]:
        """One process for several files of one sender, such as the pictures of a folder.

        Gives a function like `read_media`. Take all frames of a file before you read the next.
        """
        worker = self._take()

        def read(data: bytes, interval_s: float) -> Media:
            check_interval(interval_s)
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
        self._nursery.retire()

    def __enter__(self) -> "DecoderPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self) -> "_Worker":
        with self._guard:
            while self._spares:
                spare = self._spares.pop()
                if not spare.is_stale:
                    return spare
                spare.end()
            return self._born()

    def _begin(self, worker: "_Worker", data: bytes, interval_s: float) -> bool:
        worker.ask(data, interval_s)
        start = _checked(_Start, worker.hear())
        self.not_locked = start.not_locked
        return start.is_still

    def _put_away(self, worker: "_Worker") -> None:
        worker.end()
        self._refill()

    def _refill(self) -> None:
        with self._guard:
            while not self._is_closed and len(self._spares) < self._num_spares:
                self._spares.append(self._born())

    def _born(self) -> "_Worker":
        """A new process; from another nursery where this one has gone or done enough."""
        if not self._nursery.is_retired:
            with suppress(OSError):
                return _Worker(self.limits, self._nursery)
        self._nursery.retire()
        self._nursery = Nursery()
        worker = _Worker(self.limits, self._nursery)
        if self._is_closed:  # Who still asks gets an answer, and the nursery ends with it.
            self._nursery.retire()
        return worker


class _Message(BaseModel):
    # Checked, because the worker has read the file and may no longer be ours.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Start(_Message):
    is_still: bool
    not_locked: tuple[str, ...]


class _Place(_Message):
    """Where in the shared memory a frame lies."""

    slot: int = Field(ge=0)
    height: int = Field(gt=0)
    width: int = Field(gt=0)
    time_s: float = Field(ge=0)
    number: int = Field(ge=0)


M = TypeVar("M", bound=_Message)


def _checked(kind: type[M], message: dict[str, Any]) -> M:
    try:
        return kind.model_validate(message)
    except ValidationError as error:
        raise _nonsense() from error


def _nonsense() -> MediaError:
    return MediaError(Refusal.CORRUPT_MEDIA, "the decoder gave an impossible answer")


class _Worker:
    """One process, from its start to its end."""

    def __init__(self, limits: VideoLimits, nursery: Nursery) -> None:
        self._limits = limits
        self._nursery = nursery
        self._child: Child | None = None  # From its first word on.
        # Room for a few of the largest frames; only what is written becomes memory.
        size = max(4 * 3 * limits.max_pixels, 3 * limits.max_still_pixels)
        # `opened` is closed in any case, `lost` where something fails: a process may be short of
        # descriptors.
        with ExitStack() as opened, ExitStack() as lost:
            memory = os.memfd_create("vivant-frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            opened.callback(os.close, memory)
            os.ftruncate(memory, size)
            # A worker that cut it short would end this process with a SIGBUS.
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)
            self._memory = mmap.mmap(memory, size)
            lost.callback(self._memory.close)
            ours, theirs = socket.socketpair()
            opened.callback(theirs.close)
            lost.callback(ours.close)
            # Half a message, or one that is never taken, must not block for ever either.
            patience = struct.pack("@ll", int(limits.max_silence_s) + 1, 0)
            for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                ours.setsockopt(socket.SOL_SOCKET, direction, patience)
            nursery.start(theirs.fileno(), memory, size)
            lost.pop_all()
        self._channel = Connection(ours.detach())
        self._is_asked = self._is_ended = False
        self._waited_s = 0.0
        self._num_frames, self._last_s, self._shape = 0, -1.0, (0, 0, 3)

    def ask(self, data: bytes, interval_s: float) -> None:
        self._waited_s = 0.0
        self._num_frames, self._last_s, self._shape = 0, -1.0, (0, 0, 3)
        request = {"interval_s": interval_s, "limits": self._limits.model_dump(mode="json")}
        try:
            self.meet()
            if not self._is_asked:
                self._channel.send_bytes(json.dumps(request).encode())
            self._is_asked = True
            self._channel.send_bytes(data)
        except BlockingIOError as error:
            raise self._silent() from error
        except (EOFError, OSError) as error:
            raise self._died() from error

    def hear(self) -> dict[str, Any]:
        """The next message.

        Raises:
            MediaError: the worker refused the file, said nothing for too long, or died.
        """
        left_s = self._limits.max_wait_s - self._waited_s
        started_s = time.monotonic()
        try:
            if not self._channel.poll(max(0, min(self._limits.max_silence_s, left_s))):
                raise self._silent()
            content = self._channel.recv_bytes(_MAX_MESSAGE)
        except BlockingIOError as error:
            raise self._silent() from error
        except (EOFError, OSError) as error:
            raise self._died() from error
        self._waited_s += time.monotonic() - started_s
        try:
            message = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise _nonsense() from error
        if not isinstance(message, dict) or message.get("code", "TIMEOUT") not in list(Refusal):
            raise _nonsense()
        if "code" in message:
            raise MediaError(Refusal(message["code"]), str(message.get("message")))
        return message

    def frames(self) -> Iterator[Frame]:
        """The frames of the file that was asked for."""
        while "end" not in (message := self.hear()):
            yield self.take(message)

    def take(self, message: dict[str, Any]) -> Frame:
        """The frame that a message tells of, copied out of the shared memory.

        Raises:
            MediaError: CORRUPT_MEDIA where there can be no such frame.
        """
        place = _checked(_Place, message)
        shape, size = (place.height, place.width, 3), 3 * place.height * place.width
        self._num_frames += 1
        if (
            (place.slot + 1) * size > len(self._memory)
            or place.time_s <= self._last_s
            or (self._num_frames > 1 and shape != self._shape)
            or self._num_frames > self._limits.max_frames
        ):
            raise _nonsense()
        self._last_s, self._shape = place.time_s, shape
        pixels = np.frombuffer(self._memory, np.uint8, size, place.slot * size).copy()
        with suppress(OSError):  # It has sent its last frame and gone; its end is still to hear.
            self._channel.send_bytes(str(place.slot).encode())
        return Frame(pixels.reshape(shape), place.time_s, place.number)

    @property
    def is_stale(self) -> bool:
        """Whether it comes from a nursery that is to be used no more."""
        return self._nursery.is_retired

    def meet(self) -> Child:
        """Wait for the process's first word, which is its number.

        Raises:
            OSError: it said nothing in time.
            EOFError: its nursery has gone, and it was never forked.
        """
        if self._child is None:
            if not self._channel.poll(_START_S):
                raise BlockingIOError("the decoder did not start")
            said = json.loads(self._channel.recv_bytes(_MAX_MESSAGE))
            self._child = Child(self._nursery, int(said["pid"]))
        return self._child

    def end(self) -> None:
        """End the process, whatever it does, and free what it held."""
        if self._is_ended:
            return
        self._is_ended = True
        # Killed before it is hung up: to be left is no crash. Who has said nothing, and ends by
        # the hanging up, has read no file.
        has_crashed = self._child is not None and self._child.poll() not in (None, 0)
        if self._child is not None:
            self._child.end()
        self._channel.close()
        self._memory.close()
        self._nursery.leave(has_crashed=has_crashed)

    def _silent(self) -> MediaError:
        return MediaError(
            Refusal.TIMEOUT,
            f"decoding gave no frame for {self._limits.max_silence_s:g} seconds (max_silence_s), "
            f"or took {self._limits.max_wait_s:g} in all (max_wait_s): the machine may be busy, "
            "try again",
        )

    def _died(self) -> MediaError:
        if self._child is None:
            return MediaError(
                Refusal.RESOURCE_LIMIT,
                "the decoder did not start: the machine may be out of memory, try again",
            )
        status = self._child.wait()
        if status is None:  # Its nursery has gone too, or it does not end: nothing of the file's.
            return MediaError(
                Refusal.RESOURCE_LIMIT,
                "the decoder has gone and nobody knows why: killed from outside, or the machine is "
                "out of memory: try again",
            )
        if -status in _OUT_OF_RESOURCES:
            return MediaError(
                Refusal.RESOURCE_LIMIT,
                "decoding used up its processor time or memory (cpu_seconds, "
                "cpu_seconds_per_frame, max_memory_bytes): send a shorter or smaller video",
            )
        return MediaError(
            Refusal.CORRUPT_MEDIA, f"the decoder ended over this file (status {status})"
        )
