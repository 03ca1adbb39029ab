"""Attacks on a service that runs, while somebody who means well wants an answer.

All comes from one address, and the rate limit that would end most of it at once is lifted: what is
tested are the bounds behind it. An attack goes on until somebody who means well has been answered
several times. How long each answer took is printed and not judged: that depends on the machine.
"""

import http.client
import resource
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from clocks import wait_until
from served_process import (
    HOST,
    Served,
    connect,
    peak_memory,
    post_clip,
    request_head,
    served,
    status_of,
)

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="the system does not tell memory"
)
slow, only_nightly = pytest.mark.slow, pytest.mark.nightly

MOST_BYTES = 1_500_000_000
NUM_ANSWERS = 4  # That somebody who means well gets while an attack goes on.
ANSWER_S = 120.0  # A bound that only a service that does not answer reaches.
PAUSE_S = 0.5
NO_RATE = {"requests_per_minute": 1e6, "request_burst": 1_000_000}
UPGRADE = request_head(
    "/v1/stream", "GET", Upgrade="websocket", Connection="Upgrade",
    Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==", Sec_WebSocket_Version=13,
)  # fmt: skip


@pytest.fixture(scope="module")
def attacked() -> Iterator[Served]:
    """A service with short deadlines."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    try:
        with served(
            **NO_RATE,
            body_timeout_s=4,
            header_timeout_s=3,
            write_timeout_s=2,
            idle_timeout_s=2,
            hello_timeout_s=3,
        ) as service:
            yield service
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def patient() -> Iterator[Served]:
    """A service whose deadlines nobody reaches who sends as fast as a busy machine can."""
    with served(**NO_RATE, body_timeout_s=ANSWER_S) as service:
        yield service


class Honest:
    """Somebody who sends a clip twice a second, and tries again where the service is busy."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stop = threading.Event()
        self.statuses: list[int] = []
        """Of each clip, the last try's."""
        self.waits_s: list[float] = []

    @property
    def is_answered(self) -> bool:
        """Whether this attack has gone on for long enough."""
        return len(self.statuses) >= NUM_ANSWERS

    def ask(self) -> None:
        """Go on until `stop`."""
        while not self._stop.wait(PAUSE_S):
            began_s = time.monotonic()
            status = self._ask_once()
            self.waits_s.append(time.monotonic() - began_s)
            self.statuses.append(status)

    def _ask_once(self) -> int:
        ends_s = time.monotonic() + ANSWER_S
        while (status := try_once(self._port)) != 200 and time.monotonic() < ends_s:
            self._stop.wait(0.3)
        return status

    def stop(self) -> None:
        """End, once the clip that was sent is answered."""
        self._stop.set()


@contextmanager
def well_behaved(service: Served) -> Iterator[Honest]:
    """Somebody who means well.

    Fails unless each of their clips was judged, several of them while the attack went on; the memory
    of all processes is bounded on the way.
    """
    honest = Honest(service.port)
    thread = threading.Thread(target=honest.ask)
    with peak_memory(service.process.pid) as peak:
        thread.start()
        try:
            yield honest
            num_answers = len(honest.statuses)
        finally:
            honest.stop()
            thread.join()
    assert num_answers >= NUM_ANSWERS, "the attack ended too early to tell"
    assert set(honest.statuses) == {200}, honest.statuses
    waited = f"{len(honest.statuses)} clips, at most {max(honest.waits_s):.1f} s"
    print(f"{peak.num_bytes / 1e6:.0f} MB, {waited}", end=" ")
    assert 0 < peak.num_bytes < MOST_BYTES
    assert status_of(service.port, "/readyz") == 200
    assert service.process.poll() is None


def try_once(port: int) -> int:
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_S)
    try:
        return post_clip(connection)[0]
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def opened(
    stack: ExitStack, port: int, num: int, *, window: int | None = None
) -> list[socket.socket]:
    """So many connections; `window` bytes of what they are sent fit in before they read."""
    sockets = []
    for _ in range(num):
        one = stack.enter_context(socket.socket())
        one.settimeout(ANSWER_S)
        if window is not None:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        one.connect((HOST, port))
        sockets.append(one)
    return sockets


def send_all(sockets: list[socket.socket], data: bytes) -> None:
    for one in sockets:
        with suppress(OSError):  # The service has closed it.
            one.sendall(data)


def pour(sockets: list[socket.socket], data: bytes, honest: Honest) -> None:
    """Send the same bytes again and again, as fast as they are taken.

    Ends where the service has closed all of them, or reads no more, so that others can be opened.
    """
    sent = dict.fromkeys(sockets, 0)
    for one in sockets:
        one.setblocking(False)
    num_idle = 0
    while sent and num_idle < 500 and not honest.is_answered:
        num_idle += 1
        for one in list(sent):
            try:
                sent[one] += one.send(data[sent[one] % len(data) :])
                num_idle = 0
            except BlockingIOError:
                pass
            except OSError:
                del sent[one]
        time.sleep(0.001)


def flood_with(service: Served, num: int, before: bytes, data: bytes) -> None:
    """So many connections that send without an end, and others as the service closes them."""
    with well_behaved(service) as honest:
        while not honest.is_answered:
            with ExitStack() as stack:
                sockets = opened(stack, service.port, num, window=4096)
                send_all(sockets, before)
                pour(sockets, data, honest)


def trickle(honest: Honest, sockets: list[socket.socket], data: bytes) -> None:
    """Send a byte a second to each, until the service has said something to all of them."""
    for at in range(round(ANSWER_S)):
        if honest.is_answered and num_silent(sockets) == 0:
            return
        send_all(sockets, data[at : at + 1] or data[-1:])
        time.sleep(1)
    raise AssertionError(f"{num_silent(sockets)} of {len(sockets)} still go on")


def num_silent(sockets: list[socket.socket]) -> int:
    """How many have heard nothing yet: neither bytes nor the end."""
    poll = select.poll()  # `select.select` knows no more than 1024 files.
    for one in sockets:
        poll.register(one, select.POLLIN)
    return len(sockets) - len(poll.poll(0))


def first_status(one: socket.socket) -> int | None:
    """Of the answer that came; None: closed without one."""
    one.settimeout(ANSWER_S)
    try:
        data = one.recv(4096)
    except OSError:
        return None
    return int(data.split(b" ", 2)[1]) if data.startswith(b"HTTP/1.1 ") else None


def frame(code: int, data: bytes, *, is_last: bool = True) -> bytes:
    """A WebSocket frame of a client, masked with zeros."""
    head = bytes([code | (0x80 if is_last else 0)])
    if len(data) < 126:
        head += bytes([0x80 | len(data)])
    elif len(data) < 2**16:
        head += b"\xfe" + struct.pack(">H", len(data))
    else:
        head += b"\xff" + struct.pack(">Q", len(data))
    return head + bytes(4) + data


HELLO = frame(1, b'{"type":"hello"}')


def wait_for_answers(honest: Honest) -> None:
    wait_until(lambda: honest.is_answered, "somebody who means well is answered", ANSWER_S * 4)


@slow
def test_nobody_attacks(attacked: Served) -> None:
    with well_behaved(attacked) as honest:
        wait_for_answers(honest)


@slow
def test_200_bodies_of_a_byte_a_second(attacked: Served) -> None:
    with well_behaved(attacked) as honest, ExitStack() as stack:
        slow = opened(stack, attacked.port, 200)
        send_all(slow, request_head(Content_Type="video/mp4", Content_Length=300_000))
        trickle(honest, slow, b"x")
        assert {first_status(one) for one in slow} == {408}


@slow
def test_1000_bodies_of_a_byte_a_second(attacked: Served) -> None:
    """More than there are places: those that were slow for longest make way."""
    with well_behaved(attacked) as honest, ExitStack() as stack:
        slow = []
        for _ in range(10):
            more = opened(stack, attacked.port, 100)
            send_all(more, request_head(Content_Type="video/mp4", Content_Length=300_000))
            slow += more
            send_all(slow, b"x")
        trickle(honest, slow, b"x")
        assert {first_status(one) for one in slow} <= {408, 503, None}


@slow
@pytest.mark.parametrize("is_told", [True, False], ids=["declared", "chunked"])
def test_200_mb(patient: Served, is_told: bool) -> None:
    size = {"Content_Length": 200_000_000} if is_told else {"Transfer_Encoding": "chunked"}
    block = bytes(1_000_000) if is_told else b"%x\r\n%s\r\n" % (1_000_000, bytes(1_000_000))
    with well_behaved(patient) as honest, ExitStack() as stack:
        senders = opened(stack, patient.port, 8)
        send_all(senders, request_head(Content_Type="video/mp4", **size))
        if not is_told:
            threads = [threading.Thread(target=send_200, args=(one, block)) for one in senders]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert [first_status(one) for one in senders] == [413] * 8
        wait_for_answers(honest)


def send_200(one: socket.socket, block: bytes) -> None:
    try:
        for _ in range(200):
            one.sendall(block)
    except OSError:
        pass  # The service has heard enough.


@slow
def test_1000_idle_connections(attacked: Served) -> None:
    with well_behaved(attacked) as honest, ExitStack() as stack:
        opened(stack, attacked.port, 1000)
        wait_until(lambda: len(honest.statuses) >= NUM_ANSWERS // 2, "some are answered", ANSWER_S)
        opened(stack, attacked.port, 1000)
        wait_for_answers(honest)


@slow
def test_1000_headers_of_a_byte_a_second(attacked: Served) -> None:
    with well_behaved(attacked) as honest, ExitStack() as stack:
        slow = opened(stack, attacked.port, 1000)
        trickle(honest, slow, request_head()[:-4])
        assert {first_status(one) for one in slow} <= {408, None}


@pytest.mark.parametrize(
    ("before", "flood"),
    [
        pytest.param(
            HELLO, frame(2, struct.pack("<d", 1.0) + bytes(100_000)), id="frames", marks=slow
        ),
        pytest.param(HELLO, frame(2, bytes(8 * 2**20)), id="big_frames", marks=slow),
        pytest.param(b"", HELLO * 2000, id="messages", marks=slow),
        pytest.param(b"", frame(9, bytes(120)) * 500, id="pings", marks=only_nightly),
        pytest.param(
            b"",
            frame(2, b"ab", is_last=False) + frame(0, b"", is_last=False) * 20_000,
            id="fragments",
            marks=only_nightly,
        ),
    ],
)
def test_flood_of_a_websocket(attacked: Served, before: bytes, flood: bytes) -> None:
    """None of them reads what it is sent."""
    flood_with(attacked, 60, UPGRADE + before, flood)


def pipelined() -> bytes:
    return request_head("/livez", "GET") * 3000


def garbage() -> bytes:
    return request_head("/livez", "GET") + bytes(range(256)) * 40


def trailers() -> bytes:
    return b"a:b\r\n" * 20_000


def trailer() -> bytes:
    return b"x" * 100_000


CHUNKED = request_head(Content_Type="video/mp4", Transfer_Encoding="chunked")


@pytest.mark.parametrize(
    ("before", "make"),
    [
        pytest.param(b"", pipelined, id="pipelined", marks=slow),
        pytest.param(b"", garbage, id="garbage", marks=slow),
        pytest.param(CHUNKED + b"0\r\n", trailers, id="trailers", marks=slow),
        pytest.param(CHUNKED + b"0\r\na:", trailer, id="one_trailer", marks=slow),
        pytest.param(CHUNKED + b"1;", trailer, id="chunk_extension", marks=slow),
    ],
)
def test_flood_of_http(attacked: Served, before: bytes, make: Callable[[], bytes]) -> None:
    flood_with(attacked, 20, before, make())


@slow
def test_200_that_do_not_read(attacked: Served) -> None:
    with well_behaved(attacked) as honest, ExitStack() as stack:
        deaf = opened(stack, attacked.port, 200, window=4096)
        send_all(deaf, request_head("/page/models/lite.onnx", "GET") * 2)
        wait_for_answers(honest)


@pytest.mark.parametrize(
    "after", [pytest.param("some", marks=slow), pytest.param("all", marks=only_nightly)]
)
def test_places_are_free_again(after: str, attacked: Served) -> None:
    """Whatever was held is given back once the deadlines have passed."""
    wait_until(lambda: has_nothing_in_work(attacked), "nothing is in work")
    wait_until(lambda: kinds_of_files(attacked).total() < 100, "the connections are closed")
    noise = [line for line in attacked.lines if not line.startswith("{")]
    assert not noise, "".join(noise[:40])


def has_nothing_in_work(service: Served) -> bool:
    with connect(service.port) as one:
        one.sendall(request_head("/metrics", "GET", Connection="close"))
        data = b"".join(iter(lambda: one.recv(65536), b""))
    return b"\nvivant_streams 0.0" in data and b"\nvivant_pending 0.0" in data


def kinds_of_files(service: Served) -> Counter[str]:
    """What the service's process has open: so many sockets, pipes and so on."""
    files = list(Path(f"/proc/{service.process.pid}/fd").iterdir())
    kinds: Counter[str] = Counter()
    for file in files:
        with suppress(FileNotFoundError):  # Closed on the way.
            kinds[str(file.readlink()).partition(":")[0]] += 1
    return kinds
