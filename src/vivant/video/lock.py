"""Takes from the process that decodes whatever it does not need: files, network, programs, memory.

Linux only, by what the kernel has; `lock` says what it could not do. All of it is inherited, none
of it can be undone.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys

__all__ = ["LockReport", "allow_cpu", "lock", "what_the_kernel_has"]

LockReport = tuple[str, ...]

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446  # The same on every architecture.
_LANDLOCK_VERSION_FLAG = 1
# Rights on files in the kernel's first version, and what later versions added, by version.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NET_RIGHTS = 3  # Bind and connect TCP, from version 4.

# By architecture: its audit number, and the numbers of the system calls that are denied:
# socket, connect, bind, socketpair, execve, execveat, ptrace, process_vm_readv, process_vm_writev,
# io_uring_setup.
_ARCHITECTURES: dict[str, tuple[int, tuple[int, ...]]] = {
    "x86_64": (0xC000003E, (41, 42, 49, 53, 59, 322, 101, 310, 311, 425)),
    "aarch64": (0xC00000B7, (198, 203, 200, 199, 221, 281, 117, 270, 271, 425)),
}
_X32_CALLS = 0x40000000  # The same calls under other numbers, on x86_64.
_ALLOW, _DENY = 0x7FFF0000, 0x00050000 | 1  # SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO with EPERM.


def lock(max_memory_bytes: int, max_cpu_seconds: float) -> LockReport:
    """Lock this process for good.

    Args:
        max_memory_bytes: Address space.
        max_cpu_seconds: Processor time that `allow_cpu` may reach, over the process's life.

    Returns:
        What is missing on this machine, in words; empty where everything is in force.
    """
    hard_cpu = int(max_cpu_seconds) + 2
    _limit(resource.RLIMIT_CPU, hard_cpu, hard_cpu)
    _limit(resource.RLIMIT_AS, max_memory_bytes, max_memory_bytes)
    _limit(resource.RLIMIT_FSIZE, 0, 0)
    _limit(resource.RLIMIT_NOFILE, 64, 64)
    _limit(resource.RLIMIT_CORE, 0, 0)
    if sys.platform != "linux":
        return ("no_new_privs, Landlock and seccomp exist on Linux only",)
    libc = ctypes.CDLL(None, use_errno=True)
    missing = []
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        missing.append("no_new_privs")
    for name, put in (("Landlock", _landlock), ("seccomp", _seccomp)):
        problem = put(libc)
        if problem:
            missing.append(f"{name}: {problem}")
    return tuple(missing)


def allow_cpu(seconds: float) -> None:
    """Let this process use so much processor time in all; beyond, the kernel ends it."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (min(soft, hard) if hard >= 0 else soft, hard))


def what_the_kernel_has() -> dict[str, bool]:
    """Which parts of the lock this machine can put in force; changes nothing."""
    if sys.platform != "linux":
        return {"Landlock": False, "seccomp": False}
    libc = ctypes.CDLL(None, use_errno=True)
    seccomp = libc.prctl(21, 0, 0, 0, 0) >= 0  # PR_GET_SECCOMP
    return {
        "Landlock": _landlock_version(libc) >= 1,
        "seccomp": seccomp and platform.machine() in _ARCHITECTURES,
    }


def _limit(kind: int, soft: int, hard: int) -> None:
    _, allowed = resource.getrlimit(kind)
    if allowed != resource.RLIM_INFINITY:
        soft, hard = min(soft, allowed), min(hard, allowed)
    resource.setrlimit(kind, (soft, hard))
    if kind == resource.RLIMIT_CPU:
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)


def _landlock_version(libc: ctypes.CDLL) -> int:
    return int(libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION_FLAG))


def _landlock(libc: ctypes.CDLL) -> str | None:
    """No file may be opened, no port bound or connected: an empty set of rules."""
    version = _landlock_version(libc)
    if version < 1:
        return "the kernel has none"
    files = (1 << _FILE_RIGHTS[min(version, 5)]) - 1
    attributes = struct.pack("<QQ", files, _NET_RIGHTS)[: 16 if version >= 4 else 8]
    rules = libc.syscall(_LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)
    if rules < 0:
        return os.strerror(ctypes.get_errno())
    try:
        if libc.syscall(_LANDLOCK_RESTRICT_SELF, rules, 0):
            return os.strerror(ctypes.get_errno())
    finally:
        os.close(rules)
    return None


def _seccomp(libc: ctypes.CDLL) -> str | None:
    """The denied calls answer EPERM."""
    known = _ARCHITECTURES.get(platform.machine())
    if known is None or sys.maxsize < 2**32:
        return f"no list of system calls for {platform.machine()}"
    audit_number, denied = known

    def statement(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("=HBBI", code, if_true, if_false, value)

    load, equal, greater_equal, answer = 0x20, 0x15, 0x35, 0x06
    to_deny = len(denied) + 1  # Statements between the x32 check and the denial.
    program = [
        statement(load, 4),  # The architecture.
        statement(equal, audit_number, if_true=1),
        statement(answer, _DENY),
        statement(load, 0),  # The call's number.
        statement(greater_equal, _X32_CALLS, if_true=to_deny),
        *(statement(equal, call, if_true=len(denied) - i) for i, call in enumerate(denied)),
        statement(answer, _ALLOW),
        statement(answer, _DENY),
    ]
    filters = ctypes.create_string_buffer(b"".join(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filters", ctypes.c_void_p))

    holder = Program(len(program), ctypes.addressof(filters))
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(holder), 0, 0):
        return os.strerror(ctypes.get_errno())
    return None
