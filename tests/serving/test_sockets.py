"""WebSockets that go too far, as raw bytes against a service that listens.

The service's clock stands still unless a test moves it on.
"""

import base64
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from clocks import SkipClock, wait_until
from services import Listening, listening

UPGRADE = (
    b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + base64.b64encode(bytes(16)) + b"\r\n\r\n"
)


def frame(code: int, data: bytes, *, is_last: bool = True) -> bytes:
    """Of less than 126 bytes, masked with zeros."""
    return bytes([code | (0x80 if is_last else 0), 0x80 | len(data)]) + bytes(4) + data


@pytest.fixture
def site() -> Iterator[Listening]:
    with listening(clock=SkipClock(runs=False), hello_timeout_s=20, max_connections=4) as opened:
        yield opened


def upgraded(site: Listening, window: int | None = None) -> socket.socket:
    """A conversation; `window` bytes of what the service says fit in before it is read."""
    connection = socket.socket()
    connection.settimeout(120)
    if window is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    connection.connect(("127.0.0.1", site.port))
    connection.sendall(UPGRADE)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(1)
    assert answer.startswith(b"HTTP/1.1 101 ")
    return connection


def heard(connection: socket.socket) -> bytes:
    """All that comes until the service closes."""
    data = b""
    try:
        while chunk := connection.recv(65536):
            data += chunk
    except ConnectionError:
        pass
    return data


@pytest.mark.parametrize(
    "flood",
    [frame(1, b"x") * 3000, frame(2, b"x", is_last=False) + frame(0, b"", is_last=False) * 3000],
    ids=["messages", "fragments"],
)
def test_flood_ends_with_1008_at_once(site: Listening, flood: bytes) -> None:
    """No deadline ends it: the clock stands still."""
    with upgraded(site) as connection:
        connection.sendall(flood)
        assert b"\x88" in heard(connection)


def test_close_says_why(site: Listening) -> None:
    with upgraded(site) as connection:
        connection.sendall(frame(2, b"x", is_last=False) + frame(0, b"", is_last=False) * 3000)
        assert heard(connection).endswith(
            struct.pack(">H", 1008) + b"more messages than are answered"
        )


def test_ping_is_answered(site: Listening) -> None:
    with upgraded(site) as connection:
        connection.sendall(frame(9, b"here"))
        assert connection.recv(6) == b"\x8a\x04here"


def test_pings_of_a_peer_that_does_not_read_end_the_conversation(site: Listening) -> None:
    with upgraded(site, window=4096) as deaf:
        deaf.setblocking(False)
        (conversation,) = site.connections
        pings, num_sent = frame(9, bytes(120)) * 500, 0

        def ping() -> None:
            nonlocal num_sent
            with suppress(BlockingIOError):
                num_sent += deaf.send(pings[num_sent % len(frame(9, bytes(120))) :])

        wait_until(lambda: ping() or conversation.close_sent, "it is told to end")
        assert site.connections == [conversation], "there is time to read that"
        site.clock.skip(site.parts.limits.write_timeout_s)
        wait_until(lambda: not site.connections, "it is ended")


def test_socket_that_says_nothing_makes_way(site: Listening) -> None:
    with ExitStack() as stack:
        silent = []
        for _ in range(4):
            silent.append(stack.enter_context(upgraded(site)))
            site.clock.skip(1)
        site.clock.skip(1.2)
        with upgraded(site) as connection:
            connection.sendall(frame(9, b"here"))
            assert connection.recv(6) == b"\x8a\x04here"
        assert heard(silent[0]) == b""
