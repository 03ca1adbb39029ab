"""Connections with deadlines and bounds: raw bytes against a service that listens.

The service's clock stands still unless a test moves it on.
"""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from clocks import SkipClock, wait_until
from services import Listening, has_something_to_read, listening
from vivant.serving.static_page import page_files

GET = b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HEAD = b"POST /v1/check HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50000\r\n\r\n"


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=120)


def answer_of(connection: socket.socket) -> tuple[int, bytes]:
    """Status and the rest, up to the end of the connection or of a body with its length."""
    data = b""
    while True:
        head, found, body = data.partition(b"\r\n\r\n")
        if found:
            lengths = [
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            ]
            if lengths and len(body) >= lengths[0]:
                break
        chunk = connection.recv(65536)
        if not chunk:
            break
        data += chunk
    return int(data.split(b" ", 2)[1]) if data else 0, data


def problem_of(data: bytes) -> dict[str, object]:
    return dict(json.loads(data.partition(b"\r\n\r\n")[2]))


@pytest.fixture
def site() -> Iterator[Listening]:
    with listening(
        clock=SkipClock(runs=False),
        max_connections=8,
        header_timeout_s=60,
        idle_timeout_s=200,
        max_header_bytes=4096,
        body_timeout_s=60,
        max_body_bytes=100_000,
    ) as opened:
        yield opened


def test_requests_follow_one_another_on_a_connection(site: Listening) -> None:
    with site.connect() as connection:
        for _ in range(3):
            connection.sendall(GET)
            assert answer_of(connection)[0] == 200
        # Longer than headers may take: nothing was begun, so nothing is late.
        site.clock.skip(61)
        connection.sendall(GET)
        assert answer_of(connection)[0] == 200
        site.clock.skip(199)
        assert not has_something_to_read(connection)
        site.clock.skip(2)
        assert connection.recv(1) == b"", "it was idle for too long"


@pytest.mark.parametrize("begun", [b"", b"GET /readyz HT", GET[:-2]])
def test_headers_that_do_not_end_are_408(site: Listening, begun: bytes) -> None:
    with site.connect() as connection:
        site.deliver(connection, begun)
        site.clock.skip(59)
        assert not has_something_to_read(connection)
        site.clock.skip(2)
        status, data = answer_of(connection)
        assert (status, problem_of(data)["code"]) == (408, "HEADER_TIMEOUT")
        assert "header_timeout_s" in str(problem_of(data)["detail"])
        assert connection.recv(1) == b"", "and the connection is closed"


def test_headers_that_trickle_on_an_old_connection_are_408(site: Listening) -> None:
    with site.connect() as connection:
        connection.sendall(GET)
        assert answer_of(connection)[0] == 200
        site.clock.skip(61)
        for at in range(6):
            site.deliver(connection, GET[at : at + 1])
            site.clock.skip(9)
        assert not has_something_to_read(connection)
        site.clock.skip(7)
        assert answer_of(connection)[0] == 408


def test_headers_of_too_many_bytes_are_431(site: Listening) -> None:
    with site.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + 5000 * b"x")
        status, data = answer_of(connection)
    assert (status, problem_of(data)["code"]) == (431, "HEADERS_TOO_LARGE")


def test_body_that_does_not_come_is_408(site: Listening) -> None:
    with site.connect() as connection:
        site.deliver(connection, HEAD)
        for _ in range(6):
            site.clock.skip(9)
            site.deliver(connection, b"x")
        assert not has_something_to_read(connection)
        site.clock.skip(7)
        status, data = answer_of(connection)
    assert (status, problem_of(data)["code"]) == (408, "BODY_TIMEOUT")
    assert "body_timeout_s" in str(problem_of(data)["detail"])


@pytest.mark.parametrize(
    "head", [b"Content-Length: 200000000", b"Transfer-Encoding: chunked"], ids=["told", "chunked"]
)
def test_body_of_too_many_bytes_is_413_and_its_sender_reads_it(
    site: Listening, head: bytes
) -> None:
    """The sender goes on sending for a while: it must get an answer and not a reset."""
    with site.connect() as connection:
        connection.sendall(b"POST /v1/check HTTP/1.1\r\nHost: 127.0.0.1\r\n" + head + b"\r\n\r\n")
        block = bytes(20_000)
        for _ in range(20):
            connection.sendall(b"%x\r\n%s\r\n" % (len(block), block))
        status, data = answer_of(connection)
        assert (status, problem_of(data)["code"]) == (413, "TOO_LARGE")
        site.clock.skip(1)
        assert not has_something_to_read(connection), "it is not cut off at once"
        site.clock.skip(2)
        assert connection.recv(1) == b"", "what still comes is not read for ever"


def test_connection_without_a_request_makes_way_for_another() -> None:
    with (
        listening(clock=SkipClock(runs=False), max_connections=4, header_timeout_s=30) as site,
        ExitStack() as stack,
    ):
        idle = []
        for _ in range(4):
            idle.append(stack.enter_context(site.connect()))
            site.clock.skip(1)
        with connect(site.port) as connection:
            connection.sendall(GET)
            assert answer_of(connection)[0] == 200
        assert idle[0].recv(1) == b"", "the one that had waited longest was closed"
        idle[3].sendall(GET)
        assert answer_of(idle[3])[0] == 200


def test_too_many_connections_at_work_are_503() -> None:
    with (
        listening(clock=SkipClock(runs=False), max_connections=2) as site,
        site.connect() as one,
        site.connect() as two,
    ):
        for busy in (one, two):
            site.deliver(busy, HEAD)
        with connect(site.port) as connection:
            status, data = answer_of(connection)
        assert (status, problem_of(data)["code"]) == (503, "BUSY")
        assert "max_connections" in str(problem_of(data)["detail"])
        assert b"retry-after: 2" in data.lower()


def test_bytes_that_are_no_request_are_400(site: Listening) -> None:
    with site.connect() as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert answer_of(connection)[0] == 400


def test_body_that_was_slow_for_long_makes_way_with_503() -> None:
    with (
        listening(clock=SkipClock(runs=False), max_connections=2) as site,
        site.connect() as one,
        site.connect() as two,
    ):
        site.deliver(one, HEAD)
        site.clock.skip(0.2)
        site.deliver(two, HEAD)
        site.clock.skip(2.2)
        with connect(site.port) as connection:
            connection.sendall(GET)
            assert answer_of(connection)[0] == 200
        status, data = answer_of(one)
        assert (status, problem_of(data)["code"]) == (503, "BUSY")


def test_few_requests_may_be_sent_ahead_of_their_answers(site: Listening) -> None:
    with site.connect() as connection:
        connection.sendall(GET * 8)
        for _ in range(8):
            data = b""
            while not data.endswith(b"}"):
                data += connection.recv(1)
            assert data.startswith(b"HTTP/1.1 200")
    with site.connect() as connection:
        connection.sendall(GET * 3000)
        data = b""
        try:
            while chunk := connection.recv(65536):
                data += chunk
        except ConnectionError:
            pass
    assert b"HTTP/1.1 400" in data
    assert data.count(b"HTTP/1.1 200") < 20


@pytest.mark.parametrize("sent", [b"a: b\r\n", b"x"], ids=["many", "long"])
def test_headers_behind_a_body_are_bounded_too(site: Listening, sent: bytes) -> None:
    with site.connect() as connection:
        site.deliver(
            connection,
            b"POST /v1/check HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"0\r\na:",
        )
        for _ in range(5):
            if not has_something_to_read(connection):
                site.deliver(connection, sent * 2000)
        status, data = answer_of(connection)
    assert (status, problem_of(data)["code"]) == (431, "HEADERS_TOO_LARGE")


def test_answer_that_is_not_read_ends_its_connection() -> None:
    with (
        listening(clock=SkipClock(runs=False), write_timeout_s=60) as site,
        socket.socket() as deaf,
    ):
        deaf.settimeout(120)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", site.port))
        site.deliver(deaf, b"GET /page/models/lite.onnx HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 4)
        (connection,) = site.connections
        wait_until(lambda: connection.flow.write_paused, "the service waits for its reader")
        site.clock.skip(59)
        assert len(site.connections) == 1
        # More than once: what the kernel has still taken begins the time anew.
        wait_until(lambda: site.clock.skip(61) or not site.connections, "it is ended")
        num_bytes = 0
        try:
            while chunk := deaf.recv(65536):
                num_bytes += len(chunk)
        except ConnectionError:
            pass
    assert num_bytes < 4 * page_files()["models/lite.onnx"].stat().st_size
