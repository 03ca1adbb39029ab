import pickle
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from safetensors.torch import load_file

from cluster_process import ERROR, TWO, ended
from clusters import Nodes
from training_runs import differing, minimal, training_store
from vivant.errors import ClusterError, ConfigError, UnknownNameError

if TYPE_CHECKING:
    from vivant.distributed.cluster import Room
    from vivant.distributed.training import Job


@pytest.fixture(scope="module")
def training() -> ModuleType:
    """The module under test; it imports Ray."""
    from vivant.distributed import training

    return training


def job(out: Path, **changes: Any) -> "Job":
    from vivant.distributed.training import Job

    fields = {"experiment": minimal(), "store": out / "store", "protocol": "folder", "out": out,
              "stages": (1, 2, 3), "use_gpu": False, "folder": out}  # fmt: skip
    return Job(**(fields | changes))


def in_rooms(monkeypatch: pytest.MonkeyPatch, *rooms: "Room") -> list[float]:
    """The cluster is as each of these says in turn, then as the last. Returns who has slept."""
    from vivant.distributed import cluster, training

    left, slept = [*rooms], []
    clock = [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(training, "room", lambda: left.pop(0) if len(left) > 1 else left[0])
    time = SimpleNamespace(sleep=sleep, monotonic=lambda: clock[0])
    monkeypatch.setattr(training, "time", time)
    monkeypatch.setattr(cluster, "request_resources", lambda bundles: ASKED.append(bundles))
    ASKED.clear()
    return slept


ASKED: list[list[dict[str, float]]] = []
"""Room that a cluster was asked for, since `in_rooms`."""


def a_room(
    num_nodes: int, num_cpus: float, num_gpus: float, by_node: tuple[float, ...], free: float
) -> "Room":
    from vivant.distributed.cluster import Room

    return Room(num_nodes, num_cpus, num_gpus, by_node, free)


ROOM = (2, 5.0, 1.0, (1.5, 3.5), 5.0)
"""Of two nodes with five CPUs, all of them free, and one GPU."""


def test_job_reaches_the_workers_as_it_is(tmp_path: Path) -> None:
    asked = job(tmp_path)
    assert pickle.loads(pickle.dumps(asked)) == asked


def test_there_is_room_for_one_worker_a_whole_cpu_and_gpu(
    training: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept = in_rooms(monkeypatch, a_room(*ROOM))
    training._await_room(4, False, 15.0)
    training._await_room(1, True, 15.0)
    assert not slept


@pytest.mark.parametrize(
    ("num", "use_gpu", "each"), [(5, False, "0.9 CPUs each"), (2, True, "one GPU")]
)
def test_too_many_workers_are_refused_at_once(
    training: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    num: int,
    use_gpu: bool,
    each: str,
) -> None:
    slept = in_rooms(monkeypatch, a_room(*ROOM))
    dealt = minimal().data.model_copy(update={"batch_clips": 10, "micro_batch_clips": 1})
    asked = job(tmp_path / "run", use_gpu=use_gpu, experiment=minimal(data=dealt))
    with pytest.raises(ClusterError, match=f"expected room for {num} workers of .*{each}.*2 nodes"):
        training.train_on_cluster(asked, num, print)
    assert not slept
    assert not asked.out.exists()


def test_what_others_use_is_waited_for_and_no_longer(
    training: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = a_room(1, 2.0, 0.0, (2.0,), 0.0)
    free = a_room(1, 2.0, 0.0, (2.0,), 2.0)
    slept = in_rooms(monkeypatch, busy, busy, free)
    training._await_room(2, False, 15.0)
    assert len(slept) == 2
    told: list[str] = []
    in_rooms(monkeypatch, busy)
    with pytest.raises(ClusterError, match=r"2 CPUs \(0 free\)"):
        training._await_room(2, False, 600.0, told.append)
    assert len(told) == 1
    assert told[0].startswith("waiting for room for 2 workers, up to 600 s")


def test_nodes_that_start_on_demand_are_asked_for_and_waited_for(
    training: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = failing(monkeypatch, {0: handed_over("ConfigError", "the workers came")})
    none = a_room(1, 0.0, 0.0, (0.0,), 0.0)
    slept = in_rooms(monkeypatch, *[none] * 30, a_room(2, 4.0, 1.0, (0.0, 4.0), 4.0))
    told: list[str] = []
    with pytest.raises(ConfigError, match="the workers came"):
        training.train_on_cluster(job(tmp_path, use_gpu=True), 1, told.append, patience_s=600.0)
    assert len(jobs) == 1
    assert len(slept) == 30
    assert ASKED == [[{"CPU": 1.0, "GPU": 1.0}], []]
    assert told[0].startswith("waiting for room for 1 workers, up to 600 s")


def test_uneven_batches_are_refused_before_a_cluster_is_asked(
    training: ModuleType, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"micro_batch_clips x devices .4 x 3."):
        training.train_on_cluster(job(tmp_path), 3, print)


def handed_over(kind: str, message: str) -> Exception:
    from vivant.distributed.workers import HandedOverError

    return HandedOverError(kind, message)


def failing(monkeypatch: pytest.MonkeyPatch, failures: dict[int, Exception]) -> "list[Job]":
    """Each group of workers ends like this; returns what they were told."""
    from ray.train.v2.api.exceptions import WorkerGroupError

    from vivant.distributed import training

    jobs: list[Job] = []

    def run_group(asked: "Job", *_: object) -> None:
        jobs.append(asked)
        raise WorkerGroupError("", failures)

    class Listening:
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    in_rooms(monkeypatch, a_room(*ROOM))
    monkeypatch.setattr(training, "_run_group", run_group)
    monkeypatch.setattr(training, "listening", lambda _: Listening())
    return jobs


def test_workers_that_die_at_one_place_are_given_up(
    training: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.exceptions import RayActorError
    from ray.train.v2._internal.exceptions import WorkerHealthCheckFailedError

    death = WorkerHealthCheckFailedError("", RayActorError())
    broken = RuntimeError("Connection reset by peer")
    jobs = failing(monkeypatch, {0: broken, 1: death})
    told: list[str] = []
    asked = job(tmp_path, announce=test_job_reaches_the_workers_as_it_is)
    with pytest.raises(
        ClusterError, match=r"worker 1 of the training died .*, 3 times at its start"
    ) as found:
        training.train_on_cluster(asked, 1, told.append)
    assert f"kept in {tmp_path}: go on with --resume" in str(found.value)
    assert len(told) == 2
    assert [each.announce is not None for each in jobs] == [True, False, False]


def test_error_of_ours_is_not_tried_again(
    training: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = RuntimeError("Connection reset by peer")
    failures = {0: broken, 1: handed_over("ConfigError", "expected this, got that")}
    jobs = failing(monkeypatch, failures)
    with pytest.raises(ConfigError, match="^expected this, got that$"):
        training.train_on_cluster(job(tmp_path), 1, print)
    assert len(jobs) == 1


def test_other_errors_are_named(
    training: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, {1: ZeroDivisionError("division\nby zero")})
    with pytest.raises(
        ClusterError, match="worker 1 .* failed .ZeroDivisionError: by zero., 3 times"
    ):
        training.train_on_cluster(job(tmp_path), 1, print)


def test_ctrl_c_is_not_the_end_of_a_training_that_is_done(training: ModuleType) -> None:
    with pytest.raises(KeyboardInterrupt), training._ctrl_c():
        raise SystemExit(0)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training_store(tmp_path_factory.mktemp("cluster") / "store")


@pytest.fixture
def train(store: Path, nodes: Nodes, tmp_path: Path) -> Callable[..., Any]:
    """Runs the command with two workers; returns how it ended. `--engine ray` finds the cluster."""

    def run(out: str, *options: object, events: str = "") -> Any:
        words = ("train", "smoke", "--data", store, "--protocol", "folder", "--out", tmp_path / out)
        return ended(*words, *TWO, *options, marks=tmp_path, events=events, address=nodes.address)

    return run


@pytest.mark.slow
def test_training_whose_worker_is_killed_has_the_bits_of_an_undisturbed_one(
    train: Callable[..., Any], tmp_path: Path
) -> None:
    """The undisturbed one is that of two processes without a cluster."""
    here = train("here", "--devices", 2)
    assert here.returncode == 0, here.stderr
    there = train("there", "--engine", "ray", "--workers", 2, events="kill:1:2")
    assert there.returncode == 0, there.stderr
    assert (tmp_path / "kill-1-2").is_file()
    again = "worker 1 of the training died (killed, out of memory, or the node was lost): all workers start again, at stage 2 epoch 1 step "
    assert again in there.stderr
    for told in ("smoke: PLUMBING ONLY", "stage 1 epoch 1: dev ACER", "stage 3 epoch 1: dev ACER"):
        assert there.stderr.count(told) == 1, there.stderr
    assert "vivant check CLIP.mp4 --model" in there.stdout
    assert not differing(
        *(load_file(tmp_path / out / "smoke.safetensors") for out in ("here", "there"))
    )
    names = [{path.name for path in (tmp_path / out).iterdir()} for out in ("here", "there")]
    assert names[0] == names[1]


@pytest.mark.slow
def test_error_of_a_worker_is_the_command_s(train: Callable[..., Any]) -> None:
    found = train("run", "--engine", "ray", "--workers", 2, events="error:1:1")
    assert found.returncode == 1
    assert isinstance(ERROR, UnknownNameError)
    assert found.stderr.splitlines()[-1] == f"Error: {ERROR}"
    assert "Traceback" not in found.stderr
    assert "start again" not in found.stderr
