"""Attacks on a service that runs, while somebody who means well wants an answer.

All comes from one address, and the rate limit that would end most of it at once is lifted: what is
tested are the bounds behind it.
"""

import http.client
import resource
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

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

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/smaps_rollup").exists(), reason="the system does not tell memory"
    ),
]

MOST_BYTES = 1_500_000_000
ATTACK_S = 7.0
ANSWER_S = 10.0
BODY_S, HEADER_S = 4.0, 3.0
UPGRADE = request_head(
    "/v1/stream", "GET", Upgrade="websocket", Connection="Upgrade",
    Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==", Sec_WebSocket_Version=13,
)  # fmt: skip


@pytest.fixture(scope="module")
def attacked() -> Iterator[Served]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    try:
        with served(
            requests_per_minute=1e6,
            request_burst=1_000_000,
            body_timeout_s=BODY_S,
            header_timeout_s=HEADER_S,
            write_timeout_s=2,
            idle_timeout_s=2,
            hello_timeout_s=3,
        ) as service:
            yield service
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def well_behaved(service: Served) -> Iterator[None]:
    """Somebody who sends a clip every second, and tries again where the service is busy.

    Fails unless each was answered in time; the memory of all processes is bounded on the way.
    """
    stop, waits_s, said = threading.Event(), [], []

    def ask() -> None:
        while not stop.wait(1):
            began_s = time.monotonic()
            status = None
            while status != 200 and time.monotonic() - began_s < ANSWER_S:
                if status is not None:
                    time.sleep(0.3)
                status = try_once(service.port)
            waits_s.append(time.monotonic() - began_s)
            said.append(status)

    thread = threading.Thread(target=ask)
    with peak_memory(service.process.pid) as peak:
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
    assert said, "nobody asked"
    assert set(said) == {200}, said
    print(
        f"{peak.num_bytes / 1e6:.0f} MB, {len(said)} clips, at most {max(waits_s):.1f} s", end=" "
    )
    assert max(waits_s) < ANSWER_S
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


def pour(sockets: list[socket.socket], data: bytes, seconds: float, pause_s: float = 0.0) -> int:
    """Send the same bytes again and again, as fast as they are taken; gives how many were."""
    sent = dict.fromkeys(sockets, 0)
    for one in sockets:
        one.setblocking(False)
    ends_s = time.monotonic() + seconds
    while time.monotonic() < ends_s and sent:
        for one in list(sent):
            try:
                sent[one] += one.send(data[sent[one] % len(data) :])
            except BlockingIOError:
                pass
            except OSError:
                del sent[one]
        time.sleep(pause_s or 0.001)
    return sum(sent.values())


def flood_with(port: int, num: int, before: bytes, data: bytes) -> None:
    """So many connections that send without an end, and others as the service closes them."""
    ends_s = time.monotonic() + ATTACK_S
    while time.monotonic() < ends_s:
        with ExitStack() as stack:
            sockets = opened(stack, port, num, window=4096)
            send_all(sockets, before)
            pour(sockets, data, 1.5)


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


def test_nobody_attacks(attacked: Served) -> None:
    with well_behaved(attacked):
        time.sleep(3)


def test_200_bodies_of_a_byte_a_second(attacked: Served) -> None:
    with well_behaved(attacked), ExitStack() as stack:
        slow = opened(stack, attacked.port, 200)
        send_all(slow, request_head(Content_Type="video/mp4", Content_Length=300_000))
        for _ in range(round(ATTACK_S)):
            send_all(slow, b"x")
            time.sleep(1)
        assert {first_status(one) for one in slow} == {408}


def test_1000_bodies_of_a_byte_a_second(attacked: Served) -> None:
    """More than there are places: those that were slow for longest make way."""
    with well_behaved(attacked), ExitStack() as stack:
        slow = []
        for _ in range(10):
            more = opened(stack, attacked.port, 100)
            send_all(more, request_head(Content_Type="video/mp4", Content_Length=300_000))
            slow += more
            time.sleep(0.5)
            send_all(slow, b"x")
        assert {first_status(one) for one in slow} <= {408, 503, None}


@pytest.mark.parametrize("is_told", [True, False], ids=["declared", "chunked"])
def test_200_mb(attacked: Served, is_told: bool) -> None:
    size = {"Content_Length": 200_000_000} if is_told else {"Transfer_Encoding": "chunked"}
    block = bytes(1_000_000) if is_told else b"%x\r\n%s\r\n" % (1_000_000, bytes(1_000_000))
    with well_behaved(attacked), ExitStack() as stack:
        senders = opened(stack, attacked.port, 8)
        send_all(senders, request_head(Content_Type="video/mp4", **size))
        if not is_told:
            threads = [threading.Thread(target=send_200, args=(one, block)) for one in senders]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert [first_status(one) for one in senders] == [413] * 8
        time.sleep(2)


def send_200(one: socket.socket, block: bytes) -> None:
    try:
        for _ in range(200):
            one.sendall(block)
    except OSError:
        pass  # The service has heard enough.


def test_1000_idle_connections(attacked: Served) -> None:
    with well_behaved(attacked), ExitStack() as stack:
        for _ in range(2):
            opened(stack, attacked.port, 1000)
            time.sleep(ATTACK_S / 2)


def test_1000_headers_of_a_byte_a_second(attacked: Served) -> None:
    with well_behaved(attacked), ExitStack() as stack:
        slow = opened(stack, attacked.port, 1000)
        for byte in request_head()[: round(ATTACK_S)]:
            send_all(slow, bytes([byte]))
            time.sleep(1)
        assert {first_status(one) for one in slow} <= {408, None}


@pytest.mark.parametrize(
    ("before", "flood"),
    [
        (HELLO, frame(2, struct.pack("<d", 1.0) + bytes(100_000))),
        (HELLO, frame(2, bytes(8 * 2**20))),
        (b"", HELLO * 2000),
        (b"", frame(9, bytes(120)) * 500),
        (b"", frame(2, b"ab", is_last=False) + frame(0, b"", is_last=False) * 20_000),
    ],
    ids=["frames", "big_frames", "messages", "pings", "fragments"],
)
def test_flood_of_a_websocket(attacked: Served, before: bytes, flood: bytes) -> None:
    """None of them reads what it is sent."""
    with well_behaved(attacked):
        flood_with(attacked.port, 60, UPGRADE + before, flood)


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
        (b"", pipelined),
        (b"", garbage),
        (CHUNKED + b"0\r\n", trailers),
        (CHUNKED + b"0\r\na:", trailer),
        (CHUNKED + b"1;", trailer),
    ],
    ids=["pipelined", "garbage", "trailers", "one_trailer", "chunk_extension"],
)
def test_flood_of_http(attacked: Served, before: bytes, make: Callable[[], bytes]) -> None:
    with well_behaved(attacked):
        flood_with(attacked.port, 20, before, make())


def test_200_that_do_not_read(attacked: Served) -> None:
    with well_behaved(attacked), ExitStack() as stack:
        deaf = opened(stack, attacked.port, 200, window=4096)
        send_all(deaf, request_head("/page/models/lite.onnx", "GET") * 2)
        time.sleep(ATTACK_S)


def test_places_are_free_again(attacked: Served) -> None:
    """Whatever was held is given back once the deadlines have passed."""
    time.sleep(4)
    with connect(attacked.port) as one:
        one.sendall(request_head("/metrics", "GET", Connection="close"))
        data = b"".join(iter(lambda: one.recv(65536), b""))
    assert b"\nvivant_streams 0.0" in data
    assert b"\nvivant_pending 0.0" in data
    files = Path(f"/proc/{attacked.process.pid}/fd").iterdir()
    kinds = Counter(str(file.readlink()).partition(":")[0] for file in files)
    assert kinds.total() < 100, kinds
    noise = [line for line in attacked.lines if not line.startswith("{")]
    assert not noise, "".join(noise[:40])
