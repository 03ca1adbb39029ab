from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from reproductions import Trainer
    from vivant.reproduction.data import Data


@pytest.fixture(scope="session")
def oulu(tmp_path_factory: pytest.TempPathFactory) -> "Data":
    """A made-up store in OULU-NPU's names, of one clip each; no test changes it."""
    from reproductions import named_store

    return named_store(tmp_path_factory.mktemp("stores") / "oulu", "oulu-npu", num_frames=2)


@pytest.fixture(scope="session")
def oulu_of_two_phones(tmp_path_factory: pytest.TempPathFactory) -> "Data":
    """A third of that store: enough for protocol 1."""
    from reproductions import named_store

    folder = tmp_path_factory.mktemp("stores") / "oulu"
    return named_store(folder, "oulu-npu", num_frames=2, phones="12")


@pytest.fixture(scope="session")
def siw(tmp_path_factory: pytest.TempPathFactory) -> "Data":
    """A made-up store in SiW's names, of one clip each; no test changes it."""
    from reproductions import named_store

    return named_store(tmp_path_factory.mktemp("stores") / "siw", "siw", num_frames=2)


@pytest.fixture
def thin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks have a thin backbone."""
    from training_runs import thin_backbone

    thin_backbone(monkeypatch.setattr)


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> "Trainer":
    """Runs are not trained: this writes what a training would leave, and notes what was asked for."""
    from reproductions import Trainer
    from vivant.reproduction import runs

    trainer = Trainer()
    monkeypatch.setattr(runs, "fit", trainer)
    return trainer


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder that is not there yet."""
    return tmp_path / "out"
