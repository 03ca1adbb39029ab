"""SIGTERM: what was sent is answered, and nothing is left behind.

One test ends a real process under load. The others end the same server in a thread of this process,
whose clock stands still unless they move it on.
"""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import pytest

from clocks import SkipClock, wait_until
from served_process import (
    FORM_TYPE,
    HOST,
    Served,
    clip_form,
    is_running,
    request_head,
    served,
    status_of,
    tree,
)
from services import Listening, listening

NUM_CLIENTS = 8
DRAIN_S = 6.0  # By the wall: time for a busy machine to ask twice.
PATIENCE_S = 300.0


@dataclass
class Told:
    """What clients saw."""

    is_ending: threading.Event = field(default_factory=threading.Event)
    """Set once the signal was sent."""
    early: list[int] = field(default_factory=list)
    """The answers to requests that were sent before the signal."""
    late: list[int] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    num_refused: int = 0


def ask_until_refused(port: int, told: Told) -> None:
    request = request_head(Content_Type=FORM_TYPE, Content_Length=len(clip_form())) + clip_form()
    while True:
        try:
            connection = socket.create_connection((HOST, port), PATIENCE_S)
        except ConnectionRefusedError:
            told.num_refused += 1
            return
        with connection:
            statuses = told.late if told.is_ending.is_set() else told.early
            try:
                connection.sendall(request)
                status, body = read_answer(connection)
            except (OSError, http.client.HTTPException) as error:
                told.lost.append(f"{type(error).__name__}: {error}")
                continue
        answer = json.loads(body)
        assert status == 200 or answer["code"] == "BUSY", answer
        statuses.append(status)
        if status != 200:
            threading.Event().wait(0.05)  # As a client does that was told to come back.


def read_answer(connection: socket.socket) -> tuple[int, bytes]:
    with closing(http.client.HTTPResponse(connection)) as answer:
        answer.begin()
        body = answer.read()  # IncompleteRead where it is cut short.
        return answer.status, body


def load_and_terminate(service: Served, told: Told) -> None:
    clients = [
        threading.Thread(target=ask_until_refused, args=(service.port, told))
        for _ in range(NUM_CLIENTS)
    ]
    for client in clients:
        client.start()
    wait_until(lambda: 200 in told.early, "the service is under load")
    service.terminate()
    told.is_ending.set()
    wait_until(lambda: status_of(service.port, "/readyz") != 200, "it is not ready any more")
    assert status_of(service.port, "/readyz") == 503
    assert status_of(service.port, "/livez") == 200
    for client in clients:
        client.join(PATIENCE_S)
        assert not client.is_alive()


@pytest.mark.parametrize(
    "attempt",
    [
        pytest.param(0, marks=pytest.mark.slow),
        pytest.param(1, marks=pytest.mark.nightly),
        pytest.param(2, marks=pytest.mark.nightly),
    ],
)
def test_no_request_that_was_sent_is_lost(attempt: int) -> None:
    told = Told()
    with served(
        "--drain", f"{DRAIN_S:g}", requests_per_minute=1e6, request_burst=1_000_000
    ) as service:
        load_and_terminate(service, told)
        # Those that still end have their decoders, and one waits.
        decoders = tree(service.process.pid)[1:]
        assert service.process.wait(PATIENCE_S) == 0
    assert told.lost == []
    assert told.num_refused == NUM_CLIENTS
    assert told.late, "requests are taken while others notice"
    assert not [pid for pid in decoders if is_running(pid)]
    assert not [line for line in service.log() if line.get("level") in ("warning", "error")]


@pytest.fixture
def site() -> Iterator[Listening]:
    with listening(clock=SkipClock(runs=False), drain_s=2.0) as opened:
        yield opened


def close_the_door(site: Listening) -> None:
    """End the service, up to the moment when it takes no more connections."""
    site.terminate()
    wait_until(lambda: site.clock.skip(0.05) or site.is_ending, "the door is closed")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, site.port), PATIENCE_S)


def test_requests_are_taken_until_the_time_to_notice_is_over(site: Listening) -> None:
    site.terminate()
    assert status_of(site.port, "/readyz") == 503, "not ready at once"
    site.clock.skip(1.9)
    assert status_of(site.port, "/livez") == 200
    assert not site.is_ending
    wait_until(lambda: site.clock.skip(0.05) or site.is_ending, "the door is closed")
    assert status_of(site.port, "/livez") is None


def test_connection_that_was_kept_is_told_to_close(site: Listening) -> None:
    connection = http.client.HTTPConnection(HOST, site.port, timeout=PATIENCE_S)
    connection.request("GET", "/livez")
    answer = connection.getresponse()
    answer.read()
    assert answer.headers["Connection"] is None
    site.terminate()
    connection.request("GET", "/livez")
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.headers["Connection"] == "close"
    connection.close()


def test_request_that_comes_as_the_door_closes_is_answered(site: Listening) -> None:
    """Connections that were made before, and speak only when no others are taken."""
    early = [site.connect() for _ in range(20)]
    silent = site.connect()
    close_the_door(site)
    for connection in early:
        connection.sendall(request_head("/livez", "GET"))
    assert [read_answer(connection)[0] for connection in early] == [200] * 20
    site.clock.skip(0.3)
    assert silent.recv(1) == b"", "who says nothing is not waited for"
    for connection in (*early, silent):
        connection.close()


@pytest.mark.parametrize("is_kept", [False, True])
@pytest.mark.parametrize("num_sent", [20, -5])
def test_request_that_has_begun_as_the_door_closes_is_answered(
    is_kept: bool, num_sent: int, site: Listening
) -> None:
    """Half its headers, or all but the end of its body; on a new connection and on an old one."""
    request = request_head(Content_Type="application/octet-stream", Content_Length=9) + b"no media!"
    with site.connect() as connection:
        if is_kept:
            connection.sendall(request_head("/livez", "GET", Connection="keep-alive"))
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200")
        close_the_door(site)
        site.deliver(connection, request[:num_sent])
        site.clock.skip(1)
        connection.sendall(request[num_sent:])
        assert read_answer(connection)[0] == 415
