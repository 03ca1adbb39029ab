"""The deployment: how many replicas, how they are asked, and how they are counted."""

import asyncio
from types import SimpleNamespace

import pytest

from clocks import wait_until
from vivant.distributed.replicas import CheckerPlan, Refused, Replicas
from vivant.errors import Refusal
from vivant.serving.limits import ServiceLimits
from vivant.serving.problems import Problem

PLAN = CheckerPlan.made(ServiceLimits(max_waiting=1, answer_timeout_s=20))


def test_replicas_follow_the_queue_and_leave_room_for_ray() -> None:
    from vivant.distributed.cluster import CPUS_PER_WORKER
    from vivant.distributed.deployment import checker_deployment

    made = checker_deployment(PLAN, Replicas(1, 4))._bound_deployment
    config = made._deployment_config
    scaling = config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas) == (1, 4)
    assert scaling.target_ongoing_requests == PLAN.num_workers == 2
    assert config.max_ongoing_requests == PLAN.num_places == 3
    assert config.graceful_shutdown_timeout_s == 20
    assert 0 < CPUS_PER_WORKER < 1
    assert made.ray_actor_options["num_cpus"] == CPUS_PER_WORKER


def status_of(states: dict[str, int]) -> SimpleNamespace:
    """What Serve says of an application `here` whose replicas are in these states."""
    deployments = {"Checker": SimpleNamespace(replica_states=states)}
    return SimpleNamespace(applications={"here": SimpleNamespace(deployments=deployments)})


def test_replicas_that_run_are_counted_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray import serve
    from ray.serve.handle import DeploymentHandle

    from vivant.distributed import deployment

    class Handle(DeploymentHandle):
        """Stands for a handle to replicas that refuse everything."""

        def __init__(self) -> None:
            self.check = SimpleNamespace(remote=self._refuse)

        async def _refuse(self, source: object, rate: float) -> Refused:
            return Refused(Refusal.TOO_SMALL, f"{source!r} at {rate:g}", None)

    now_s, num_asked = 100.0, 0
    states = {"RUNNING": 2, "STARTING": 1}
    answer = status_of(states)

    def status() -> SimpleNamespace:
        nonlocal num_asked
        num_asked += 1
        return answer

    monkeypatch.setattr(deployment, "_COUNT_S", 0.02)
    monkeypatch.setattr(deployment, "time", SimpleNamespace(monotonic=lambda: now_s))
    monkeypatch.setattr(serve, "status", status)
    with deployment.remote_judge(Handle(), PLAN, "here") as judge:
        assert judge.is_up
        with pytest.raises(Problem, match="b'media' at 25"):
            asyncio.run(judge.check(b"media", 25.0))
        states.clear()
        wait_until(lambda: not judge.is_up, "no replica is counted")
        states["RUNNING"] = 1
        wait_until(lambda: judge.is_up, "the new replica is counted")
        answer = SimpleNamespace(applications={})
        enough = num_asked + 3
        wait_until(lambda: num_asked >= enough, "Serve was asked again")
        assert judge.is_up, "as before, while Serve does not know"
        now_s += deployment._STALE_S
        assert not judge.is_up, "but not for long"


@pytest.mark.parametrize(
    ("error", "expected"), [(None, []), ("RayError", []), ("ActorDiedError", ["here"])]
)
def test_replicas_end_with_the_command_that_was_killed(
    error: str | None, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray import exceptions, serve

    from vivant.distributed.deployment import checker_deployment

    deleted: list[str] = []
    monkeypatch.setattr(serve, "get_replica_context", lambda: SimpleNamespace(app_name="here"))
    monkeypatch.setattr(serve, "delete", lambda name, _blocking: deleted.append(name))

    async def is_there() -> None:
        if error is not None:
            raise getattr(exceptions, error)

    command = SimpleNamespace(is_there=SimpleNamespace(remote=is_there))
    made = checker_deployment(PLAN, Replicas(1, 4), command)._bound_deployment
    plan, end_with_command = made.init_args
    assert plan == PLAN
    asyncio.run(end_with_command())
    assert deleted == expected
