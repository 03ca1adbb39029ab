"""The replicas that judge, as a deployment of Ray Serve: how many, how large, and how to ask."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from ray import serve
from ray.exceptions import ActorDiedError, RayError
from ray.serve.config import AutoscalingConfig
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import LoggingConfig

from vivant.distributed.cluster import CPUS_PER_WORKER
from vivant.distributed.remote_judge import RemoteJudge
from vivant.distributed.replicas import Checker, CheckerPlan, Refused, Replicas
from vivant.session.session import Source
from vivant.session.verdict import Verdict

__all__ = ["checker_deployment", "remote_judge"]

_TRIES = 3  # Of a replica that fails to start.
_UP_S = 5.0  # How long more are in work than is good before there is another replica ...
_DOWN_S = 300.0  # ... and how long fewer are before one ends.
_COUNT_S = 1.0  # How often the replicas that run are counted ...
_STALE_S = 10.0  # ... and how old a count may be: Serve's controller comes back in seconds.
_ASK_S = 5.0  # How long a command's machine may take to say that it is there.
_NAME = "Checker"


def checker_deployment(
    plan: CheckerPlan, wanted: Replicas, command: Any = None
) -> serve.Application:
    """The replicas, as many as the work needs.

    Args:
        plan: What each opens.
        wanted: How many.
        command: Handle of an actor that lives as long as the command does, and says `is_there`;
            None: no command started them.
    """
    deployment = serve.deployment(
        Checker,
        name=_NAME,
        ray_actor_options={"num_cpus": CPUS_PER_WORKER},
        # As many as a replica has places for: none is refused there that was taken here.
        max_ongoing_requests=plan.num_places,
        autoscaling_config=AutoscalingConfig(
            min_replicas=wanted.least,
            max_replicas=wanted.most,
            target_ongoing_requests=plan.num_workers,
            upscale_delay_s=_UP_S,
            downscale_delay_s=_DOWN_S,
        ),
        graceful_shutdown_timeout_s=plan.limits.answer_timeout_s,
        max_constructor_retry_count=_TRIES,
        logging_config=LoggingConfig(enable_access_log=False),
    )
    return deployment.bind(plan, None if command is None else partial(_end_with, command))


async def _end_with(command: Any) -> None:
    """Delete the application that this replica is of, if the command has died."""
    try:
        await asyncio.wait_for(command.is_there.remote(), _ASK_S)
    except ActorDiedError:
        name = serve.get_replica_context().app_name
        delete = partial(serve.delete, name, _blocking=False)
        await asyncio.get_running_loop().run_in_executor(None, delete)
    except (RayError, TimeoutError):  # It is not reached for the moment.
        pass


@contextmanager
def remote_judge(
    handle: DeploymentHandle, plan: CheckerPlan, application: str
) -> Iterator[RemoteJudge]:
    """A judge that asks the replicas, for the time within.

    Args:
        handle: To them.
        plan: What each is.
        application: The name under which they run: there they are counted.
    """

    async def ask(source: Source, rate: float) -> Verdict | Refused:
        answer: Verdict | Refused = await handle.check.remote(source, rate)
        return answer

    with _counted(application) as num_replicas:
        yield RemoteJudge(ask, num_replicas, plan)


@contextmanager
def _counted(application: str) -> Iterator[Callable[[], int]]:
    """Counts the replicas that run, now and then, in a thread of its own."""
    count, counted_s = 0, 0.0
    ended = threading.Event()

    def look() -> None:
        nonlocal count, counted_s
        try:
            states = serve.status().applications[application].deployments[_NAME].replica_states
            count, counted_s = states.get("RUNNING", 0), time.monotonic()
        except (RayError, KeyError):  # Asked while Serve itself starts anew.
            pass

    def go_on() -> None:
        while not ended.wait(_COUNT_S):
            look()

    look()
    thread = threading.Thread(target=go_on, name="vivant-count", daemon=True)
    thread.start()
    try:
        yield lambda: count if time.monotonic() - counted_s < _STALE_S else 0
    finally:
        ended.set()
        thread.join(_COUNT_S)  # It may ask a cluster that has gone.
