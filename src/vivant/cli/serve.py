"""`vivant serve`: verdicts over HTTP and WebSocket, and a page that films."""

import socket
import uuid
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import typer

from vivant.cli.check import DetectorName, ModelFile, ProfileFile, RuntimeName, Threads
from vivant.cli.engine import Address, Engine, EngineName, NodePatience, require_ray_for

__all__ = ["serve"]

Host = Annotated[
    str, typer.Option(help="Address to listen at; one that others reach needs --keys.")
]
KeysFile = Annotated[
    Path | None,
    typer.Option(
        help="File of `vivant key add`: who may call, and who is told the score.",
        show_default="none: whoever reaches it may call, and is trusted",
    ),
]


Port = Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")]
Workers = Annotated[
    int,
    typer.Option(
        min=0,
        help="Presentations that are watched at a time; 0: one a core. With --engine ray: by each "
        "replica; 0: two.",
    ),
]
Anyone = Annotated[
    bool,
    typer.Option("--anyone-may-call", help="Listen without keys at an address that others reach."),
]
AuditFile = Annotated[
    Path | None,
    typer.Option(
        help="File for a line about each verdict: hashes, threshold, reasons, times; no picture. "
        "Beside it a key is made for the media's digests.",
        show_default="none",
    ),
]
Limit = Annotated[
    list[str] | None,
    typer.Option(
        help="Set a limit: NAME=VALUE, again for another; docs/serving.md has their names.",
        show_default="the service's own",
    ),
]
HostName = Annotated[
    list[str] | None,
    typer.Option(
        help="A name under which the service answers too, at a loopback address: such as that of "
        "the proxy before it.",
        show_default="localhost",
    ),
]
Proxy = Annotated[
    str | None,
    typer.Option(
        help="Address of a reverse proxy that is believed about who asks (X-Forwarded-For).",
        show_default="none",
    ),
]
Drain = Annotated[
    float,
    typer.Option(min=0, help="Seconds after SIGTERM in which requests are still taken, not ready."),
]
NumReplicas = Annotated[
    str | None,
    typer.Option(
        "--replicas",
        metavar="MIN:MAX",
        help="With --engine ray: processes that judge, anywhere in the cluster; more while many "
        "wait.",
        show_default="1 to as many as have room",
    ),
]


def serve(
    model: ModelFile = None,
    profile: ProfileFile = None,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    workers: Workers = 0,
    keys: KeysFile = None,
    anyone_may_call: Anyone = False,
    audit: AuditFile = None,
    limit: Limit = None,
    host_name: HostName = None,
    proxy: Proxy = None,
    drain: Drain = 3.0,
    detector: DetectorName = "blazeface",
    runtime: RuntimeName = "auto",
    threads: Threads = 0,
    engine: Engine = EngineName.LOCAL,
    address: Address = None,
    replicas: NumReplicas = None,
    patience: NodePatience = None,
) -> None:
    """Answer over HTTP: POST /v1/check, sessions, a stream, and a page with a camera at /.

    Files are decoded in processes of their own, nothing is stored, and everything has a limit.
    Ctrl+C or SIGTERM ends it once what was begun is answered.
    """
    from vivant.distributed.replicas import CheckerPlan, Replicas
    from vivant.parallel import num_cores
    from vivant.runtimes.opening import chosen
    from vivant.serving.audit import AuditLog
    from vivant.serving.keys import read_keys
    from vivant.serving.limits import parse_limits
    from vivant.serving.log import log_to_stderr
    from vivant.serving.server import require_free, require_keys
    from vivant.serving.server import serve as run
    from vivant.serving.service import Service
    from vivant.session.session import Session

    require_ray_for(engine, address=address, replicas=replicas, patience=patience)
    is_proxied = proxy is not None or bool(host_name)
    require_keys(host, is_proxied=is_proxied, has_keys=keys is not None, anyone=anyone_may_call)
    require_free(host, port)
    wanted = None if replicas is None else Replicas.parsed(replicas)
    limits = parse_limits(limit or ())
    known = None if keys is None else read_keys(keys)
    log_to_stderr()
    with ExitStack() as stack:
        session = stack.enter_context(
            Session.open(
                model, detector=detector, profile=profile, runtime=runtime, num_threads=threads
            )
        )
        written = None if audit is None else stack.enter_context(closing(AuditLog(audit)))
        judge = None
        if engine is EngineName.RAY:
            from vivant.distributed.serving import checkers

            plan = CheckerPlan.made(
                limits,
                model=model,
                detector=detector,
                profile=profile,
                runtime=chosen(runtime, session.runner),
                num_threads=threads,
                num_workers=workers,
                session=session,
            )
            name = f"vivant-{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
            place = checkers(plan, address, wanted, name, patience or 0.0)
            judge = stack.enter_context(place)
        service = Service(
            session,
            limits,
            keys=known,
            audit=written,
            num_workers=workers or num_cores(),
            judge=judge,
        )
        names = tuple(host_name or ())
        run(service, host, port, host_names=names, proxy=proxy, drain_s=drain)
