"""Services for tests: in this process behind a client, or listening at a port of this machine."""

import asyncio
import hashlib
import logging
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from clocks import SkipClock, wait_until
from made_up import MadeUpRunner
from vivant.runtimes.runner import Runner
from vivant.serving.app import create_app
from vivant.serving.audit import AuditLog
from vivant.serving.gate import LOOPBACK_HOSTS
from vivant.serving.keys import Key, Keys, Level
from vivant.serving.limits import ServiceLimits
from vivant.serving.server import build_server
from vivant.serving.service import Service
from vivant.session.session import Session

SECRET, PUBLIC = "trusted-key", "public-key"
STREAM = "ws://127.0.0.1/v1/stream"


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def keys() -> Keys:
    digests = [hashlib.sha256(secret.encode()).hexdigest() for secret in (SECRET, PUBLIC)]
    return Keys(
        keys=(
            Key(name="backend", level=Level.TRUSTED, sha256=digests[0]),
            Key(name="page", level=Level.PUBLIC, sha256=digests[1]),
        )
    )


@contextmanager
def service(
    runner: Runner | None = None,
    *,
    has_keys: bool = False,
    audit: Path | None = None,
    num_workers: int = 2,
    isolated: bool = False,
    clock: Callable[[], float] = time.monotonic,
    **limits: float,
) -> Iterator[Service]:
    """A service that answers nobody yet.

    Args:
        runner: The network; None: one that gives 0.9.
        has_keys: Whether callers must show `SECRET` or `PUBLIC`.
        audit: File of the audit records.
        num_workers: As for `Service`.
        isolated: Whether files are decoded in sandboxed processes.
        clock: As for `Service`.
        limits: Those that differ from the defaults.
    """
    with Session(runner or MadeUpRunner(0.9), isolated=isolated) as session:
        written = None if audit is None else AuditLog(audit)
        yield Service(
            session,
            ServiceLimits(**limits),
            keys=keys() if has_keys else None,
            audit=written,
            num_workers=num_workers,
            clock=clock,
        )
        if written is not None:
            written.close()


@contextmanager
def client(runner: Runner | None = None, **how: object) -> Iterator[TestClient]:
    """A client of a service that runs in this process; `client.app.state.service` is the service."""
    with service(runner, **how) as parts:
        app = create_app(parts, LOOPBACK_HOSTS)
        with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as asked:
            yield asked


class Listening:
    """A service that listens at a port of this machine; unpacks as the service and its port.

    Args:
        parts: The service.
        clock: Of its event loop.
        drain_s: As for `serve`.
    """

    def __init__(self, parts: Service, clock: SkipClock, drain_s: float) -> None:
        self.parts = parts
        self.clock = clock
        self.num_received = 0
        """Bytes that its connections have taken in, those of sockets too."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._server = build_server(parts, "127.0.0.1", drain_s=drain_s)
        config = self._server.config
        config.http, config.ws = self._counting(config.http), self._counting(config.ws)

    def __iter__(self) -> Iterator[object]:
        return iter((self.parts, self.port))

    @property
    def address(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_started(self) -> bool:
        """Whether it listens yet."""
        return self._server.started

    @property
    def is_ending(self) -> bool:
        """Whether it takes no more connections."""
        return self._server.should_exit and self._listener.fileno() < 0

    @property
    def connections(self) -> list[Any]:
        """The protocols of the connections that are open."""
        return list(self._server.server_state.connections)

    def run(self) -> None:
        """Answer until the end, in this thread."""
        with self._listener:
            self.clock.run(self._server.serve([self._listener]))

    def terminate(self) -> None:
        """Do what SIGTERM does."""
        self._server.handle_exit(signal.SIGTERM, None)

    def end(self) -> None:
        """Let `run` come to its end."""
        self._server.should_exit = True
        self.clock.run_on()

    def connect(self) -> socket.socket:
        """Open a connection that the service has accepted."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=120)
        address = connection.getsockname()
        wait_until(
            lambda: any(one.client == address for one in self.connections),
            "the connection is accepted",
        )
        return connection

    def deliver(self, connection: socket.socket, data: bytes) -> None:
        """Send bytes, and wait until the service has parsed them, or says something."""
        num_after = self.num_received + len(data)
        connection.sendall(data)
        wait_until(
            lambda: self.num_received >= num_after or has_something_to_read(connection),
            "the service has read what was sent",
        )
        self.clock.settle()

    def _counting(self, protocol: type[asyncio.Protocol]) -> type[asyncio.Protocol]:
        class Counting(protocol):  # type: ignore[misc, valid-type]
            def data_received(counted, data: bytes) -> None:
                super().data_received(data)
                self.num_received += len(data)

        return Counting


def has_something_to_read(connection: socket.socket) -> bool:
    """Whether bytes, or the connection's end, have come."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


@contextmanager
def listening(
    runner: Runner | None = None,
    *,
    clock: SkipClock | None = None,
    drain_s: float = 3.0,
    **how: object,
) -> Iterator[Listening]:
    """A service that listens at a port of this machine, in a thread.

    Args:
        runner: As for `service`.
        clock: Of its event loop, and of the service; None: time passes.
        drain_s: As for `serve`.
        how: As for `service`.
    """
    clock = clock or SkipClock()
    with service(runner, clock=clock.time, **how) as parts:
        site = Listening(parts, clock, drain_s)
        thread = threading.Thread(target=site.run, daemon=True)
        thread.start()
        wait_until(lambda: site.is_started or not thread.is_alive(), "the service has started")
        assert site.is_started, "the service did not start"
        try:
            yield site
        finally:
            if thread.is_alive():
                site.end()
            thread.join(120)
            assert not thread.is_alive(), "the service did not end"


@contextmanager
def kept_loggers() -> Iterator[None]:
    """What `log_to_stderr` changes is as before at the end."""
    loggers = [logging.getLogger(name) for name in ("vivant.serving", "uvicorn.error")]
    before = [(one.handlers, one.level, one.propagate) for one in loggers]
    try:
        yield
    finally:
        for logger, (handlers, level, propagates) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagates
            logger.setLevel(level)
