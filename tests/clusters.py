"""A Ray cluster of several nodes on this machine, in a process of its own, whose nodes can be killed.

`python clusters.py NUM_NODES` starts one CPU a node and tells where it is in one line of JSON; it
ends when its input does.
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

from served_process import tree

_DEADLINE_S = 120


@dataclass
class Nodes:
    """A cluster that runs."""

    address: str
    raylets: list[int]
    """Process of each node, from which all others of it come; the head's is the first."""

    def workers(self, node: int) -> list[int]:
        """The processes of a node that work on presentations, the eldest first."""
        return [pid for pid in tree(self.raylets[node]) if b"ray::MapWorker" in command_of(pid)]

    def kill_node(self, node: int) -> None:
        """All of its processes at once, as when the machine is switched off."""
        os.kill(self.raylets[node], signal.SIGSTOP)  # It starts none meanwhile, which would stay.
        for pid in tree(self.raylets[node]):
            kill(pid)


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_for_workers(nodes: Nodes, node: int) -> list[int]:
    deadline = time.monotonic() + _DEADLINE_S
    while not (found := nodes.workers(node)):
        assert time.monotonic() < deadline, "no worker came to work"
        time.sleep(0.05)
    return found


@contextmanager
def cluster(num_nodes: int) -> Iterator[Nodes]:
    """A cluster for the time within."""
    program = subprocess.Popen(
        [sys.executable, __file__, str(num_nodes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # Work of the tests is imported by its name.
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        text=True,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    try:
        told = json.loads(program.stdout.readline())
        yield Nodes(**told)
    finally:
        program.stdin.close()
        program.stdout.close()
        try:
            program.wait(30)
        except subprocess.TimeoutExpired:
            for pid in tree(program.pid):
                kill(pid)
            program.wait()


def main() -> None:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    # Nodes that are gone are noticed in seconds, as long as nobody has to be patient with them.
    head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 2**28}
    started = Cluster(initialize_head=True, head_node_args=head)
    nodes = [started.head_node]
    nodes += [
        started.add_node(num_cpus=1, object_store_memory=2**28) for _ in range(int(sys.argv[1]) - 1)
    ]
    started.wait_for_nodes()
    raylets = [node.all_processes["raylet"][0].process.pid for node in nodes]
    print(json.dumps({"address": started.address, "raylets": raylets}), flush=True)
    sys.stdin.read()
    started.shutdown()


if __name__ == "__main__":
    main()
