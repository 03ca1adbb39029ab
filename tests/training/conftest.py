from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from vivant.training.data import TrainingData


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> "TrainingData":
    """Three sides; a presentation of the train side and one of the dev side have no clip."""
    from prepared import filled
    from training.small import stored, too_short
    from vivant.records import Split
    from vivant.training.data import open_data

    rows = [
        *stored(Split.TRAIN, [None, "print", "replay", None, "print", "print", None, None]),
        too_short("train99", Split.TRAIN),
        *stored(Split.DEV, [None, "print", "replay", None]),
        too_short("dev99", Split.DEV),
        *stored(Split.TEST, [None, "print"]),
    ]
    folder: Path = tmp_path_factory.mktemp("training") / "store"
    return open_data(filled(folder, rows).folder, "folder", num_frames=2)


@pytest.fixture(scope="module")
def thin_on_one_thread() -> Iterator[None]:
    """Trainings of this module have a thin backbone and the bits of `training_process.py`."""
    from training.small import thin_on_one_thread

    with thin_on_one_thread():
        yield


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of `training_runs`; no test changes it."""
    from training_runs import training_store

    return training_store(tmp_path_factory.mktemp("store") / "store")


@pytest.fixture(scope="session")
def undisturbed(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of all three stages of `training_runs.minimal`; no test changes it."""
    from training.small import thin_on_one_thread
    from training_runs import train

    out = tmp_path_factory.mktemp("undisturbed") / "run"
    with thin_on_one_thread():
        train(store, out)
    return out


@pytest.fixture(scope="session")
def first_stage(store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What an undisturbed run of stage 1 of `training_runs.minimal` leaves."""
    from training.small import thin_on_one_thread
    from training_runs import outcome, train

    out = tmp_path_factory.mktemp("first") / "run"
    with thin_on_one_thread():
        train(store, out, stages=(1,))
    return outcome(out)
