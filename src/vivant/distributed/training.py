"""A training in the workers of a cluster, by Ray Train: the same loop, started anew where one dies.

Ray Train starts the processes, one for each worker, and joins them. What a training is and how far
it is stands in its folder alone, on a file system that all nodes share: whoever is started there
goes on from the last checkpoint. Ray Train's own checkpoints are not used.
"""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# Workers stay where they are: names of files mean what they mean to the command.
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")

from lightning_fabric import Fabric
from ray.exceptions import RayActorError
from ray.train import FailureConfig, LoggingConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer
from ray.train.v2.api.exceptions import TrainingFailedError
from rich.console import Console

from vivant.distributed.cluster import CPUS_PER_WORKER, Room, asked_for, last_line, room
from vivant.distributed.workers import (
    HandedOverError,
    at_work,
    console_to,
    listening,
    require_shared,
    to_error,
)
from vivant.errors import ClusterError
from vivant.preparation.place import Place
from vivant.training.config import Experiment
from vivant.training.data import TrainingData, data_for
from vivant.training.folder import Best, Position, RunFolder, environment
from vivant.training.loop import fit, require_even_batches
from vivant.training.processes import joined
from vivant.training.progress import Progress

__all__ = ["Job", "train_on_cluster"]

_TRIES = 3  # Starts at one and the same checkpoint.
_ROOM_S = 15.0  # How long a cluster may take to notice that earlier work has ended.
_AGAIN_S = 600.0  # How long a node that was lost may take to come back.
_START_FAILURES = 2  # Of a group of workers that does not start, a minute each.
_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Job:
    """What each worker is told."""

    experiment: Experiment
    store: Place
    """Absolute, like all paths here: the same on every node."""
    protocol: str
    out: Path
    stages: tuple[int, ...]
    use_gpu: bool
    """Whether each worker trains on a GPU of its own, or else on a processor."""
    folder: Path
    """The command's working directory."""
    announce: Callable[[Console, Fabric, TrainingData], None] | None = None
    """Is called by the first worker, once: a function of a module, or a partial of one."""


def train_on_cluster(
    job: Job, num_workers: int, tell: Callable[[str], None], patience_s: float = 0.0
) -> Best:
    """Train, or go on with what is in the folder, in a cluster that is connected.

    Args:
        job: What to do.
        num_workers: How many train together. Others give other bits.
        tell: Is given lines for people.
        patience_s: How long nodes that are started on demand are waited for; 0: more workers than
            there is room for are refused at once.

    Returns:
        The best epoch of the last stage.

    Raises:
        ConfigError: the batch cannot be dealt evenly to the workers.
        ClusterError: no room, or workers die again and again at the same place.
        VivantError: what a worker raises; `training.loop.fit` says which.
    """
    require_even_batches(job.experiment, num_workers)
    _await_room(num_workers, job.use_gpu, patience_s or _ROOM_S, tell if patience_s else None)
    # So that a worker can tell a file system of its own from the one that is shared.
    job.out.mkdir(parents=True, exist_ok=True)
    folder = RunFolder(job.out)
    before: Position | None = None
    tries = 0
    with tempfile.TemporaryDirectory(prefix="vivant-") as state, listening(tell) as box:
        while True:
            try:
                _run_group(job, num_workers, box, Path(state))
                break
            except TrainingFailedError as error:
                _raise_ours(error)
                found = folder.latest()
                place = None if found is None else found[0]
                tries = tries + 1 if place == before and tries else 1
                before = place
                cause = _cause(error)
                if tries == _TRIES:
                    raise ClusterError(
                        f"{cause}, {_TRIES} times at {_told(place)}. What was done is kept in "
                        f"{job.out}: go on with --resume"
                    ) from error
                tell(f"{cause}: all workers start again, at {_told(place)}")
            job = replace(job, announce=None)
            _await_room(num_workers, job.use_gpu, _AGAIN_S, tell)
    last = [number for number in job.stages if job.experiment.stage(number) is not None][-1]
    best = folder.best(last)
    assert best is not None
    return best[0]


def _run_group(job: Job, num_workers: int, box: Any, state: Path) -> None:
    """Start the workers, and wait for their end.

    Raises:
        TrainingFailedError: one has died, or raised an error.
    """
    resources = {"CPU": CPUS_PER_WORKER} | ({"GPU": 1.0} if job.use_gpu else {})
    trainer = TorchTrainer(
        _work,
        train_loop_config={"job": job, "box": box},
        scaling_config=ScalingConfig(
            num_workers=num_workers, use_gpu=job.use_gpu, resources_per_worker=resources
        ),
        run_config=RunConfig(
            storage_path=str(state),
            # Each failure is looked at here: Ray Train would try errors of ours again.
            failure_config=FailureConfig(
                max_failures=0, controller_failure_limit=_START_FAILURES, max_preemption_failures=0
            ),
            logging_config=LoggingConfig(log_level="CRITICAL"),
        ),
    )
    with _ctrl_c():
        trainer.fit()


@contextmanager
def _ctrl_c() -> Iterator[None]:
    """Ctrl-C ends the command as elsewhere: Ray Train would end it with exit code 0."""
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit:
        raise KeyboardInterrupt from None
    finally:
        if is_main:
            signal.signal(signal.SIGINT, before)


def _work(told: dict[str, Any]) -> None:
    """What each worker does.

    Raises:
        HandedOverError: an error of ours.
    """
    job: Job = told["job"]
    with at_work(job.folder):
        if isinstance(job.store, Path):  # Else all nodes reach it, or none: `open_data` says why.
            require_shared(job.store, "--data")
        require_shared(job.out, "--out")
        experiment = job.experiment
        data = data_for(experiment, job.store, job.protocol)
        fabric = joined("cuda" if job.use_gpu else "cpu", experiment.precision)
        folder = RunFolder(job.out)
        console = None
        if fabric.is_global_zero:
            console = console_to(told["box"])
            if job.announce is not None:
                job.announce(console, fabric, data)
            if folder.is_there:
                folder.go_on(experiment, data.fingerprint, data.name)
            else:
                made_with = environment(data.described, fabric.world_size, experiment.precision)
                folder.begin(experiment, made_with)
        fabric.barrier()
        require_shared(folder.path / "experiment.json", "--out")
        with Progress(console) as progress:
            fit(fabric, experiment, data, folder, progress, stages=job.stages)


def _await_room(
    num_workers: int, use_gpu: bool, patience_s: float, tell: Callable[[str], None] | None = None
) -> None:
    """Wait until there is room for all workers.

    Args:
        num_workers: How many.
        use_gpu: Whether each takes a GPU.
        patience_s: How long. Where there is not even room without other work, and nobody to be
            told, nothing is waited for.
        tell: Is given a line if it takes longer than a moment.

    Raises:
        ClusterError: there is none.
    """
    with ExitStack() as asked:
        if tell is not None:
            asked.enter_context(asked_for(num_workers, num_gpus=float(use_gpu)))
        _look_for_room(num_workers, use_gpu, patience_s, tell)


def _look_for_room(
    num_workers: int, use_gpu: bool, patience_s: float, tell: Callable[[str], None] | None
) -> None:
    until_s = time.monotonic() + patience_s
    is_told = False
    while True:
        found = room()
        if (
            _places(found, use_gpu) >= num_workers
            and found.free_cpus >= num_workers * CPUS_PER_WORKER
        ):
            return
        never = tell is None and _places(found, use_gpu) < num_workers
        if never or time.monotonic() > until_s:
            each = f"{CPUS_PER_WORKER:g} CPUs" + (" and one GPU" if use_gpu else "")
            raise ClusterError(
                f"expected room for {num_workers} workers of {each} each; {found}: ask for fewer "
                "--workers, add nodes (where they start on demand: --patience), or wait until "
                "other work there has ended"
            )
        if tell is not None and not is_told and time.monotonic() > until_s - patience_s + _ROOM_S:
            tell(f"waiting for room for {num_workers} workers, up to {patience_s:g} s; {found}")
            is_told = True
        time.sleep(_LOOK_S)


def _places(found: Room, use_gpu: bool) -> int:
    """How many workers an idle cluster has room for: one a CPU."""
    by_cpu = sum(int(cpus) for cpus in found.cpus_by_node)
    return min(by_cpu, int(found.num_gpus)) if use_gpu else by_cpu


def _raise_ours(error: TrainingFailedError) -> None:
    """Raise what a worker raised, if it is an error of ours: another try would end as it did."""
    for failure in _failures(error).values():
        if isinstance(failure, HandedOverError):
            raise to_error(failure) from None


def _failures(error: TrainingFailedError) -> dict[int, Exception]:
    return dict(getattr(error, "worker_failures", {}))


def _cause(error: TrainingFailedError) -> str:
    """Why a group has ended: who died, else what was raised."""
    failures = _failures(error)
    dead = [rank for rank, each in failures.items() if _is_death(each)]
    if dead:
        who = f"worker {dead[0]}" if len(dead) == 1 else f"workers {', '.join(map(str, dead))}"
        return f"{who} of the training died (killed, out of memory, or the node was lost)"
    if not failures:
        return f"the workers cannot be started ({last_line(error)})"
    rank, failure = next(iter(failures.items()))
    return f"worker {rank} of the training failed ({type(failure).__name__}: {last_line(failure)})"


def _is_death(failure: Exception) -> bool:
    return isinstance(getattr(failure, "health_check_failure", failure), RayActorError)


def _told(place: Position | None) -> str:
    if place is None:
        return "its start"
    return f"stage {place.stage} epoch {place.epoch + 1} step {place.step}"
