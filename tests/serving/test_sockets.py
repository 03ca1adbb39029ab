"""WebSockets that go too far, as raw bytes against a service that listens."""

import base64
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from services import listening

UPGRADE = (
    b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + base64.b64encode(bytes(16)) + b"\r\n\r\n"
)


def frame(code: int, data: bytes, *, is_last: bool = True) -> bytes:
    """Of less than 126 bytes, masked with zeros."""
    return bytes([code | (0x80 if is_last else 0), 0x80 | len(data)]) + bytes(4) + data


@pytest.fixture
def port() -> Iterator[int]:
    with listening(hello_timeout_s=20, max_connections=4) as (_, number):
        yield number


def upgraded(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
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
def test_flood_ends_with_1008_at_once(port: int, flood: bytes) -> None:
    with upgraded(port) as connection:
        began_s = time.monotonic()
        connection.sendall(flood)
        assert b"\x88" in heard(connection)
        assert time.monotonic() - began_s < 5


def test_close_says_why(port: int) -> None:
    with upgraded(port) as connection:
        connection.sendall(frame(2, b"x", is_last=False) + frame(0, b"", is_last=False) * 3000)
        assert heard(connection).endswith(
            struct.pack(">H", 1008) + b"more messages than are answered"
        )


def test_ping_is_answered(port: int) -> None:
    with upgraded(port) as connection:
        connection.sendall(frame(9, b"here"))
        assert connection.recv(6) == b"\x8a\x04here"


def test_socket_that_says_nothing_makes_way(port: int) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(upgraded(port)) for _ in range(4)]
        time.sleep(2.2)
        with upgraded(port) as connection:
            connection.sendall(frame(9, b"here"))
            assert connection.recv(6) == b"\x8a\x04here"
        assert heard(silent[0]) == b""
