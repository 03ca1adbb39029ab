"""A process that has imported all that decoding needs, and forks another for each presentation.

To start Python and import decoders takes most of the time of a short file. The nursery does that
once; it never sees a file, so that what a file does to its own process does not reach the next.
Processes of one nursery have their memory laid out alike, so it is retired after some hundred of
them, and at once when one of them crashes: whoever guesses addresses guesses anew.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

__all__ = ["ALIVE", "Child", "Nursery"]

ALIVE = "alive"
"""What the nursery says of a process that has not ended."""
_MAX_CHILDREN = 200
_DYING_S = 5.0  # For a process that has hung up to end.
_STEP_S = 0.005
_MAX_ANSWER = 32
_PATIENCE_S = 30.0  # For the nursery itself, which needs half a second to start.


class Nursery:
    """One such process. Safe to use from several threads.

    Raises:
        OSError: from `start` and from children: the nursery has gone.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own Python.
                [sys.executable, "-P", "-m", "vivant.video.worker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                # Libraries' thread pools would take address space and do nothing for one file.
                env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        ours.settimeout(_PATIENCE_S)
        self._control = ours
        self._lock = threading.Lock()
        self._num_started = self._num_living = 0
        self._is_retired = False

    @property
    def is_retired(self) -> bool:
        """Whether the next process must come from another nursery."""
        return self._is_retired

    @property
    def pid(self) -> int:
        """Of the nursery itself."""
        return self._process.pid

    def start(self, channel: int, memory: int, memory_bytes: int) -> None:
        """Fork a process; it does not wait until that is there.

        Args:
            channel: Descriptor of the process's end of its channel; it says its number there first.
            memory: Descriptor of the memory where it puts pixels.
            memory_bytes: Size of that.

        Raises:
            OSError: the nursery has gone.
        """
        with self._lock:
            socket.send_fds(self._control, [f"start {memory_bytes}".encode()], [channel, memory])
            self._num_started += 1
            self._num_living += 1
            self._is_retired |= self._num_started >= _MAX_CHILDREN

    def ask(self, command: str, pid: int) -> str:
        """Ask about a process, or end it.

        Args:
            command: `status`, or `end`, which kills it first.
            pid: Its number.

        Returns:
            Its exit status, negative for a signal; or ALIVE.

        Raises:
            OSError: the nursery has gone.
        """
        with self._lock:
            try:
                self._control.sendall(f"{command} {pid}".encode())
                answer = self._control.recv(_MAX_ANSWER).decode()
                if not answer:
                    raise ConnectionResetError("the nursery has gone")
            except OSError:
                self._is_retired = True  # An answer that comes late would be taken for another's.
                raise
        return answer

    def leave(self, *, has_crashed: bool = False) -> None:
        """A process has ended; the last one of a retired nursery ends that too.

        Args:
            has_crashed: Whether by itself, in a way that a file may have brought about.
        """
        with self._lock:
            self._num_living -= 1
            self._is_retired |= has_crashed
        self._end_if_unused()

    def retire(self) -> None:
        """Start no more; end when the last process has."""
        with self._lock:
            self._is_retired = True
        self._end_if_unused()

    def _end_if_unused(self) -> None:
        with self._lock:
            if not self._is_retired or self._num_living > 0:
                return
            self._control.close()
            self._process.kill()
            self._process.wait()


class Child:
    """A process of a nursery, from its first word on.

    Args:
        nursery: Whose it is.
        pid: As it said.
    """

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery = nursery
        self.pid = pid
        self.status: int | None = None
        """Its exit status, negative for a signal; None while nobody has asked, or it lives."""

    def wait(self) -> int | None:
        """The status of a process that has hung up; None where it does not end."""
        deadline_s = time.monotonic() + _DYING_S
        while self.status is None and time.monotonic() < deadline_s:
            self.poll()
            if self.status is None:
                time.sleep(_STEP_S)
        return self.status

    def poll(self) -> int | None:
        """Its status; None where it lives, or nobody can say any more."""
        with suppress(OSError, ValueError):
            if self.status is None:
                self.status = int(self._nursery.ask("status", self.pid))
        return self.status

    def end(self) -> None:
        """Kill it, if it lives."""
        with suppress(OSError, ValueError):
            if self.status is None:
                self.status = int(self._nursery.ask("end", self.pid))
