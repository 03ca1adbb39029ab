"""The whole service as an application of Ray Serve, for `serve run`, `serve deploy` and KubeRay.

    serve run vivant.distributed.application:build keys=/etc/vivant/keys.json replicas=1:4

Serve's proxies take the requests, one replica (`Front`) has the application of `vivant serve` with
its sessions and rates, and the others judge. `vivant serve --engine ray` does without the proxies:
there, the bounds on connections hold, too.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from ray import serve
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import LoggingConfig

from vivant.distributed.deployment import checker_deployment, remote_judge
from vivant.distributed.replicas import CheckerPlan, Replicas
from vivant.errors import InputError
from vivant.runtimes.opening import AUTO
from vivant.serving.app import create_app
from vivant.serving.audit import AuditLog
from vivant.serving.keys import Keys, read_keys
from vivant.serving.limits import parse_limits
from vivant.serving.log import log_to_stderr
from vivant.serving.server import believe
from vivant.serving.service import Service
from vivant.session.session import Session

__all__ = ["Front", "Settings", "build"]

_FRONT_CPUS = 0.1
_NUM_QUEUED = 64  # Requests that a proxy holds while the front has max_connections of them.
_END_S = 90.0  # For the front to answer what it has taken.


class Settings(BaseModel):
    """Arguments of the application; as the options of `vivant serve`. Paths: on every node."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Path | None = None
    profile: Path | None = None
    detector: str = "blazeface"
    runtime: str = AUTO
    threads: int = Field(0, ge=0)
    workers: int = Field(0, ge=0)
    replicas: str | int = "1:4"
    """In YAML in quotes: there 1:4 is the number 64."""
    keys: Path | None = None
    anyone_may_call: bool = False
    audit: Path | None = None
    """On the node of the front, which may be another when it is started anew: a shared volume."""
    limits: dict[str, str | int | float] = Field(default_factory=dict)
    proxy: str | None = None
    """Address of a reverse proxy before Serve's."""

    def plan(self) -> CheckerPlan:
        """What each replica that judges opens."""
        return CheckerPlan.made(
            parse_limits([f"{name}={value}" for name, value in self.limits.items()]),
            model=self.model,
            profile=self.profile,
            detector=self.detector,
            runtime=self.runtime,
            num_threads=self.threads,
            num_workers=self.workers,
        )


class Front:
    """The one replica that has the sessions, the rates and the memory of seen media.

    Args:
        settings: Of the application.
        keys: Who may call; None: anyone.
        checkers: The replicas that judge.

    Raises:
        VivantError: model or profile cannot be opened, or the audit log not written.
    """

    def __init__(self, settings: Settings, keys: Keys | None, checkers: DeploymentHandle) -> None:
        log_to_stderr()
        plan = settings.plan()
        self._proxy = settings.proxy
        self._opened = ExitStack()
        session = self._opened.enter_context(
            Session.open(
                plan.model,
                detector=plan.detector,
                profile=plan.profile,
                runtime=plan.runtime,
                num_threads=plan.num_threads,
            )
        )
        written = None if settings.audit is None else AuditLog(settings.audit)
        if written is not None:
            self._opened.callback(written.close)
        name = serve.get_replica_context().app_name
        judge = self._opened.enter_context(remote_judge(checkers, plan, name))
        self._service = Service(
            session,
            plan.limits,
            keys=keys,
            audit=written,
            num_workers=plan.num_workers,
            judge=judge,
        )

    def __serve_build_asgi_app__(self) -> Any:
        """The application; Serve calls it once, when the replica starts."""
        app = create_app(self._service, None)
        if self._proxy is not None:
            believe(app, self._proxy)
        return app

    def __del__(self) -> None:
        """Serve calls it after the application has ended."""
        if hasattr(self, "_opened"):
            self._opened.close()


def build(settings: Settings) -> serve.Application:
    """The application: one front, and replicas that judge.

    Args:
        settings: What `serve run` and a configuration's `args` give.

    Raises:
        InputError: there are no keys, and nobody said that anyone may call; a limit is none.
        UnknownNameError: there is no such limit.
    """
    if settings.keys is None and not settings.anyone_may_call:
        raise InputError(
            "Serve's proxies can be reached from other machines: make keys (`vivant key add NAME "
            "--file keys.json`) and set keys=keys.json, or say anyone_may_call=true"
        )
    keys = None if settings.keys is None else read_keys(settings.keys)
    plan = settings.plan()
    checkers = checker_deployment(plan, Replicas.parsed(str(settings.replicas)))
    front = serve.deployment(
        serve.ingress()(Front),
        name="Front",
        num_replicas=1,
        ray_actor_options={"num_cpus": _FRONT_CPUS},
        max_ongoing_requests=plan.limits.max_connections,
        max_queued_requests=_NUM_QUEUED,
        graceful_shutdown_timeout_s=_END_S,
        logging_config=LoggingConfig(enable_access_log=False),
    )
    return front.bind(settings, keys, checkers)
