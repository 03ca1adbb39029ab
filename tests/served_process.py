"""`vivant serve` in a process of its own, what its whole tree of processes holds, and bare clients.

Traffic goes to 127.0.0.1 alone.
"""

import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from PIL import Image

from people import swaying

HOST = "127.0.0.1"
START_S = 300
_TICK_S = 0.2
_BOUNDARY = "of-a-form"


@dataclass
class Served:
    """A service that runs, and what it said."""

    process: "subprocess.Popen[str]"
    port: int
    lines: list[str] = field(default_factory=list)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def log(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in list(self.lines) if line.startswith("{")]


@contextmanager
def served(*options: str, **limits: float) -> Iterator[Served]:
    """`vivant serve` with the model that ships, ready, at a free port of this machine."""
    set_limits = [part for name, value in limits.items() for part in ("--limit", f"{name}={value}")]
    command = [sys.executable, "-m", "vivant", "serve", "--port", "0", *options, *set_limits]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    service = Served(process, 0)
    reading = threading.Thread(target=_read, args=(service,), daemon=True)
    reading.start()
    try:
        _wait_until_ready(service)
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reading.join(60)
        assert process.stderr is not None
        process.stderr.close()


def _read(service: Served) -> None:
    assert service.process.stderr is not None
    for line in service.process.stderr:
        service.lines.append(line)
        _, found, address = line.partition("listening at http://127.0.0.1:")
        if found:
            service.port = int(address.partition('"')[0])


def _wait_until_ready(service: Served) -> None:
    ends_s = time.monotonic() + START_S
    while time.monotonic() < ends_s:
        assert service.process.poll() is None, "".join(service.lines)
        if service.port and status_of(service.port, "/readyz") == 200:
            return
        time.sleep(0.05)
    raise AssertionError(f"not ready within {START_S} s: {''.join(service.lines)}")


def status_of(port: int, path: str) -> int | None:
    """The status of a GET; None where nobody answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=120)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


@lru_cache
def clip_form() -> bytes:
    """A form with five frames of 640x480, as `clip_request` sends it."""
    parts = []
    for i, pixels in enumerate(swaying(5)):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=90)
        head = (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="frames"; filename="{i}.jpg"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        )
        parts.append(head.encode() + file.getvalue() + b"\r\n")
    return b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()


FORM_TYPE = f"multipart/form-data; boundary={_BOUNDARY}"


def post_clip(connection: http.client.HTTPConnection) -> tuple[int, bytes]:
    """Five frames on a connection that is open or will be opened: status and body."""
    connection.request("POST", "/v1/check", clip_form(), {"Content-Type": FORM_TYPE})
    answer = connection.getresponse()
    return answer.status, answer.read()


def request_head(path: str = "/v1/check", method: str = "POST", **headers: object) -> bytes:
    """A request as bytes, until its body."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def connect(port: int, timeout_s: float = 120) -> socket.socket:
    return socket.create_connection((HOST, port), timeout_s)


def tree(pid: int) -> list[int]:
    """A process and all that come from it."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                # Behind the name, which may have spaces: state, parent.
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # It has ended.
                continue
            parents[int(folder.name)] = int(fields[1])
    found = [pid]
    for one in found:  # Grows on the way.
        found += [child for child, parent in parents.items() if parent == one]
    return found


def tree_bytes(pid: int) -> int:
    """Memory of the whole tree: what processes share counts once (Pss)."""
    total = 0
    for one in tree(pid):
        try:
            rollup = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(
            int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:")
        )
    return total


def num_bytes_of(pid: int) -> int:
    """Resident memory of one process."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@dataclass
class Peak:
    """The most that a tree of processes held while it was watched."""

    num_bytes: int = 0


@contextmanager
def peak_memory(pid: int) -> Iterator[Peak]:
    """Watch a tree's memory, five times a second."""
    peak, stop = Peak(), threading.Event()

    def watch() -> None:
        while not stop.wait(_TICK_S):
            peak.num_bytes = max(peak.num_bytes, tree_bytes(pid))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()
