import pickle
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from clocks import wait_until
from clusters import Nodes
from vivant import errors
from vivant.errors import (
    DataError,
    MediaError,
    Refusal,
    TrainingError,
    UnknownNameError,
    VivantError,
)


@pytest.fixture(scope="module")
def workers() -> ModuleType:
    """The module under test; it imports Ray."""
    from vivant.distributed import workers

    return workers


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_of_ours_comes_back_as_it_was(workers: ModuleType, name: str) -> None:
    if not issubclass(getattr(errors, name), VivantError):
        return
    sent = pickle.loads(pickle.dumps(workers.HandedOverError(name, "expected this, got that")))
    error = workers.to_error(sent)
    assert type(error) is getattr(errors, name)
    assert str(error) == "expected this, got that"


@pytest.mark.parametrize(
    "error",
    [UnknownNameError("backbone", "a", ["b"]), MediaError(Refusal.TIMEOUT, "late"), DataError("x")],
)
def test_worker_hands_errors_of_ours_over(
    workers: ModuleType, tmp_path: Path, error: VivantError
) -> None:
    with pytest.raises(workers.HandedOverError) as found, workers.at_work(tmp_path / "nowhere"):
        raise error
    assert found.value.args == (type(error).__name__, str(error))
    with pytest.raises(ZeroDivisionError), workers.at_work(tmp_path / "nowhere"):
        raise ZeroDivisionError


def test_worker_works_where_the_command_does(
    workers: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parent)
    with workers.at_work(tmp_path):
        assert Path.cwd() == tmp_path


def test_what_is_not_there_after_a_while_is_not_shared(
    workers: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers.require_shared(tmp_path, "--out", patience_s=0.0)
    with pytest.raises(TrainingError, match="expected --out at .*file system that all nodes share"):
        workers.require_shared(tmp_path / "run", "--out", patience_s=0.0)
    clock = SimpleNamespace(monotonic=lambda: 0.0, sleep=lambda _: (tmp_path / "late").mkdir())
    monkeypatch.setattr(workers, "time", clock)
    workers.require_shared(tmp_path / "late", "--out")


def test_whole_lines_are_given_away(workers: ModuleType) -> None:
    lines: list[str] = []
    writer = workers._Writer(lines.append)
    writer.write("one\ntw")
    assert lines == ["one"]
    writer.write("o\n")
    writer.flush()
    assert lines == ["one", "two"]
    assert not writer.isatty()


def test_box_gives_each_line_once(workers: ModuleType) -> None:
    box = workers._Box()
    box.put("one")
    assert box.take() == ["one"]
    assert box.take() == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own.
def test_command_hears_what_workers_say(workers: ModuleType, nodes: Nodes) -> None:
    import ray

    from vivant.distributed.cluster import connected

    heard: list[str] = []
    with connected(nodes.address), workers.listening(heard.append) as box:
        workers.console_to(box, "run: ").print("[red]half-way[/red]", markup=False)
        wait_until(lambda: heard, "the command has heard a line")
        assert heard == ["run: [red]half-way[/red]"]
        workers.console_to(box).print("the end")
        ray.get(box.put.remote("after it"))
    assert heard[1:] == ["the end", "after it"]
