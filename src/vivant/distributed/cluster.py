"""A Ray cluster for the time of a command: the one at an address, or one of this machine alone."""

import logging
import os
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

# Before ray is imported: it would send statistics of its use to its makers.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# Its news are no user's, and go to standard error; what fails is raised.
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
# Its next default: what asks for no GPU finds the variable that shows or hides them as it was.
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray.autoscaler.sdk import request_resources
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from vivant import __version__
from vivant.errors import ClusterError
from vivant.parallel import num_cores

__all__ = ["CPUS_PER_WORKER", "Room", "asked_for", "connected", "here", "last_line", "room"]

CPUS_PER_WORKER = 0.9
"""Of a process that keeps about one busy. Whole ones would leave none where workers take all, and
whatever else Ray has to run would wait for ever, without a word."""

_ADDRESS = "RAY_ADDRESS"
_LOCAL = "local"
_ANSWER_S = 10.0  # How long a head may take to take a connection.
_HELLO_S = 120.0  # How long a node may take to start a process and import this package.


@dataclass(frozen=True, slots=True)
class Room:
    """What a cluster has, taken or free."""

    num_nodes: int
    num_cpus: float
    num_gpus: float
    cpus_by_node: tuple[float, ...]
    free_cpus: float

    def __str__(self) -> str:
        """For messages."""
        return (
            f"the cluster has {self.num_nodes} node{'s' * (self.num_nodes != 1)}, "
            f"{self.num_cpus:g} CPUs ({self.free_cpus:g} free) and {self.num_gpus:g} GPUs"
        )


@contextmanager
def connected(address: str | None) -> Iterator[Room]:
    """A cluster for the time within, in which standard output is not used: Ray prints to it.

    Args:
        address: `HOST:PORT` of its head, `auto` for the one that runs on this machine; None: what
            RAY_ADDRESS says, which Ray sets for submitted jobs, else one of this machine alone,
            which ends with the block.

    Raises:
        ClusterError: none can be reached there, or one of its nodes has not this version of vivant.
    """
    place = address or os.environ.get(_ADDRESS) or _LOCAL
    if place.startswith("ray://"):
        raise ClusterError(
            f"expected HOST:PORT of a cluster's head or `auto`, got {place}: a command's results "
            "would go through a proxy. Run the command on the head, or submit it as a job: "
            "ray job submit --address http://HEAD:8265 -- vivant ..."
        )
    for name in ("ray", "ray.data"):  # The second has handlers of its own.
        logging.getLogger(name).setLevel(logging.ERROR)
    own: dict[str, Any] = {}
    if place == _LOCAL:
        own = {"num_cpus": num_cores(), "include_dashboard": False}
    try:
        if ":" in place:  # Ray would try for minutes, and then end the process.
            host, _, port = place.rpartition(":")
            socket.create_connection((host, int(port)), _ANSWER_S).close()
        with warnings.catch_warnings(), _silent():
            # Ray starts its own programs by a fork, which do not use Lance.
            warnings.filterwarnings("ignore", "lance is not fork-safe")
            ray.init(address=place, logging_level=logging.ERROR, log_to_driver=False, **own)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        raise ClusterError(
            f"no cluster can be reached at {place}: {last_line(error)}. Start one with `ray start "
            "--head`, or leave --address away: then this machine is one. A cluster with a token "
            "wants RAY_AUTH_MODE=token and its RAY_AUTH_TOKEN"
        ) from error
    try:
        # Of its own accord Ray tells there what has died: that is no result of a command.
        with redirect_stdout(sys.stderr):
            if place != _LOCAL:
                _require_same_version()
            yield room()
    finally:
        ray.shutdown()


@contextmanager
def _silent() -> Iterator[None]:
    """Nothing is printed to standard error, not even past Python: Ray tells its log level there."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def room() -> Room:
    """What the cluster has now."""
    nodes = _living()
    by_node = tuple(float(node["Resources"].get("CPU", 0)) for node in nodes)
    total = ray.cluster_resources()
    return Room(
        len(nodes),
        sum(by_node),
        float(total.get("GPU", 0)),
        by_node,
        float(ray.available_resources().get("CPU", 0)),
    )


@contextmanager
def asked_for(num: int, *, num_gpus: float = 0.0) -> Iterator[None]:
    """Within, a cluster that grows on demand is asked for room. Others take no notice.

    Args:
        num: Processes, of a CPU each.
        num_gpus: That each takes.
    """
    each = {"CPU": 1.0} | ({"GPU": num_gpus} if num_gpus else {})
    request_resources(bundles=[each] * num)
    try:
        yield
    finally:
        request_resources(bundles=[])


def last_line(error: object) -> str:
    r"""What an error of Ray's says, without the traces before it.

    >>> last_line(ValueError("ray::work()\n  File ...\nno room")), last_line(ValueError())
    ('no room', 'ValueError')
    """
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__


def here() -> NodeAffinitySchedulingStrategy:
    """For an actor that is to live where the command runs: it ends with it, and not before."""
    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)


def _require_same_version() -> None:
    """Ask each node what it would run.

    Raises:
        ClusterError: another version than here, or none.
    """
    asked = {}
    for node in _living():
        where = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ask = ray.remote(num_cpus=0, max_retries=1, scheduling_strategy=where)(_version)
        asked[ask.remote()] = node["NodeID"], node["NodeManagerAddress"]
    ready, late = ray.wait(list(asked), num_returns=len(asked), timeout=_HELLO_S)
    problems = [f"{asked[each][1]} did not answer in {_HELLO_S:g} s" for each in late]
    for each in ready:
        node, address = asked[each]
        try:
            found = ray.get(each)
        except RayError as error:
            if node not in [
                each["NodeID"] for each in _living()
            ]:  # It has just been lost: nothing will run there.
                continue
            found = f"none that can be imported ({last_line(error)})"
        if found != __version__:
            problems.append(f"{address} has {found}")
    if problems:
        raise ClusterError(
            f"expected vivant {__version__} on every node of the cluster: {'; '.join(problems)}. "
            f"Install it there: pip install 'vivant[ray]=={__version__}'"
        )


def _living() -> list[dict[str, Any]]:
    """The nodes that have not been lost, as Ray describes them."""
    return [node for node in ray.nodes() if node["Alive"]]


def _version() -> str:
    return __version__
