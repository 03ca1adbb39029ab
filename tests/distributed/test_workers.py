import os
import pickle
import time
from pathlib import Path

import pytest
import ray

from vivant import errors
from vivant.distributed import workers
from vivant.distributed.cluster import connected
from vivant.distributed.workers import (
    HandedOverError,
    at_work,
    console_to,
    listening,
    require_shared,
    to_error,
)
from vivant.errors import (
    DataError,
    MediaError,
    Refusal,
    TrainingError,
    UnknownNameError,
    VivantError,
)


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_of_ours_comes_back_as_it_was(name: str) -> None:
    if not issubclass(getattr(errors, name), VivantError):
        return
    sent = pickle.loads(pickle.dumps(HandedOverError(name, "expected this, got that")))
    error = to_error(sent)
    assert type(error) is getattr(errors, name)
    assert str(error) == "expected this, got that"


@pytest.mark.parametrize(
    "error",
    [UnknownNameError("backbone", "a", ["b"]), MediaError(Refusal.TIMEOUT, "late"), DataError("x")],
)
def test_worker_hands_errors_of_ours_over(tmp_path: Path, error: VivantError) -> None:
    with pytest.raises(HandedOverError) as found, at_work(tmp_path / "nowhere"):
        raise error
    assert found.value.args == (type(error).__name__, str(error))
    with pytest.raises(ZeroDivisionError), at_work(tmp_path / "nowhere"):
        raise ZeroDivisionError


def test_worker_works_where_the_command_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parent)
    with at_work(tmp_path):
        assert Path.cwd() == tmp_path


def test_what_is_not_there_after_a_while_is_not_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_shared(tmp_path, "--out", patience_s=0.0)
    with pytest.raises(TrainingError, match="expected --out at .*file system that all nodes share"):
        require_shared(tmp_path / "run", "--out", patience_s=0.0)
    monkeypatch.setattr(workers.time, "sleep", lambda _: (tmp_path / "late").mkdir())
    require_shared(tmp_path / "late", "--out")


def test_whole_lines_are_given_away() -> None:
    lines: list[str] = []
    writer = workers._Writer(lines.append)
    writer.write("one\ntw")
    assert lines == ["one"]
    writer.write("o\n")
    writer.flush()
    assert lines == ["one", "two"]
    assert not writer.isatty()


def test_box_gives_each_line_once() -> None:
    box = workers._Box()
    box.put("one")
    assert box.take() == ["one"]
    assert box.take() == []


@pytest.mark.slow
def test_command_hears_what_workers_say() -> None:
    os.environ.pop("RAY_ADDRESS", None)
    heard: list[str] = []
    with connected(None), listening(heard.append) as box:
        console_to(box, "run: ").print("[red]half-way[/red]", markup=False)
        until_s = time.monotonic() + 30
        while not heard and time.monotonic() < until_s:
            time.sleep(0.05)
        assert heard == ["run: [red]half-way[/red]"]
        console_to(box).print("the end")
        ray.get(box.put.remote("after it"))
    assert heard[1:] == ["the end", "after it"]
