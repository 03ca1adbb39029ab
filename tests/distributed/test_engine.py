"""A cluster of two nodes: whatever dies in it, each thing comes back once, or the error says why."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clusters import Nodes
from vivant.errors import ClusterError, InputError
from vivant.parallel import Failure
from works import broken, fatal, once, squares, wrong

if TYPE_CHECKING:
    from vivant.distributed.engine import RayEngine

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own.


def engine(patience_s: float = 900.0) -> "RayEngine":
    from vivant.distributed.engine import RayEngine

    return RayEngine(patience_s)


@pytest.fixture
def connected(nodes: Nodes) -> Iterator[None]:
    from vivant.distributed.cluster import connected

    with connected(nodes.address):
        yield


def test_no_worker_is_refused() -> None:
    with pytest.raises(InputError, match="at least one worker, got 0"):
        next(engine()(squares, [1], 0))


def test_nothing_to_do_asks_no_cluster() -> None:
    assert list(engine()(squares, [], 1)) == []


def test_one_worker_a_cpu_and_one_for_nodes_to_come() -> None:
    from vivant.distributed.engine import workers_for

    assert workers_for([2.0, 1.5, 0.0]) == 3
    assert workers_for([0.5]) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_each_thing_comes_back_once() -> None:
    found = list(engine(60.0)(squares, range(100), 2))
    assert sorted(found) == [(number, number**2) for number in range(100)]


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_what_kills_its_process_each_time_is_given_up_and_nothing_else(tmp_path: Path) -> None:
    found = dict(engine(120.0)(partial(fatal, 5, tmp_path), range(12), 2))
    assert isinstance(found[5], Failure)
    assert "again and again" in found[5].message
    assert [found[n] for n in range(12) if n != 5] == [n for n in range(12) if n != 5]
    assert (tmp_path / "5").read_text() == "xxx"


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_what_died_by_chance_is_done_again(tmp_path: Path) -> None:
    found = sorted(engine(120.0)(partial(once, tmp_path), range(12), 1))
    assert found == [(number, number) for number in range(12)]


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_error_over_one_thing_is_its_own() -> None:
    found = dict(engine(60.0)(wrong, range(4), 1))
    assert {type(result) for result in found.values()} == {Failure}


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_work_that_cannot_be_set_up_ends_all_with_the_reason() -> None:
    with pytest.raises(ClusterError, match="cannot be set up: InputError: no such folder"):
        list(engine(60.0)(broken, range(4), 1))


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_starved_of_cpus_it_ends_with_an_error_that_names_what_waits() -> None:
    import ray

    class Other:
        def is_here(self) -> bool:
            return True

    others = [ray.remote(num_cpus=1)(Other).remote() for _ in range(2)]
    assert all(ray.get([other.is_here.remote() for other in others]))
    with pytest.raises(ClusterError) as told:
        list(engine(4.0)(squares, range(10), 2))
    message = str(told.value)
    assert "nothing came back for 4 s. 10 are to do (0, 1, 2, ...), 0 of them in work" in message
    assert "2 CPUs (0 free)" in message
    assert "--patience" in message
