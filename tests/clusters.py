"""A Ray cluster of several nodes on this machine, in a process of its own, whose nodes can be killed.

`python clusters.py NUM_NODES` starts nodes of one CPU each, prints where they are as one line of JSON,
and answers each further line of its input when all CPUs are free. It ends when its input ends.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from clocks import wait_until
from served_process import tree

_FREE = "free"
_FREE_S = 120.0
_LOOK_S = 0.1
_LEFT_OUT = {"PYTEST_XDIST_WORKER", "PYTHONWARNINGS", "RAY_ADDRESS"}
_ENVIRONMENT = {
    # The nodes' workers import the work of the tests by its name.
    "PYTHONPATH": str(Path(__file__).parent),
    "RAY_USAGE_STATS_ENABLED": "0",
    # Trainings give the same bits only with the same number of threads.
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
}


@dataclass
class Nodes:
    """A cluster that runs."""

    address: str
    raylets: list[int]
    """The process of each node from which all its others come; the head's is the first."""
    _program: "subprocess.Popen[str]"

    def workers(self, node: int) -> list[int]:
        """Return the processes of a node that work on presentations, the eldest first."""
        return [pid for pid in tree(self.raylets[node]) if b"ray::MapWorker" in command_of(pid)]

    def kill_node(self, node: int) -> None:
        """Kill all processes of a node at once, as when its machine is switched off."""
        # A stopped raylet starts no process that would outlive it.
        os.kill(self.raylets[node], signal.SIGSTOP)
        for pid in tree(self.raylets[node]):
            kill(pid)

    def wait_until_free(self) -> None:
        """Wait until all CPUs are free: Ray takes them back a moment after a command has ended."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write("\n")
        self._program.stdin.flush()
        answer = self._program.stdout.readline().strip()
        assert answer == _FREE, f"the cluster is not free within {_FREE_S:g} s: {answer}"


def command_of(pid: int) -> bytes:
    """Return the command line of a process; nothing where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def kill(pid: int) -> None:
    """Kill a process that may have ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def decoders_of(worker: int) -> list[int]:
    """Return the processes that a worker has started to decode its videos."""
    return [pid for pid in tree(worker)[1:] if b"vivant.video.worker" in command_of(pid)]


def wait_for_working(nodes: Nodes, node: int) -> int:
    """Wait until a worker of a node decodes a video. Returns the worker's process."""
    found: list[int] = []

    def look() -> bool:
        found[:] = [pid for pid in nodes.workers(node) if decoders_of(pid)]
        return bool(found)

    wait_until(look, f"a worker of node {node} works on a video")
    return found[0]


@contextmanager
def cluster(num_nodes: int) -> Iterator[Nodes]:
    """Run a cluster for the time of the block."""
    environment = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    program = subprocess.Popen(
        [sys.executable, __file__, str(num_nodes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment | _ENVIRONMENT,
        text=True,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    try:
        where = json.loads(program.stdout.readline())
        yield Nodes(where["address"], where["raylets"], program)
    finally:
        program.stdin.close()
        program.stdout.close()
        try:
            program.wait(30)
        except subprocess.TimeoutExpired:
            for pid in tree(program.pid):
                kill(pid)
            program.wait()


def _wait_until_free() -> str:
    """Return `free` when all CPUs are; what is free where they are not in time."""
    import ray

    ends_s = time.monotonic() + _FREE_S
    while True:
        total = ray.cluster_resources().get("CPU", 0.0)
        free = ray.available_resources().get("CPU", 0.0)
        if total and free > total - 1e-3:
            return _FREE
        if time.monotonic() > ends_s:
            return f"{free:g} of {total:g} CPUs are"
        time.sleep(_LOOK_S)


def main() -> None:
    """Start the nodes, say where they are, and answer until the input ends."""
    import ray
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 2**28}
    started = Cluster(initialize_head=True, head_node_args=head)
    nodes = [started.head_node]
    nodes += [
        started.add_node(num_cpus=1, object_store_memory=2**28) for _ in range(int(sys.argv[1]) - 1)
    ]
    started.wait_for_nodes()
    raylets = [node.all_processes["raylet"][0].process.pid for node in nodes]
    print(json.dumps({"address": started.address, "raylets": raylets}), flush=True)
    for _ in sys.stdin:
        if not ray.is_initialized():
            ray.init(address=started.address, logging_level="ERROR", log_to_driver=False)
        print(_wait_until_free(), flush=True)
    started.shutdown()


if __name__ == "__main__":
    main()
