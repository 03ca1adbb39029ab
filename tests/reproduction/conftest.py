from pathlib import Path

import pytest

from reproductions import named_store
from training_runs import thin_backbone
from vivant.reproduction.data import Data


@pytest.fixture(scope="session")
def oulu(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return named_store(tmp_path_factory.mktemp("stores") / "oulu", "oulu-npu")


@pytest.fixture(scope="session")
def siw(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return named_store(tmp_path_factory.mktemp("stores") / "siw", "siw")


@pytest.fixture
def thin(monkeypatch: pytest.MonkeyPatch) -> None:
    thin_backbone(monkeypatch.setattr)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"
