"""`--engine` and `--address`: where the commands that take them do their work."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from vivant.distributed.engine import RayEngine

__all__ = [
    "Address",
    "Engine",
    "EngineName",
    "GpusPerWorker",
    "NodePatience",
    "Patience",
    "cluster_engine",
    "require_ray_for",
]

_PATIENCE_S = 900.0


class EngineName(StrEnum):
    """What a command's work runs on."""

    LOCAL = "local"
    """Processes of this machine."""
    RAY = "ray"
    """A Ray cluster: the one at an address, or one of this machine alone."""


Engine = Annotated[
    EngineName,
    typer.Option(
        "--engine",
        help="local: processes of this machine. ray: a Ray cluster (extra ray); without --address "
        "one is made of this machine, for the time of the command.",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        help="With --engine ray: of the cluster's head; 'auto' for the one that runs on this "
        "machine.",
        show_default="RAY_ADDRESS, else this machine alone",
    ),
]
Patience = Annotated[
    float | None,
    typer.Option(
        "--patience",
        min=1,
        metavar="SECONDS",
        help="With --engine ray: how long nothing may come back before the command ends with an "
        "error. More where nodes are started on demand.",
        show_default=f"{_PATIENCE_S:g}",
    ),
]
NodePatience = Annotated[
    float | None,
    typer.Option(
        "--patience",
        min=1,
        metavar="SECONDS",
        help="With --engine ray: how long to wait for nodes that the cluster starts on demand.",
        show_default="what has no room is refused at once",
    ),
]
GpusPerWorker = Annotated[
    float,
    typer.Option(
        "--gpus-per-worker",
        min=0,
        help="With --engine ray: share of a GPU for each worker, with --runtime torch:cuda.",
    ),
]


def require_ray_for(engine: EngineName, **options: object) -> None:
    """Refuse options that only a cluster knows, where the engine is another.

    Args:
        engine: As given.
        options: Values by the options' names, `gpus_per_run` for `--gpus-per-run`; None, False and
            0 were not given.

    Raises:
        typer.BadParameter: one was given without `--engine ray`.
    """
    given = [name for name, value in options.items() if value]
    if engine is not EngineName.RAY and given:
        words = ", ".join("--" + name.replace("_", "-") for name in given)
        raise typer.BadParameter(f"expected --engine ray with {words}, got --engine {engine}")


@contextmanager
def cluster_engine(
    address: str | None, workers: int | None, patience_s: float | None, gpus_per_worker: float = 0
) -> "Iterator[tuple[RayEngine, int]]":
    """A cluster's engine for the time within, and how many workers it is to have.

    Args:
        address: As given.
        workers: As given; None: as many as the cluster has room for.
        patience_s: As given; None: the default.
        gpus_per_worker: As given.

    Raises:
        ClusterError: no such cluster can be reached.
        MissingExtraError: Ray is not installed.
    """
    from vivant.distributed.cluster import connected
    from vivant.distributed.engine import RayEngine, workers_for

    with connected(address) as room:
        num_workers = workers or workers_for(room.cpus_by_node)
        Console(stderr=True).print(f"{room}; at most {num_workers} workers", highlight=False)
        yield RayEngine(patience_s or _PATIENCE_S, gpus_per_worker), num_workers
