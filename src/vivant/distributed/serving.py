"""`vivant serve` on a cluster: the service here, its judges as replicas of Ray Serve there."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import ray
from ray import serve
from ray.exceptions import RayError
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import ApplicationStatus

from vivant.distributed.cluster import CPUS_PER_WORKER, Room, connected, here, last_line, room
from vivant.distributed.deployment import (
    checker_deployment,
    remote_judge,
)
from vivant.distributed.remote_judge import RemoteJudge
from vivant.distributed.replicas import CheckerPlan, Replicas, trouble_in
from vivant.errors import ClusterError

__all__ = ["checkers"]

_START_S = 180.0  # How long the first replicas may take to get a place and pass their self-test.
_TICK_S = 0.25

log = logging.getLogger("vivant.serving")


@contextmanager
def checkers(
    plan: CheckerPlan,
    address: str | None,
    replicas: Replicas | None,
    name: str,
    patience_s: float = 0.0,
) -> Iterator[RemoteJudge]:
    """Replicas that judge, for the time within.

    Args:
        plan: What each opens.
        address: As for `vivant.distributed.cluster.connected`.
        replicas: How many; None: one, and as many as the cluster has room for while many wait.
        name: Of the application in the cluster; no other has it.
        patience_s: How long the first replicas' nodes are waited for, where nodes are started on
            demand; 0: what has no room is refused at once.

    Raises:
        ClusterError: the cluster is not reached, has no room, or a replica does not start.
    """
    # Ray starts its processes as the least important of a machine: people wait for these. A cluster
    # that stands has settled it.
    os.environ.setdefault("RAY_worker_niceness", "0")
    with connected(address) as found:
        if not patience_s:
            _require_room(found, replicas)
        wanted = replicas or Replicas(1, max(1, _num_fitting(found)))
        log.info("%s: %d to %d replicas are to judge", found, wanted.least, wanted.most)
        _start_serve()
        # Restarted if it dies of itself; it ends with this process, and the replicas see that.
        options = {"num_cpus": 0, "scheduling_strategy": here(), "max_restarts": -1}
        command = ray.remote(**options)(_Command).remote()
        try:
            handle = _deployed(
                checker_deployment(plan, wanted, command), wanted, name, max(_START_S, patience_s)
            )
            with remote_judge(handle, plan, name) as judge:
                yield judge
        finally:
            with suppress(RayError):  # Serve itself has gone, and the replicas with it.
                serve.delete(name)


def _num_fitting(found: Room) -> int:
    return sum(int(cpus / CPUS_PER_WORKER) for cpus in found.cpus_by_node)


def _require_room(found: Room, replicas: Replicas | None) -> None:
    least = 1 if replicas is None else replicas.least
    if _num_fitting(found) < least:
        raise ClusterError(
            f"expected room for {least} replicas of {CPUS_PER_WORKER} CPUs each, but {found}: "
            "choose fewer with --replicas, or add nodes (where they start on demand: --patience)"
        )


class _Command:
    """An actor that lives as long as the command does."""

    def is_there(self) -> None:
        """Answers."""


def _start_serve() -> None:
    for each in ("ray.serve", "ray._private"):
        logging.getLogger(each).setLevel(logging.ERROR)
    # No proxy of Serve's: who listens, with our bounds and deadlines, is this process.
    serve.start(proxy_location="Disabled")


def _deployed(
    checkers: serve.Application, wanted: Replicas, name: str, patience_s: float
) -> DeploymentHandle:
    """A handle to the replicas, once the least of them have passed their self-test."""
    target = serve.RunTarget(checkers, name=name, route_prefix=None)
    handle = serve.run_many([target], wait_for_applications_running=False)[0]
    deadline_s = time.monotonic() + patience_s
    while True:
        state = serve.status().applications[name]
        if state.status is ApplicationStatus.RUNNING:
            return handle
        said = " ".join([state.message, *(one.message for one in state.deployments.values())])
        trouble = trouble_in(said)
        if trouble is not None:
            raise ClusterError(f"a replica cannot judge: {trouble}")
        if state.status in (ApplicationStatus.DEPLOY_FAILED, ApplicationStatus.UNHEALTHY):
            raise ClusterError(f"the replicas did not start: {last_line(said)}")
        if time.monotonic() > deadline_s:
            raise ClusterError(
                f"expected {wanted.least} replicas of {CPUS_PER_WORKER} CPUs each within "
                f"{patience_s:g} s, but {room()}: choose fewer with --replicas, wait until others "
                "are done, or add nodes"
            )
        time.sleep(_TICK_S)
