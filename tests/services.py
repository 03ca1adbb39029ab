"""Services for tests: in this process behind a client, or listening at a port of this machine."""

import hashlib
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.testclient import TestClient

from made_up import MadeUpRunner
from vivant.runtimes.runner import Runner
from vivant.serving.app import create_app
from vivant.serving.audit import AuditLog
from vivant.serving.connections import bounded_protocol
from vivant.serving.gate import LOOPBACK_HOSTS
from vivant.serving.keys import Key, Keys, Level
from vivant.serving.limits import ServiceLimits
from vivant.serving.service import Service
from vivant.serving.sockets import bounded_sockets
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
    **limits: float,
) -> Iterator[Service]:
    with Session(runner or MadeUpRunner(0.9), isolated=isolated) as session:
        written = None if audit is None else AuditLog(audit)
        yield Service(
            session,
            ServiceLimits(**limits),
            keys=keys() if has_keys else None,
            audit=written,
            num_workers=num_workers,
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


@contextmanager
def listening(runner: Runner | None = None, **how: object) -> Iterator[tuple[Service, int]]:
    """A service that listens at a port of this machine, and that port."""
    with service(runner, **how) as parts:
        limits = parts.limits
        config = uvicorn.Config(
            create_app(parts, LOOPBACK_HOSTS),
            host="127.0.0.1",
            port=0,
            loop="asyncio",
            http=bounded_protocol(limits),
            ws=bounded_sockets(limits),
            ws_max_size=limits.max_frame_bytes + 64,
            timeout_keep_alive=limits.idle_timeout_s,
            log_config=None,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the service did not start"
            time.sleep(0.01)
        try:
            yield parts, server.servers[0].sockets[0].getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(30)


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
