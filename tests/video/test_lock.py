import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from vivant.video.lock import what_the_kernel_has

pytestmark = pytest.mark.skipif(
    not all(what_the_kernel_has().values()), reason="this kernel cannot lock processes"
)


def locked(script: str, *, memory_bytes: int = 2**30, cpu_seconds: float = 30) -> str:
    """What a script prints that runs with the lock on, after its imports and `before`."""
    before, _, after = textwrap.dedent(script).partition("---\n")
    program = (
        "import ctypes, os, resource, socket, subprocess, sys, threading\n"
        "from vivant.video.lock import allow_cpu, lock\n"
        f"{before}\nprint(lock({memory_bytes}, {cpu_seconds}))\n{after}"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    first, *others = done.stdout.splitlines()
    assert first == "()", "something was not locked"
    return "\n".join(others)


def refused(attempt: str, before: str = "") -> None:
    script = (
        f"{before}\n---\ntry:\n    {attempt}\nexcept OSError as error:\n    print(error.errno)\n"
    )
    assert locked(script) in ("1", "13"), f"{attempt} was not refused"  # EPERM, EACCES


@pytest.mark.parametrize(
    "attempt",
    [
        "open('/etc/passwd')", "open('here', 'w')", "os.listdir('/')", "os.mkdir('here')",
        "os.unlink(sys.executable)", "open('/proc/self/mem')", "os.rename('here', 'there')",
    ],
)  # fmt: skip
def test_no_file_can_be_opened(attempt: str) -> None:
    if "rename" in attempt:
        refused("os.rename(sys.executable, sys.executable + '.old')")
    else:
        refused(attempt)


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.socket()", "socket.socket(socket.AF_UNIX)", "socket.socketpair()",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    ],
)  # fmt: skip
def test_no_socket_can_be_made(attempt: str) -> None:
    refused(attempt)


def test_open_socket_cannot_be_connected_or_bound() -> None:
    before = "one = socket.socket()"
    refused("one.connect(('127.0.0.1', 9))", before)
    refused("one.bind(('127.0.0.1', 0))", before)


@pytest.mark.parametrize(
    "attempt", ["os.execv(sys.executable, [sys.executable])", "subprocess.run([sys.executable])"]
)
def test_no_program_can_be_started(attempt: str) -> None:
    refused(attempt)


def test_no_other_process_can_be_looked_into() -> None:
    script = """
    libc = ctypes.CDLL(None, use_errno=True)
    ---
    print(libc.ptrace(16, os.getppid(), 0, 0), ctypes.get_errno())
    print(libc.process_vm_readv(os.getppid(), 0, 0, 0, 0, 0), ctypes.get_errno())
    """
    assert locked(script) == "-1 1\n-1 1"


def test_open_files_cannot_grow() -> None:
    script = """
    import tempfile
    file = tempfile.TemporaryFile(buffering=0)
    ---
    try:
        print(file.write(b"x"))
    except OSError as error:
        print(error.errno)
    """
    assert locked(script) == "27"  # EFBIG


def test_memory_is_bounded() -> None:
    script = """
    ---
    size = len(bytearray(64 * 2**20))
    try:
        bytearray(2**30)
    except MemoryError:
        print(size, "then none")
    """
    assert locked(script, memory_bytes=512 * 2**20) == f"{64 * 2**20} then none"


def test_limits_are_set_and_cannot_be_raised() -> None:
    script = """
    ---
    print(resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_CORE))
    print(resource.getrlimit(resource.RLIMIT_CPU))
    allow_cpu(4)
    print(resource.getrlimit(resource.RLIMIT_CPU))
    allow_cpu(1000)
    print(resource.getrlimit(resource.RLIMIT_CPU))
    """
    expected = ["(64, 64) (0, 0)", "(32, 32)", "(5, 32)", "(32, 32)"]
    assert locked(script).splitlines() == expected


def test_what_decoding_needs_is_left() -> None:
    script = """
    reading, writing = os.pipe()
    ---
    threads = [threading.Thread(target=os.write, args=(writing, b"x")) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(os.read(reading, 10))
    """
    assert locked(script) == "b'xxx'"


def test_processor_time_ends_the_process() -> None:
    script = (
        "from vivant.video.lock import allow_cpu, lock\n"
        "lock(2**30, 10)\nallow_cpu(0)\nwhile True:\n    pass"
    )
    done = subprocess.run([sys.executable, "-c", script], timeout=120, check=False)
    assert -done.returncode == 24  # SIGXCPU


def test_looking_at_the_kernel_changes_nothing() -> None:
    assert what_the_kernel_has() == what_the_kernel_has()
    assert Path(__file__).exists()
