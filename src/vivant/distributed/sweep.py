"""Many trainings at once, each a task of a cluster: the runs behind the paper's tables.

A run is what `reproduction.runs.train` makes of its folder, here as there: a task whose process or
node dies is started anew, and goes on from the run's last checkpoint.
"""

import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from vivant.distributed.cluster import asked_for, room
from vivant.distributed.workers import (
    HandedOverError,
    at_work,
    console_to,
    listening,
    require_shared,
)
from vivant.errors import ClusterError, TrainingError
from vivant.reproduction.data import Data, Tell
from vivant.reproduction.runs import Run, stage1_of, train
from vivant.training.config import Experiment
from vivant.training.progress import Progress

__all__ = ["Sweep", "groups_of"]

_CPUS = 1.0
_RETRIES = 5  # Of a run whose process or node died.
_LOOK_S = 1.0
_QUIET_S = 600.0  # Without a run that ends: then people are told what is waited for.


@dataclass(frozen=True, slots=True)
class Sweep:
    """Trains runs in a cluster that is connected: a `reproduction.reproduce.TrainAll`."""

    say: Callable[[str], None]
    """Is given each run's lines."""
    gpus_per_run: float = 0.0
    """Share of a GPU that each run takes; 0: it trains on a processor."""
    patience_s: float = 0.0
    """How long a node for a run is waited for, where nodes are started on demand."""

    def __call__(
        self,
        recipe: Experiment,
        runs: Sequence[Run],
        stores: Mapping[str, Data],
        folder: Path,
        progress: Callable[[], Progress],
        tell: Tell,
    ) -> dict[Run, Path]:
        """Train what is not trained, as many at once as there is room for.

        Args:
            recipe: Of the whole network.
            runs: Which.
            stores: Of their data sets; on a file system that all nodes share, like the folder.
            folder: Of all runs.
            progress: Not used: runs tell theirs by lines.
            tell: Is told which are done.

        Returns:
            Each run's card.

        Raises:
            ClusterError: no node has room for a run.
            TrainingError: runs failed; it says which, and why. The others are trained.
        """
        self._require_room()
        folder.mkdir(parents=True, exist_ok=True)
        cards: dict[Run, Path] = {}
        failed: dict[Run, str] = {}
        with listening(self.say) as box:
            told = _Told(recipe, folder.absolute(), Path.cwd(), self.gpus_per_run > 0, box)
            for run, found in self._in_turn(told, runs, stores):
                if isinstance(found, Path):
                    cards[run] = folder / run.name / found.name
                    tell(f"trained {run.name}", len(cards), len(runs))
                else:
                    failed[run] = found
                    self.say(f"{run.name}: failed: {found}")
        if failed:
            listed = "; ".join(f"{run.name}: {why}" for run, why in failed.items())
            raise TrainingError(
                f"{len(failed)} of {len(runs)} runs failed; the others are trained, and the same "
                f"command goes on with these: {listed}"
            )
        return cards

    def _in_turn(
        self, told: "_Told", runs: Sequence[Run], stores: Mapping[str, Data]
    ) -> Iterator[tuple[Run, Path | str]]:
        """Each run with its card, or why it has none, as they get done."""
        task = ray.remote(num_cpus=_CPUS, num_gpus=self.gpus_per_run or None, max_retries=_RETRIES)(
            _train
        )
        groups = [_Group(group) for group in groups_of(runs, told.recipe)]
        pending: dict[Any, tuple[_Group, Run]] = {}
        while True:
            for group in groups:
                for run in group.startable():
                    data = stores[run.dataset]
                    pending[task.remote(told, run, data, group.runs)] = group, run
            if not pending:
                return
            ready, _ = ray.wait(list(pending), timeout=_QUIET_S)
            for each in ready:
                group, run = pending.pop(each)
                found = _result(each)
                group.ended(is_trained=isinstance(found, Path))
                yield run, found
            if not ready:
                self.say(f"{len(pending)} runs are going, or wait for room; {room()}")

    def _require_room(self) -> None:
        """Refuse what would wait for ever.

        Raises:
            ClusterError: no node is large enough for a run.
        """
        if self._has_room() or (self.patience_s and self._has_room_in_time()):
            return
        gpus = f" and {self.gpus_per_run:g} GPUs" if self.gpus_per_run else ""
        raise ClusterError(
            f"expected room for one run, {_CPUS:g} CPU{gpus} on one node; {room()}: add a node "
            "(where they start on demand: --patience), or take less with --gpus-per-run"
        )

    def _has_room_in_time(self) -> bool:
        until_s = time.monotonic() + self.patience_s
        self.say(f"waiting for a node for a run, up to {self.patience_s:g} s; {room()}")
        with asked_for(1, num_gpus=self.gpus_per_run):
            while time.monotonic() < until_s:
                time.sleep(_LOOK_S)
                if self._has_room():
                    return True
        return False

    def _has_room(self) -> bool:
        found = room()
        has_gpus = found.num_gpus >= self.gpus_per_run
        return max(found.cpus_by_node, default=0.0) >= _CPUS and has_gpus


def groups_of(runs: Sequence[Run], recipe: Experiment) -> tuple[tuple[Run, ...], ...]:
    """Runs that have the same first stage, together; in the order of the first of each.

    Args:
        runs: All of them.
        recipe: Of the whole network.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(stage1_of(run, recipe), []).append(run)
    return tuple(map(tuple, groups.values()))


class _Group:
    """Runs of one first stage: one trains it, then all others take it over, at once.

    Args:
        runs: In their order.
    """

    def __init__(self, runs: tuple[Run, ...]) -> None:
        self.runs = runs
        self._waiting = deque(runs)
        self._is_going = self._is_there = False

    def startable(self) -> list[Run]:
        """What may start now; it then counts as started."""
        if self._is_going and not self._is_there:
            return []
        found = list(self._waiting) if self._is_there else list(self._waiting)[:1]
        for _ in found:
            self._waiting.popleft()
        self._is_going = bool(found) or self._is_going
        return found

    def ended(self, *, is_trained: bool) -> None:
        """A run has ended; if it failed, the next may train the first stage."""
        self._is_there = self._is_there or is_trained
        self._is_going = False


@dataclass(frozen=True, slots=True)
class _Told:
    """What each task is told."""

    recipe: Experiment
    folder: Path
    work_folder: Path
    use_gpu: bool
    box: Any


def _train(told: _Told, run: Run, data: Data, others: Sequence[Run]) -> str:
    """Train a run, or go on with it, in a process of the cluster.

    Args:
        told: Of all runs.
        run: Which.
        data: Its data set.
        others: Those whose first stage may serve.

    Returns:
        The path of its card.

    Raises:
        HandedOverError: an error of ours.
    """
    with at_work(told.work_folder):
        require_shared(data.store.absolute(), "the store")
        require_shared(told.folder, "--out")
        console = console_to(told.box, f"{run.name}: ")
        console.print(f"begins, or goes on, on {socket.gethostname()}", highlight=False)
        card = train(
            run,
            told.recipe,
            data.store,
            data.fingerprint,
            told.folder,
            others,
            lambda: Progress(console),
            accelerator="cuda" if told.use_gpu else "cpu",
        )
        return str(card)


def _result(task: Any) -> Path | str:
    """The card of a run that has ended, or why it has none."""
    try:
        return Path(ray.get(task))
    except RayTaskError as error:
        cause = error.cause
        if isinstance(cause, HandedOverError):
            return cause.message
        return f"{type(cause).__name__}: {cause}".strip().splitlines()[0]
    except RayError as error:
        lines = str(error).strip().splitlines()
        return f"its process died, {_RETRIES + 1} times ({lines[0] if lines else error!r})"
