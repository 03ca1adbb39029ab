import csv
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from vivant.training.folder import Position
from vivant.training.log import COLUMNS, TrainingLog


def write(folder: Path, steps: list[int], done: int = 0, loss: float = 0.5) -> None:
    """Rows of steps, two steps an epoch, which is judged at its end."""
    log = TrainingLog(folder, done)
    for step in steps:
        position = Position(1, (step - 1) // 2, (step - 1) % 2 + 1, step)
        log.write(position, {"loss": loss})
        if step % 2 == 0:
            log.write(position, {"dev_acer": 0.25})
    log.close()


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def steps(folder: Path) -> list[str]:
    return [row["total_steps"] for row in rows(folder)]


def test_every_row_says_where_it_belongs(tmp_path: Path) -> None:
    write(tmp_path, [1, 2, 3])
    found = rows(tmp_path)
    assert tuple(found[0]) == COLUMNS
    places = [(row["stage"], row["epoch"], row["step"], row["total_steps"]) for row in found]
    assert places == [("1", "0", "1", "1"), *[("1", "0", "2", "2")] * 2, ("1", "1", "1", "3")]
    assert [row["loss"] for row in found] == ["0.5", "0.5", "", "0.5"]
    assert [row["dev_acer"] for row in found] == ["", "", "0.25", ""]


def test_row_is_on_the_disk_as_soon_as_it_is_written(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path, 0)
    log.write(Position(1, 0, 1, 1), {"loss": 1 / 3})
    assert [row["loss"] for row in rows(tmp_path)] == ["0.333333"]
    log.close()


def test_rows_after_the_place_to_go_on_from_are_taken_back(tmp_path: Path) -> None:
    write(tmp_path, [1, 2, 3, 4])
    write(tmp_path, [3], done=2, loss=0.75)
    assert steps(tmp_path) == ["1", "2", "2", "3"]
    assert rows(tmp_path)[-1]["loss"] == "0.75"


def test_new_training_takes_all_rows_back(tmp_path: Path) -> None:
    write(tmp_path, [1, 2])
    write(tmp_path, [])
    assert rows(tmp_path) == []


@pytest.mark.parametrize("rest", ["1,0,2,2,0.", "1,0,2,2\n", "\0\0\0\0\n", "\n"])
def test_row_that_a_kill_left_half_is_taken_back(tmp_path: Path, rest: str) -> None:
    write(tmp_path, [1])
    with (tmp_path / "log.csv").open("a") as file:
        file.write(rest)
    write(tmp_path, [2], done=9)
    assert steps(tmp_path) == ["1", "2", "2"]


def test_unknown_column_is_our_own_mistake(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path, 0)
    with pytest.raises(ValueError, match="lost"):
        log.write(Position(1, 0, 1, 1), {"lost": 1.0})
    log.close()


def test_tensorboard_shows_the_same_curves(tmp_path: Path) -> None:
    write(tmp_path, [1, 2, 3, 4])
    write(tmp_path, [3, 4], done=2, loss=0.75)
    curves = EventAccumulator(str(tmp_path / "tensorboard"))
    curves.Reload()
    loss = [(event.step, event.value) for event in curves.Scalars("stage1/loss")]
    assert loss == [(1, 0.5), (2, 0.5), (3, 0.75), (4, 0.75)]
    assert [event.step for event in curves.Scalars("stage1/dev_acer")] == [2, 4]
