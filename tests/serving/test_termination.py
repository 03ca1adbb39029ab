"""SIGTERM under load: what was sent is answered, and nothing is left behind."""

import http.client
import json
import socket
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field

import pytest

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

pytestmark = pytest.mark.slow

NUM_CLIENTS = 8
DRAIN_S = 1.0
PATIENCE_S = 60.0


@dataclass
class Told:
    """What clients saw."""

    statuses: list[tuple[float, int]] = field(default_factory=list)
    """When each request was sent, and its answer."""
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
            sent_s = time.monotonic()
            try:
                connection.sendall(request)
                status, body = read_answer(connection)
            except (OSError, http.client.HTTPException) as error:
                told.lost.append(f"{type(error).__name__}: {error}")
                continue
        answer = json.loads(body)
        assert status == 200 or answer["code"] == "BUSY", answer
        told.statuses.append((sent_s, status))
        if status != 200:
            time.sleep(0.05)


def read_answer(connection: socket.socket) -> tuple[int, bytes]:
    with closing(http.client.HTTPResponse(connection)) as answer:
        answer.begin()
        body = answer.read()  # IncompleteRead where it is cut short.
        return answer.status, body


def terminated(service: Served, told: Told) -> float:
    """Load it, and end it; gives when the signal was sent."""
    clients = [
        threading.Thread(target=ask_until_refused, args=(service.port, told))
        for _ in range(NUM_CLIENTS)
    ]
    for client in clients:
        client.start()
    time.sleep(1.5)
    service.terminate()
    ended_s = time.monotonic()
    while status_of(service.port, "/readyz") == 200:
        assert time.monotonic() - ended_s < 0.5, "not ready at once"
    assert status_of(service.port, "/readyz") == 503
    assert status_of(service.port, "/livez") == 200
    for client in clients:
        client.join(PATIENCE_S)
        assert not client.is_alive()
    return ended_s


@pytest.mark.parametrize("attempt", range(3))
def test_no_request_that_was_sent_is_lost(attempt: int) -> None:
    told = Told()
    with served(
        "--drain", f"{DRAIN_S:g}", requests_per_minute=1e6, request_burst=1_000_000
    ) as service:
        ended_s = terminated(service, told)
        # Those that still end have their decoders, and one waits.
        decoders = tree(service.process.pid)[1:]
        assert service.process.wait(PATIENCE_S) == 0
    assert told.lost == []
    assert told.num_refused == NUM_CLIENTS
    late = [status for sent_s, status in told.statuses if sent_s > ended_s]
    assert late, "requests are taken while others notice"
    assert 200 in [status for _, status in told.statuses]
    assert not [pid for pid in decoders if is_running(pid)]
    assert not [line for line in service.log() if line.get("level") in ("warning", "error")]


def test_connection_that_was_kept_is_told_to_close() -> None:
    with served("--drain", "2") as service:
        connection = http.client.HTTPConnection(HOST, service.port, timeout=PATIENCE_S)
        connection.request("GET", "/livez")
        answer = connection.getresponse()
        answer.read()
        assert answer.headers["Connection"] is None
        service.terminate()
        time.sleep(0.3)
        connection.request("GET", "/livez")
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.headers["Connection"] == "close"
        connection.close()
        assert service.process.wait(PATIENCE_S) == 0


def wait_for_the_door(port: int) -> None:
    """Until it is closed."""
    while True:
        try:
            socket.create_connection((HOST, port), 0.05).close()
        except TimeoutError:  # Others are turned away.
            continue
        except ConnectionRefusedError:
            return
        time.sleep(0.005)


def test_request_that_comes_as_the_door_closes_is_answered() -> None:
    """Connections that were made before, and speak only when no others are taken."""
    with served("--drain", "0.5") as service:
        early = [socket.create_connection((HOST, service.port), PATIENCE_S) for _ in range(20)]
        service.terminate()
        wait_for_the_door(service.port)
        for connection in early:
            connection.sendall(request_head("/livez", "GET"))
        assert [read_answer(connection)[0] for connection in early] == [200] * 20
        for connection in early:
            connection.close()
        assert service.process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("is_kept", [False, True])
@pytest.mark.parametrize("num_sent", [20, -5])
def test_request_that_has_begun_as_the_door_closes_is_answered(
    is_kept: bool, num_sent: int
) -> None:
    """Half its headers, or all but the end of its body; on a new connection and on an old one."""
    request = request_head(Content_Type="application/octet-stream", Content_Length=9) + b"no media!"
    with served("--drain", "0.5") as service:
        connection = socket.create_connection((HOST, service.port), PATIENCE_S)
        if is_kept:
            connection.sendall(request_head("/livez", "GET", Connection="keep-alive"))
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200")
        service.terminate()
        wait_for_the_door(service.port)
        connection.sendall(request[:num_sent])
        time.sleep(1)
        connection.sendall(request[num_sent:])
        assert read_answer(connection)[0] == 415
        connection.close()
        assert service.process.wait(PATIENCE_S) == 0
