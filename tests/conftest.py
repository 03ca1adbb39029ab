"""Fixtures of all tests. Seeds are passed in; nothing here needs a network, a GPU or licensed data."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import settings
from onnx import ModelProto

from builders import moved, seeded
from vivant.networks.checkpoint import save_checkpoint
from vivant.networks.config import NetworkConfig
from vivant.networks.models import lite

if TYPE_CHECKING:
    from vivant.export.export import Exported

# A time limit for each example would only tell how busy the machine is.
settings.register_profile("vivant", deadline=None)
settings.load_profile("vivant")


def pytest_configure(config: pytest.Config) -> None:
    """One core for each worker of pytest-xdist."""
    if hasattr(config, "workerinput"):
        torch.set_num_threads(1)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(20)


@pytest.fixture
def double() -> Iterator[None]:
    """Networks and constants made in the test are float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="session", autouse=True)
def cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Which runtime is the fastest is nothing that tests leave in a user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def lite_models() -> dict[str, ModelProto]:
    """The parts of that network as ONNX models, once `lite_graph` has traced them."""
    return {}


@pytest.fixture(scope="session")
def lite_graph(
    lite_card: Path,
    lite_models: dict[str, ModelProto],
    tmp_path_factory: pytest.TempPathFactory,
) -> "Exported":
    """That network as an ONNX graph, its card beside it."""
    from vivant.export import export

    join_parts = export.join_parts

    def keep(models: dict[str, ModelProto], config: NetworkConfig) -> ModelProto:
        lite_models.update(models)
        return join_parts(models, config)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "join_parts", keep)
        return export.export_graph(lite_card, tmp_path_factory.mktemp("graph"))


@pytest.fixture(scope="session")
def lite_graph_path(lite_graph: "Exported") -> Path:
    """The file of it."""
    return lite_graph.card_path.with_suffix("")


@contextmanager
def _traced(models: dict[str, ModelProto]) -> Iterator[None]:
    from vivant.export import export

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "trace_parts", lambda *_: models)
        patch.setattr(export, "convert", lambda model, *_: model)
        yield


@pytest.fixture
def lite_traced(lite_graph: "Exported", lite_models: dict[str, ModelProto]) -> Iterator[None]:
    """Exports of that network do not trace it again, which takes most of their time."""
    with _traced(lite_models):
        yield


@pytest.fixture(scope="module")
def lite_traced_once(lite_graph: "Exported", lite_models: dict[str, ModelProto]) -> Iterator[None]:
    """The same for all exports of a module's tests."""
    with _traced(lite_models):
        yield


@pytest.fixture(scope="session")
def lite_card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of `lite`, with random weights."""
    return save_checkpoint(moved(seeded(lite())), tmp_path_factory.mktemp("lite"), "lite")
