"""The deployment: how many replicas, how they are asked, and how they are counted."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from ray import serve
from ray.exceptions import ActorDiedError, RayError
from ray.serve.handle import DeploymentHandle

from vivant.distributed import deployment as module
from vivant.distributed.cluster import CPUS_PER_WORKER
from vivant.distributed.deployment import (
    checker_deployment,
    remote_judge,
)
from vivant.distributed.replicas import CheckerPlan, Refused, Replicas
from vivant.errors import Refusal
from vivant.serving.limits import ServiceLimits
from vivant.serving.problems import Problem

PLAN = CheckerPlan.made(ServiceLimits(max_waiting=1, answer_timeout_s=20))


def test_replicas_follow_the_queue_and_leave_room_for_ray() -> None:
    made = checker_deployment(PLAN, Replicas(1, 4))._bound_deployment
    config = made._deployment_config
    scaling = config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas) == (1, 4)
    assert scaling.target_ongoing_requests == PLAN.num_workers == 2
    assert config.max_ongoing_requests == PLAN.num_places == 3
    assert config.graceful_shutdown_timeout_s == 20
    assert 0 < CPUS_PER_WORKER < 1
    assert made.ray_actor_options["num_cpus"] == CPUS_PER_WORKER


class Handle(DeploymentHandle):
    """To replicas that are a function."""

    def __init__(self, remote: object) -> None:
        self.check = SimpleNamespace(remote=remote)


def told(states: dict[str, int]) -> SimpleNamespace:
    deployments = {"Checker": SimpleNamespace(replica_states=states)}
    return SimpleNamespace(applications={"here": SimpleNamespace(deployments=deployments)})


def test_replicas_that_run_are_counted_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_COUNT_S", 0.02)
    states = {"RUNNING": 2, "STARTING": 1}
    monkeypatch.setattr(serve, "status", lambda: told(states))

    async def refuse(source: object, rate: float) -> Refused:
        return Refused(Refusal.TOO_SMALL, f"{source!r} at {rate:g}", None)

    with remote_judge(Handle(refuse), PLAN, "here") as judge:
        assert judge.is_up
        with pytest.raises(Problem, match="b'media' at 25"):
            asyncio.run(judge.check(b"media", 25.0))
        states.clear()
        deadline_s = time.monotonic() + 5
        while judge.is_up:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        states["RUNNING"] = 1
        while not judge.is_up:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        monkeypatch.setattr(serve, "status", lambda: SimpleNamespace(applications={}))
        time.sleep(0.1)
        assert judge.is_up, "as before, while Serve does not know"
        monkeypatch.setattr(module, "_STALE_S", 0.05)
        assert not judge.is_up, "but not for long"


@pytest.mark.parametrize(
    ("error", "expected"), [(None, []), (RayError("away"), []), (ActorDiedError(), ["here"])]
)
def test_replicas_end_with_the_command_that_was_killed(
    error: Exception | None, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deleted: list[str] = []
    monkeypatch.setattr(serve, "get_replica_context", lambda: SimpleNamespace(app_name="here"))
    monkeypatch.setattr(serve, "delete", lambda name, _blocking: deleted.append(name))

    async def is_there() -> None:
        if error is not None:
            raise error

    command = SimpleNamespace(is_there=SimpleNamespace(remote=is_there))
    made = checker_deployment(PLAN, Replicas(1, 4), command)._bound_deployment
    plan, end_with_command = made.init_args
    assert plan == PLAN
    asyncio.run(end_with_command())
    assert deleted == expected
