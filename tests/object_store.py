"""An object store for tests: moto's S3, in a process of its own, on a free port of this machine.

Its fixtures are for a `conftest.py`, or for the file that asks for `bucket`.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from uuid import uuid4

import fsspec
import pytest

from clocks import PATIENCE_S, wait_until

__all__ = ["bucket", "s3_environment", "s3_port", "without_credentials"]

PROGRAM = "import sys; from moto.server import main; main(sys.argv[1:])"


@cache
def started(config: pytest.Config) -> int:
    """The port of the one server of this test run, however many files ask for it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [sys.executable, "-c", PROGRAM, "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop() -> None:
        process.terminate()
        process.wait()

    config.add_cleanup(stop)

    def is_listening() -> bool:
        assert process.poll() is None, "the object store has ended"
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), PATIENCE_S).close()
            return True
        return False

    wait_until(is_listening, "the object store listened")
    return port


@pytest.fixture(scope="session")
def s3_port(pytestconfig: pytest.Config) -> int:
    return started(pytestconfig)


@pytest.fixture
def s3_environment(s3_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that a user has to set."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    environment = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3_port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_EC2_METADATA_DISABLED": "true",  # Nobody here knows credentials: do not ask.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def without_credentials(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """From now on, nobody knows any; `bucket` is there."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    system = fsspec.get_filesystem_class("s3")
    system.clear_instance_cache()  # What is connected stays so.
    yield
    system.clear_instance_cache()


@pytest.fixture
def bucket(s3_environment: None) -> str:
    """The URL of a new bucket."""
    name = f"bucket-{uuid4().hex}"
    fsspec.filesystem("s3").mkdir(name)
    return f"s3://{name}"
