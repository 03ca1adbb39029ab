import os
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from safetensors.torch import load_file

from cluster_process import ended
from clusters import Nodes
from reproductions import named_store, recipe
from training_runs import differing
from vivant.errors import ClusterError, TrainingError
from vivant.reproduction.data import Data
from vivant.reproduction.plan import runs_of
from vivant.reproduction.runs import Run

A, B, C, D = (Run(f"model_{letter}", "oulu_npu", "1") for letter in "abcd")
OTHER_SEED = Run("model_b", "oulu_npu", "1", seed=1)
OTHER_DATA = Run("model_d", "siw", "1")


@pytest.fixture(scope="module")
def sweep() -> ModuleType:
    """The module under test; it imports Ray."""
    from vivant.distributed import sweep

    return sweep


def a_room(
    num_nodes: int, num_cpus: float, num_gpus: float, by_node: tuple[float, ...], free: float
) -> Any:
    from vivant.distributed.cluster import Room

    return Room(num_nodes, num_cpus, num_gpus, by_node, free)


def test_runs_of_one_first_stage_are_one_group(sweep: ModuleType) -> None:
    runs = (B, OTHER_SEED, C, OTHER_DATA, D)
    assert sweep.groups_of(runs, recipe()) == ((B, C, D), (OTHER_SEED,), (OTHER_DATA,))


def test_ablation_shares_what_comes_before_its_settings(sweep: ModuleType) -> None:
    same = Run("model_d", "oulu_npu", "1", settings=("network.aam.num_patches=2",))
    other = Run("model_d", "oulu_npu", "1", settings=("network.advisor.hidden_size=4",))
    assert sweep.groups_of((D, same, other), recipe()) == ((D, same), (other,))


def test_every_run_of_the_paper_is_in_one_group(sweep: ModuleType) -> None:
    runs = runs_of(("table1", "table2", "table3", "table4", "figure4"))
    groups = sweep.groups_of(runs, recipe())
    assert sorted(run.name for group in groups for run in group) == sorted(run.name for run in runs)
    # Of each seed B, C and D go together; Model A has no second module, and its own first stage.
    assert (
        sum({"model_b", "model_c", "model_d"} <= {run.variant for run in group} for group in groups)
        == 3
    )


def test_one_run_trains_the_first_stage_for_all_others(sweep: ModuleType) -> None:
    group = sweep._Group((B, C, D))
    assert group.startable() == [B]
    assert group.startable() == []
    group.ended(is_trained=True)
    assert group.startable() == [C, D]
    assert group.startable() == []
    group.ended(is_trained=False)
    assert group.startable() == []


def test_where_it_fails_the_next_run_tries(sweep: ModuleType) -> None:
    group = sweep._Group((B, C, D))
    group.startable()
    group.ended(is_trained=False)
    assert group.startable() == [C]
    assert group.startable() == []
    group.ended(is_trained=True)
    assert group.startable() == [D]


@pytest.mark.parametrize(
    ("room", "gpus"),
    [((2, 1.0, 0.0, (0.5, 0.5), 1.0), 0.0), ((1, 8.0, 0.0, (8.0,), 8.0), 0.5),
     ((0, 0.0, 0.0, (), 0.0), 0.0)],
)  # fmt: skip
def test_cluster_without_room_for_one_run_is_refused(
    sweep: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    room: tuple[Any, ...],
    gpus: float,
) -> None:
    monkeypatch.setattr(sweep, "room", lambda: a_room(*room))
    with pytest.raises(
        ClusterError, match="expected room for one run, 1 CPU.* on one node; the cluster"
    ):
        sweep.Sweep(print, gpus)(recipe(), [B], {}, tmp_path / "runs", print, print)
    assert not (tmp_path / "runs").exists()


def test_node_that_starts_on_demand_is_asked_for_and_waited_for(
    sweep: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vivant.distributed import cluster

    none, some = a_room(1, 0.0, 0.0, (0.0,), 0.0), a_room(2, 4.0, 1.0, (0.0, 4.0), 4.0)
    rooms, asked, said = [none, none, none, some], [], []
    monkeypatch.setattr(sweep, "room", lambda: rooms.pop(0) if len(rooms) > 1 else some)
    clock = SimpleNamespace(monotonic=lambda: 0.0, sleep=lambda _: None)
    monkeypatch.setattr(sweep, "time", clock)
    monkeypatch.setattr(cluster, "request_resources", lambda bundles: asked.append(bundles))
    sweep.Sweep(said.append, 1.0, patience_s=60.0)._require_room()
    assert asked == [[{"CPU": 1.0, "GPU": 1.0}], []]
    assert said[0].startswith("waiting for a node for a run, up to 60 s; the cluster has 1 node")


def carry_out(
    monkeypatch: pytest.MonkeyPatch, folder: Path, failing: dict[Run, str]
) -> tuple[Any, list[str], list[tuple[str, int, int]]]:
    """What comes of four runs, what was said, and what was told; without a cluster."""
    from vivant.distributed import sweep

    started: list[Run] = []

    class Task:
        def remote(self, told: object, run: Run, data: Data, others: object) -> Run:
            started.append(run)
            return run

    class Listening:
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(sweep, "room", lambda: a_room(1, 2.0, 0.0, (2.0,), 2.0))
    monkeypatch.setattr(sweep, "listening", lambda _: Listening())
    monkeypatch.setattr(sweep.ray, "remote", lambda **_: lambda _: Task())
    monkeypatch.setattr(sweep.ray, "wait", lambda tasks, timeout: (tasks[:1], tasks[1:]))
    monkeypatch.setattr(sweep, "_result", lambda run: failing.get(run, Path("elsewhere/thin.json")))
    said: list[str] = []
    told: list[tuple[str, int, int]] = []
    data = {"oulu_npu": Data(folder, "f" * 64, is_synthetic=True)}

    def tell(what: str, done: int, num: int) -> None:
        told.append((what, done, num))

    try:
        found: Any = sweep.Sweep(said.append)(
            recipe(), (B, C, D, OTHER_SEED), data, folder, print, tell
        )
    except TrainingError as error:
        found = error
    assert sorted(started, key=str) == sorted((B, C, D, OTHER_SEED), key=str)
    return found, said, told


def test_cards_are_where_the_folder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, _, told = carry_out(monkeypatch, tmp_path / "runs", {})
    assert found == {
        run: tmp_path / "runs" / run.name / "thin.json" for run in (B, C, D, OTHER_SEED)
    }
    assert told[-1] == (f"trained {D.name}", 4, 4)


def test_one_run_that_fails_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, said, told = carry_out(monkeypatch, tmp_path / "runs", {B: "loss is not finite", D: "x"})
    assert isinstance(found, TrainingError)
    assert str(found).startswith("2 of 4 runs failed; the others are trained")
    assert f"{B.name}: loss is not finite; {D.name}: x" in str(found)
    assert f"{B.name}: failed: loss is not finite" in said
    assert len(told) == 2


@pytest.mark.slow
def test_cluster_trains_what_this_machine_alone_does(nodes: Nodes, tmp_path: Path) -> None:
    """To the bit, though a run's process is killed; and a run that cannot be is named."""
    store = named_store(tmp_path / "store", "oulu-npu").store
    here = ended("sweep", "local", store, tmp_path / "here", marks=tmp_path)
    assert here.returncode == 0, here.stderr
    there = ended(
        "sweep", "ray", store, tmp_path / "there",
        marks=tmp_path, events="kill:0:3", address=nodes.address,
    )  # fmt: skip
    assert there.returncode == 1
    assert (tmp_path / "kill-0-3").is_file()
    error = there.stderr.strip().splitlines()[-1]
    assert error.startswith("TrainingError: 1 of 4 runs failed"), there.stderr
    assert "oulu_npu-9-model_b-seed0: no protocol" in error
    for run in (B, C, D):
        cards = [
            card
            for out in ("here", "there")
            for card in (tmp_path / out / run.name).glob("*.safetensors")
        ]
        assert not differing(*map(load_file, cards)), run.name
        assert f"{run.name}: begins, or goes on, on {os.uname().nodename}" in there.stderr
        assert f"trained {run.name}" in there.stderr
    shared = {path.parent.name for path in (tmp_path / "there").glob("*/stage1_from.json")}
    assert shared == {C.name, D.name}
