"""The nursery's side of `nursery`, run as a module; and the processes that decode, and end.

Such a process gets two descriptors: a channel of messages, and memory shared with whoever asked,
where the pixels are put. Once it has the file's bytes it locks itself. Messages are JSON, so that a
process that was taken over has nothing but numbers and text to answer with.
"""

import gc
import io
import json
import mmap
import os
import re
import signal
import socket
import sys
import time
import traceback
from collections import deque
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import NoReturn

import av
import numpy as np
from PIL import Image

from vivant.errors import MediaError, Refusal
from vivant.records import Frame
from vivant.video.frames import read_media
from vivant.video.limits import VideoLimits
from vivant.video.lock import LockReport, allow_cpu, lock
from vivant.video.nursery import ALIVE

__all__ = ["decode", "main"]

_MAX_SLOTS = 6  # Frames on their way: enough for both sides to be busy.
_NEAR_LIMIT = 0.75  # Of the memory: from here on, damage may be a decoder's lack of it.


def main(control_descriptor: int) -> None:
    """Fork a process for each presentation, until whoever asks has gone. No file is read here."""
    control = socket.socket(fileno=control_descriptor)
    # A terminal or a supervisor tells all processes to end: whoever asked decides when these do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _warm_up()
    gc.collect()
    gc.freeze()  # What is here already is nothing for the children to collect.
    ended: dict[int, int] = {}
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 64, 2)
        _reap(ended)
        if not message:
            return
        command, _, number = message.decode().partition(" ")
        if command == "start":
            channel, memory = descriptors
            pid = os.fork()
            if not pid:
                control.close()
                _live(channel, memory, int(number))
            ended.pop(pid, None)  # Of one that nobody asked about, long ago.
            os.close(channel)
            os.close(memory)
            continue
        pid = int(number)
        if command == "end" and pid not in ended:
            # It is our child and not reaped yet: nobody else can have its number.
            os.kill(pid, signal.SIGKILL)
            ended[pid] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        status = ended.pop(pid, None)
        control.sendall((ALIVE if status is None else str(status)).encode())


def _reap(ended: dict[int, int]) -> None:
    """Note those that have ended, so that none stays a zombie."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        ended[pid] = os.waitstatus_to_exitcode(status)


def _live(channel: int, memory: int, memory_bytes: int) -> NoReturn:
    """The life of a child: it never comes back to the nursery's loop."""
    status = 1
    try:
        decode(channel, memory, memory_bytes)
        status = 0
    except BaseException:
        traceback.print_exc()  # To nowhere, unless somebody looks for a fault.
    finally:
        os._exit(status)


def decode(channel_descriptor: int, memory_descriptor: int, memory_bytes: int) -> None:
    """Decode one presentation: request and bytes in, frames and an end out."""
    channel = Connection(channel_descriptor)
    memory = mmap.mmap(memory_descriptor, memory_bytes)
    _tell(channel, {"pid": os.getpid()})
    request = json.loads(channel.recv_bytes())
    data = channel.recv_bytes()
    limits = VideoLimits.model_validate(request["limits"])
    status = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)  # Stays readable.
    hard_s = time.process_time() + limits.cpu_budget_s(1, limits.max_total_pixels)
    missing = lock(limits.max_memory_bytes, hard_s)
    while True:
        end = _decode(channel, memory, data, request["interval_s"], limits, missing)
        if end.get("code") == Refusal.CORRUPT_MEDIA and (
            _peak_bytes(status) > _NEAR_LIMIT * limits.max_memory_bytes
        ):
            end = _out_of_memory(limits)
        _tell(channel, end)
        # The pictures of one folder come one after the other; else the parent hangs up.
        try:
            data = channel.recv_bytes()
        except EOFError:
            return


def _decode(
    channel: Connection,
    memory: mmap.mmap,
    data: bytes,
    interval_s: float,
    limits: VideoLimits,
    missing: LockReport,
) -> dict[str, object]:
    """Decode one file; gives the message of its end."""
    used_s = time.process_time()

    def raise_cpu(num_frames: int, num_pixels: int) -> None:
        allow_cpu(used_s + limits.cpu_budget_s(num_frames, num_pixels))

    raise_cpu(0, 0)
    try:
        media = read_media(data, interval_s, limits, raise_cpu)
        _tell(channel, {"is_still": media.is_still, "not_locked": missing})
        _send(channel, memory, media.frames)
    except MediaError as error:
        return {"code": error.code, "message": str(error)}
    except MemoryError:
        return _out_of_memory(limits)
    return {"end": True}


def _out_of_memory(limits: VideoLimits) -> dict[str, object]:
    return {
        "code": Refusal.RESOURCE_LIMIT,
        "message": f"decoding needs more memory than {limits.max_memory_bytes / 2**20:.0f} MiB "
        "(max_memory_bytes)",
    }


def _peak_bytes(status: int) -> int:
    """The most address space that this process had: some decoders keep quiet about their lack."""
    found = re.search(rb"VmPeak:\s+(\d+) kB", os.pread(status, 4096, 0))
    return 1024 * int(found[1]) if found else 0


def _warm_up() -> None:
    """Decode something of each kind: what is imported on first use can't be once files are shut."""
    limits = VideoLimits(min_side_px=16)
    video, black = io.BytesIO(), np.zeros((16, 16, 3), np.uint8)
    with av.open(video, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10, width=16, height=16, pix_fmt="yuv420p")
        for packet in stream.encode(av.VideoFrame.from_ndarray(black)) + stream.encode(None):
            container.mux(packet)
    pictures = [io.BytesIO() for _ in range(3)]
    for picture, kind in zip(pictures, ("JPEG", "PNG", "WEBP"), strict=True):
        Image.fromarray(black).save(picture, kind, exif=b"Exif\0\0")
    for file in (video, *pictures):
        assert len(list(read_media(file.getvalue(), 0.1, limits).frames)) == 1


def _send(channel: Connection, memory: mmap.mmap, frames: Iterator[Frame]) -> None:
    """Put each frame into a free slot of the shared memory, and say where it is."""
    free: deque[int] = deque()
    num_slots, slot_bytes = 0, 0
    try:
        for frame in frames:
            if not slot_bytes:
                slot_bytes = frame.pixels.nbytes
                num_slots = min(_MAX_SLOTS, len(memory) // slot_bytes)
                free.extend(range(num_slots))
            # Slots that the parent has emptied, waiting for one only if there is none.
            while not free or channel.poll():
                free.append(int(channel.recv_bytes(16)))
            slot = free.popleft()
            height, width, _ = frame.pixels.shape
            place = np.frombuffer(memory, np.uint8, slot_bytes, slot * slot_bytes)
            place[:] = frame.pixels.reshape(-1)
            size = {"height": height, "width": width}
            _tell(channel, {"slot": slot, **size, "time_s": frame.time_s, "number": frame.number})
    finally:
        # The parent answers every frame: what it says after that is the next file.
        while len(free) < num_slots:
            free.append(int(channel.recv_bytes(16)))


def _tell(channel: Connection, message: dict[str, object]) -> None:
    channel.send_bytes(json.dumps(message).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]))
