"""Loads `vivant serve` on this machine's loopback: latency, capacity, three times as much, SIGTERM.

    make bench
    .venv/bin/python benchmarks/serving.py [--quick] [--limit NAME=VALUE]

The service is the one that ships (`lite`, default options) but for its rate limit, which would be
all that is measured. Client and service share the machine's cores. One body: five JPEGs of 640x480
of a face that sways, as a form. "Accepted" is what was answered 200. The load comes at its own
pace, whatever is answered (open loop), on a connection of its own each, as bursts of callers would
come. It ends by itself. benchmarks/README.md keeps results.
"""

import argparse
import asyncio
import io
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import skimage.data
from PIL import Image

HOST = "127.0.0.1"
BOUNDARY = "of-a-form"
ALLOWED = {200, 429, 503}
PATIENCE_S = 60.0
PAUSE_S = 1.0  # Between two requests of an unloaded service: as long as it needs to be idle again.
LOAD = 3.0  # Times the capacity.
LIMITS = ("requests_per_minute=1e9", "request_burst=1000000000")
NUM_CLIENTS_AT_END = 8


@dataclass(frozen=True)
class Size:
    """How much is asked."""

    unloaded: int = 30
    capacity_s: float = 20.0
    load_s: float = 20.0
    memory_from: int = 300
    memory_to: int = 3000


QUICK = Size(unloaded=8, capacity_s=5.0, load_s=6.0, memory_from=20, memory_to=60)


@dataclass(frozen=True)
class Answer:
    """What came back; status 0: the connection broke, -1: it was refused."""

    status: int
    seconds: float
    says_when: bool = True
    """Whether a 429 or 503 has Retry-After."""


def make_body() -> bytes:
    """A form with five frames, 0.1 s apart, with a camera's noise."""
    picture = skimage.data.astronaut()
    generator = np.random.default_rng(0)
    parts = []
    for i in range(5):
        x, y = 320 - 226 * 1.5 + 6 * np.sin(i / 2), 240 - 121 * 1.5 + 4 * np.cos(i / 3)
        frame = cv2.warpAffine(
            picture, np.array([[1.5, 0, x], [0, 1.5, y]]), (640, 480),
            borderMode=cv2.BORDER_REFLECT,
        )  # fmt: skip
        noisy = (frame + generator.normal(0, 2, frame.shape)).clip(0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(noisy).save(file, "JPEG", quality=90)
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="frames"; filename="{i}"\r\n'
        parts.append(head.encode() + b"Content-Type: image/jpeg\r\n\r\n" + file.getvalue())
    return b"\r\n".join(parts) + f"\r\n--{BOUNDARY}--\r\n".encode()


def make_request(body: bytes) -> bytes:
    """All bytes of one request."""
    head = (
        f"POST /v1/check HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    )
    return head.encode() + body


class Service:
    """`vivant serve` in a process of its own."""

    def __init__(self, limits: list[str], log: Path) -> None:
        self._log = log
        set_limits = [part for limit in (*LIMITS, *limits) for part in ("--limit", limit)]
        self.command = ["vivant", "serve", "--port", "0", "--drain", "1", *set_limits]
        with log.open("w") as file:
            self.process = subprocess.Popen([sys.executable, "-m", *self.command], stderr=file)
        self.port = 0

    async def wait_until_ready(self) -> None:
        """Until it has tested itself."""
        ends_s = time.perf_counter() + PATIENCE_S
        while time.perf_counter() < ends_s and self.process.poll() is None:
            await asyncio.sleep(0.1)
            _, found, rest = self._log.read_text().partition(f"listening at http://{HOST}:")
            self.port = int(rest.partition('"')[0]) if found and '"' in rest else 0
            get = f"GET /readyz HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
            if self.port and (await ask(self.port, get)).status == 200:
                return
        raise SystemExit(f"the service did not start: {self._log.read_text()}")

    def end(self) -> None:
        """Make sure that nothing is left of it."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def memory_bytes(self) -> tuple[int, int]:
        """Resident memory of the service's process, and of it with its decoders (Pss)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        together = sum(_number(_read(pid, "smaps_rollup"), "Pss:") for pid in self.pids())
        return _number(status, "VmRSS:"), together

    def pids(self) -> list[int]:
        """The service's process and its decoders."""
        found = [self.process.pid]
        parents = {
            int(folder.name): _number(_read(int(folder.name), "status"), "PPid:", 1)
            for folder in Path("/proc").iterdir()
            if folder.name.isdigit()
        }
        for pid in found:  # Grows on the way.
            found += [child for child, parent in parents.items() if parent == pid]
        return found


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:  # It has ended.
        return ""


def _number(text: str, name: str, unit: int = 1024) -> int:
    return sum(int(line.split()[1]) * unit for line in text.splitlines() if line.startswith(name))


async def ask(port: int, request: bytes) -> Answer:
    """One request on a connection of its own."""
    started_s = time.perf_counter()

    def answer(status: int, *, says_when: bool = True) -> Answer:
        return Answer(status, time.perf_counter() - started_s, says_when)

    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return answer(-1)
    try:
        async with asyncio.timeout(PATIENCE_S):
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = head.partition("content-length:")[2].partition("\r\n")[0]
            await reader.readexactly(int(length))
        status = int(head.split(" ", 2)[1])
        return answer(status, says_when=status not in (429, 503) or "\r\nretry-after:" in head)
    except (OSError, EOFError, TimeoutError, ValueError):
        return answer(0)
    finally:
        writer.close()


Ask = Callable[[], Awaitable[Answer]]


async def one_at_a_time(ask_one: Ask, num: int) -> list[Answer]:
    """Requests of one client, each to a service that is idle."""
    answers = []
    for _ in range(num + 1):
        await asyncio.sleep(PAUSE_S)
        answers.append(await ask_one())
    return answers[1:]


async def closed_loop(
    ask_one: Ask, num_clients: int, is_enough: Callable[[], bool]
) -> list[Answer]:
    """Clients that ask again once they are answered; after a refusal a little later."""
    answers: list[Answer] = []

    async def client() -> None:
        while not is_enough():
            answers.append(await ask_one())
            if answers[-1].status != 200:
                await asyncio.sleep(0.1)

    await asyncio.gather(*(client() for _ in range(num_clients)))
    return answers


async def open_loop(ask_one: Ask, per_s: float, seconds: float) -> list[Answer]:
    """Requests at random times (a Poisson process), however long the answers take."""
    waits = np.random.default_rng(0).exponential(1 / per_s, max(1, round(per_s * seconds)))
    tasks, due_s = [], time.perf_counter()
    for wait_s in waits:
        due_s += wait_s
        await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
        tasks.append(asyncio.ensure_future(ask_one()))
    return list(await asyncio.gather(*tasks))


def accepted_s(answers: list[Answer]) -> list[float]:
    """How long each accepted request took, the shortest first."""
    return sorted(answer.seconds for answer in answers if answer.status == 200)


def say(label: str, value: str) -> None:
    print(f"{label:44} {value}", flush=True)


def say_counts(label: str, answers: list[Answer]) -> None:
    counts = Counter(answer.status for answer in answers)
    say(label, ", ".join(f"{status}: {num}" for status, num in sorted(counts.items())))


@asynccontextmanager
async def running(limits: list[str]) -> AsyncIterator[Service]:
    with tempfile.TemporaryDirectory() as folder:
        service = Service(limits, Path(folder) / "log")
        try:
            await service.wait_until_ready()
            yield service
        finally:
            service.end()


async def measure(size: Size, limits: list[str]) -> bool:
    """All measurements of one service, one after the other; gives whether nothing is wrong."""
    request = make_request(make_body())
    num_workers = len(os.sched_getaffinity(0))
    answers: list[Answer] = []
    async with running(limits) as service:

        async def ask_one() -> Answer:
            answers.append(await ask(service.port, request))
            return answers[-1]

        print(" ".join(service.command))
        unloaded = accepted_s(await one_at_a_time(ask_one, size.unloaded))
        assert len(unloaded) == size.unloaded, answers
        say(
            f"unloaded, one at a time, median of {size.unloaded}",
            f"{median(unloaded):.3f} s  ({unloaded[0]:.3f} to {unloaded[-1]:.3f})",
        )
        capacity = await measure_capacity(ask_one, num_workers + 1, size.capacity_s)
        loaded = await open_loop(ask_one, LOAD * capacity, size.load_s)
        is_good = report_load(loaded, capacity, median(unloaded), size.load_s)
        await measure_drift(service, ask_one, num_workers + 1, answers, size)
        is_good &= await measure_end(service, ask_one)
    return is_good


async def measure_capacity(ask_one: Ask, num_clients: int, seconds: float) -> float:
    """Accepted requests a second."""
    started_s = time.perf_counter()
    answers = await closed_loop(
        ask_one, num_clients, lambda: time.perf_counter() - started_s > seconds
    )
    took = accepted_s(answers)
    per_s = len(took) / (time.perf_counter() - started_s)
    say(
        f"capacity, {num_clients} clients, closed loop, n = {len(answers)}",
        f"{per_s:.2f} accepted/s, median {median(took):.3f} s",
    )
    return per_s


def report_load(answers: list[Answer], capacity: float, unloaded_s: float, seconds: float) -> bool:
    say_counts(f"at {LOAD:g}x capacity for {seconds:g} s, open loop", answers)
    took = accepted_s(answers)
    p50_s, p99_s = np.quantile(took, [0.5, 0.99])
    say("  accepted a second", f"{len(took) / seconds:.2f} ({len(took) / seconds / capacity:.0%})")
    say("  p50 of accepted", f"{p50_s:.3f} s, {p50_s / unloaded_s:.2f}x unloaded")
    say("  p99 of accepted", f"{p99_s:.3f} s, {p99_s / unloaded_s:.2f}x unloaded (goal 4x)")
    say("  slowest refusal", f"{max(a.seconds for a in answers if a.status != 200):.3f} s")
    say("  refusals without Retry-After", str(sum(not answer.says_when for answer in answers)))
    return {a.status for a in answers} <= ALLOWED and all(a.says_when for a in answers)


async def measure_drift(
    service: Service, ask_one: Ask, num_clients: int, answers: list[Answer], size: Size
) -> None:
    """Memory when so many requests were accepted, those of the other measurements with them."""

    def num_accepted() -> int:
        return sum(answer.status == 200 for answer in answers)

    found = []
    for num in (size.memory_from, size.memory_to):
        await closed_loop(ask_one, num_clients, lambda num=num: num_accepted() >= num)  # type: ignore[misc]
        await asyncio.sleep(2)
        found.append(service.memory_bytes())
        one, together = found[-1]
        say(
            f"memory after {num_accepted()} accepted, idle",
            f"{one / 2**20:.0f} MiB resident, {together / 2**20:.0f} MiB with decoders (Pss)",
        )
    drifts = [after / before - 1 for before, after in zip(*found, strict=True)]
    say("  drift (goal under 5 %)", f"{drifts[0]:+.1%} resident, {drifts[1]:+.1%} with decoders")


async def measure_end(service: Service, ask_one: Ask) -> bool:
    """SIGTERM while clients ask: each request that was sent must be answered."""
    is_refused = False

    async def ask_until_refused() -> Answer:
        nonlocal is_refused
        answer = await ask_one()
        is_refused |= answer.status == -1
        return answer

    clients = asyncio.ensure_future(
        closed_loop(ask_until_refused, NUM_CLIENTS_AT_END, lambda: is_refused)
    )
    await asyncio.sleep(2)
    service.process.send_signal(signal.SIGTERM)
    answers = await clients
    code = await asyncio.to_thread(service.process.wait, PATIENCE_S)
    say_counts(f"SIGTERM under {NUM_CLIENTS_AT_END} clients (-1: refused)", answers)
    num_lost = sum(answer.status == 0 for answer in answers)
    say("  lost", f"{num_lost}; exit code {code}")
    return num_lost == 0 and code == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a minute, instead of twenty")
    parser.add_argument("--limit", action="append", default=[], help="as of `vivant serve`")
    arguments = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load before "
        f"{os.getloadavg()[0]:.2f}, Python {platform.python_version()}"
    )
    is_good = asyncio.run(measure(QUICK if arguments.quick else Size(), arguments.limit))
    print(f"load after, this one with it: {os.getloadavg()[0]:.2f}")
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
