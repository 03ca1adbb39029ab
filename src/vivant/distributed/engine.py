"""The same work on many things, by Ray Data in processes of a cluster.

What `vivant.parallel.in_processes` is on one machine: each thing comes back once, whatever dies
meanwhile. Ray Data hands blocks of things out to workers (its actors), starts those that die again,
elsewhere where their machine died, and gives them their blocks anew, for ever; a roll of what is
in work sees to it that a thing that kills its worker each time is given up.
"""

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import ray.data
from ray.actor import ActorHandle
from ray.data import ActorPoolStrategy, DataContext
from ray.data.exceptions import ExecutionTimeoutError
from ray.exceptions import RayError

from vivant.distributed.cluster import CPUS_PER_WORKER, here, last_line, room
from vivant.distributed.roll import Roll
from vivant.errors import ClusterError, InputError
from vivant.parallel import Failure

__all__ = ["RayEngine", "block_size", "workers_for"]

T = TypeVar("T")
R = TypeVar("R")

_BLOCK = 8  # Things that are handed out together: what a death can cost.
_BLOCKS_PER_WORKER = 8  # At least, where there are enough things: the last ones end together.
_MAX_BLOCKS = 20_000  # Of which each costs the command memory and a moment: beyond, they grow.
_INIT_DEATHS = 20  # Workers in a row that do not come to work.
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class RayEngine:
    """Runs work on things in a cluster that is connected (`cluster.connected`)."""

    patience_s: float = 900.0
    """How long nothing may come back before this ends with an error."""
    gpus_per_worker: float = 0.0
    """Share of a GPU that each worker takes."""

    def __call__(
        self, build: Callable[[], Callable[[T], R]], items: Iterable[T], num_workers: int, /
    ) -> Iterator[tuple[T, R | Failure]]:
        """Work on each thing, in whatever order they get done.

        Args:
            build: Makes the work, once in each worker. It, the things and the results are pickled;
                what it needs must be importable, and files that it opens be there, on all nodes.
            items: All are taken at once.
            num_workers: At most; as many as there is room for are started.

        Returns:
            Each thing once, with its result; a Failure where the work raised an error, or its
            process died over it again and again.

        Raises:
            InputError: fewer than one worker.
            ClusterError: nothing came back for too long, or no worker can be set up.
        """
        if num_workers < 1:
            raise InputError(f"expected at least one worker, got {num_workers}")
        things = list(items)
        waiting = dict(enumerate(things))
        if not waiting:
            return
        roll = ray.remote(Roll).options(num_cpus=0, scheduling_strategy=here()).remote()
        try:
            for number, result in self._run(build, things, num_workers, roll):
                if waiting.pop(number, None) is not None:  # Else it was done twice.
                    yield things[number], result
        except ExecutionTimeoutError as error:
            in_work = [waiting[each] for each in ray.get(roll.in_work.remote()) if each in waiting]
            raise ClusterError(self._stuck(list(waiting.values()), in_work)) from error
        except RayError as error:
            raise ClusterError(
                f"the cluster gave up, with {len(waiting):,} to do: {last_line(error)}. What was "
                "done is kept: run the same command again"
            ) from error
        if waiting:  # None was ever seen to be lost; it must not pass for the end.
            raise ClusterError(
                f"the cluster ended without {len(waiting):,} results "
                f"({_names([*waiting.values()])}): run the same command again"
            )

    def _run(
        self,
        build: Callable[[], Callable[[T], R]],
        things: Sequence[T],
        num_workers: int,
        roll: "ActorHandle[Roll]",
    ) -> Iterator[tuple[int, R | Failure]]:
        rows = [{"number": n, "item": pickle.dumps(item)} for n, item in enumerate(things)]
        num_blocks = -(-len(rows) // block_size(len(rows), num_workers))
        with DataContext.current(self._context()):
            found = ray.data.from_items(rows, override_num_blocks=num_blocks).map(
                _Worker,
                fn_constructor_args=(build, roll),
                num_cpus=CPUS_PER_WORKER,
                num_gpus=self.gpus_per_worker or None,
                compute=ActorPoolStrategy(
                    min_size=1, max_size=num_workers, initial_size=num_workers
                ),
            )
            for row in found.iter_rows():
                kind, result = pickle.loads(row["result"])  # noqa: S301 - from our own worker.
                if kind == _BROKEN:
                    raise ClusterError(f"a worker cannot be set up: {result}")
                yield int(row["number"]), result

    def _context(self) -> DataContext:
        """How Ray Data is to run it."""
        context = DataContext.get_current().copy()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        context.execution_no_progress_timeout_s = self.patience_s
        context.max_consecutive_actor_init_deaths = _INIT_DEATHS
        return context

    def _stuck(self, waiting: Sequence[object], in_work: Sequence[object]) -> str:
        """For people: what waits, and for what."""
        wanted = f"{CPUS_PER_WORKER:g} CPUs"
        if self.gpus_per_worker:
            wanted += f" and {self.gpus_per_worker:g} GPUs"
        return (
            f"nothing came back for {self.patience_s:g} s. {len(waiting):,} are to do "
            f"({_names(waiting)}), {len(in_work):,} of them in work"
            + (f" ({_names(in_work)})" if in_work else "")
            + f". Each worker needs {wanted} on one node; {room()}. Wait until other work there "
            "has ended, add nodes, or give more time with --patience; what was done is kept, and "
            "the same command goes on with the rest"
        )


def block_size(num_things: int, num_workers: int) -> int:
    """How many things are handed out together.

    >>> block_size(20, 2), block_size(400, 2), block_size(1_000_000, 200)
    (1, 8, 50)
    """
    small = min(_BLOCK, num_things // (num_workers * _BLOCKS_PER_WORKER))
    return max(1, small, -(-num_things // _MAX_BLOCKS))


def workers_for(cpus_by_node: Sequence[float]) -> int:
    """How many workers nodes have room for: one a CPU; at least one, for nodes that are to come.

    >>> workers_for([4.0, 2.0, 0.0]), workers_for([0.0])
    (6, 1)
    """
    return max(1, sum(int(cpus) for cpus in cpus_by_node))


_DONE, _BROKEN = "done", "broken"


class _Worker:
    """What a process of the cluster holds: the work, made at the first thing."""

    def __init__(
        self, build: Callable[[], Callable[[Any], Any]], roll: "ActorHandle[Roll]"
    ) -> None:
        self._build = build
        self._roll = roll
        self._work: Callable[[Any], Any] | None = None

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """The result of a row's thing, never an error: that would end the whole."""
        number = row["number"]
        if not ray.get(self._roll.begin.remote(number)):
            message = "its process died, again and again: killed from outside, or out of memory"
            return _row(number, _DONE, Failure(message))
        kind, result = self._answer(row["item"])
        self._roll.end.remote(number)
        return _row(number, kind, result)

    def _answer(self, item: bytes) -> tuple[str, Any]:
        if self._work is None:
            try:
                self._work = self._build()
            except Exception as error:  # It would come again at every thing: all ends.
                return _BROKEN, f"{type(error).__name__}: {error}"
        try:
            return _DONE, self._work(pickle.loads(item))  # noqa: S301 - from our own driver.
        except Exception as error:  # One thing must not end the other thousands.
            return _DONE, Failure(f"{type(error).__name__}: {error}")


def _row(number: int, kind: str, result: object) -> dict[str, Any]:
    return {"number": number, "result": pickle.dumps((kind, result))}


def _names(items: Sequence[object]) -> str:
    named = ", ".join(str(getattr(item, "path", item)) for item in items[:_SHOWN])
    return named + (", ..." if len(items) > _SHOWN else "")
