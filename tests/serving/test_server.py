"""Where the service listens, for whom; how it ends is in test_termination."""

import socket
import sys

import pytest
from starlette.testclient import TestClient

from services import service
from vivant.errors import InputError
from vivant.serving.app import create_app
from vivant.serving.server import (
    believe,
    is_loopback,
    require_free,
    require_keys,
    serve,
    turn_away,
)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.5.0.1", True), ("::1", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("192.0.2.1", False), ("example.org", False), ("", False)],
)  # fmt: skip
def test_loopback_is_this_machine_alone(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_world_is_not_served_without_keys_unless_said_so() -> None:
    for host, is_proxied in (("0.0.0.0", False), ("127.0.0.1", True)):
        with pytest.raises(InputError, match="--anyone-may-call"):
            require_keys(host, is_proxied=is_proxied, has_keys=False, anyone=False)
        require_keys(host, is_proxied=is_proxied, has_keys=True, anyone=False)
        require_keys(host, is_proxied=is_proxied, has_keys=False, anyone=True)
    require_keys("127.0.0.1", is_proxied=False, has_keys=False, anyone=False)


def test_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, service() as parts:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen at 127.0.0.1, port {port}"):
            serve(parts, "127.0.0.1", port)
        with pytest.raises(InputError, match=f"cannot listen at 127.0.0.1, port {port}"):
            require_free("127.0.0.1", port)
    require_free("127.0.0.1", port)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel does it")
def test_who_has_connected_gets_in_when_others_are_turned_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        with socket.create_connection(address, 5) as early:
            early.sendall(b"before")
            turn_away(listener)
            with pytest.raises(TimeoutError):
                socket.create_connection(address, 0.3)
            early.sendall(b" and after")
            taken, _ = listener.accept()
            with taken:
                early.shutdown(socket.SHUT_WR)
                with taken.makefile("rb") as heard:
                    assert heard.read() == b"before and after"
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.accept()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, 5)


def test_address_that_is_not_this_machines_is_refused() -> None:
    with service() as parts, pytest.raises(InputError, match="cannot listen at 192.0.2.1"):
        serve(parts, "192.0.2.1", 8080)


def test_proxy_that_is_named_is_believed_about_who_asks() -> None:
    def statuses(proxy: str | None) -> list[int]:
        with service(clock=lambda: 1000.0, request_burst=1, requests_per_minute=0.1) as parts:
            app = create_app(parts, None)
            if proxy is not None:
                believe(app, proxy)
            with TestClient(app, client=("10.0.0.1", 5)) as asked:
                said = [{"X-Forwarded-For": f"192.0.2.{i}"} for i in (1, 2, 1)]
                return [asked.get("/metrics", headers=each).status_code for each in said]

    assert statuses("10.0.0.1") == [200, 200, 429]
    assert statuses("10.0.0.2") == [200, 429, 429]
    assert statuses(None) == [200, 429, 429]
