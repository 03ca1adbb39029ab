"""Fixtures of all tests. Seeds are passed in; nothing here needs a network, a GPU or licensed data.

What takes seconds to import (torch, onnx) is imported by the fixtures that need it, so that the tests
of a folder that does not use it start at once.
"""

import fcntl
import hashlib
import os
import pickle
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    import torch
    from onnx import ModelProto

    from vivant.export.export import Exported

ROOT = Path(__file__).parents[1]

# Examples of each property, by profile. A deadline for each example would only measure the machine,
# and so does the health check of slow examples.
for _name, _num_examples in (("fast", 20), ("ci", 100), ("nightly", 1000)):
    settings.register_profile(
        _name,
        deadline=None,
        max_examples=_num_examples,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile(os.environ.get("VIVANT_EXAMPLES", "fast"))


def pytest_collection_finish() -> None:
    """Give torch one core: on the tests' small networks, threads mostly wait for one another."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture
def generator() -> "torch.Generator":
    """A seeded generator of random numbers."""
    import torch

    return torch.Generator().manual_seed(20)


@pytest.fixture
def double() -> Iterator[None]:
    """Networks and constants made in the test are float64."""
    import torch

    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="session", autouse=True)
def cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The tests leave nothing in the user's cache, such as which runtime is the fastest here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def lite_card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of `lite` with random weights."""
    return _save_lite(tmp_path_factory.mktemp("lite"))


@pytest.fixture(scope="session")
def lite_export(pytestconfig: pytest.Config) -> Path:
    """The folder of that network's export: `graph/`, `parts/` and `exported.pickle`.

    Tracing it takes half a minute. It is kept in pytest's cache under a hash of what it is made of,
    so that neither a second worker nor the next run traces it again.
    """
    cache = pytestconfig.cache
    assert cache is not None
    kept = cache.mkdir("lite-export")
    folder = kept / _hash_of_what_an_export_is_made_of()
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            for old in kept.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
            draft = kept / "draft"
            _export_lite(draft)
            draft.rename(folder)
    return folder


@pytest.fixture(scope="session")
def lite_graph(lite_export: Path, tmp_path_factory: pytest.TempPathFactory) -> "Exported":
    """That network as an ONNX graph, its card beside it."""
    folder = tmp_path_factory.mktemp("graph")
    shutil.copytree(lite_export / "graph", folder, dirs_exist_ok=True)
    exported: Exported = pickle.loads((lite_export / "exported.pickle").read_bytes())
    return replace(exported, card_path=folder / exported.card_path.name)


@pytest.fixture(scope="session")
def lite_graph_path(lite_graph: "Exported") -> Path:
    """The ONNX file of that graph."""
    return lite_graph.card_path.with_suffix("")


@pytest.fixture(scope="session")
def lite_models(lite_export: Path) -> dict[str, "ModelProto"]:
    """The parts of that network as ONNX models, by their names."""
    import onnx

    return {path.stem: onnx.load(path) for path in sorted((lite_export / "parts").iterdir())}


@contextmanager
def _traced(models: dict[str, "ModelProto"]) -> Iterator[None]:
    from vivant.export import export

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "trace_parts", lambda *_: models)
        patch.setattr(export, "convert", lambda model, *_: model)
        yield


@pytest.fixture
def lite_traced(lite_models: dict[str, "ModelProto"]) -> Iterator[None]:
    """Exports of that network do not trace it again, which takes most of their time."""
    with _traced(lite_models):
        yield


@pytest.fixture(scope="module")
def lite_traced_once(lite_models: dict[str, "ModelProto"]) -> Iterator[None]:
    """The same for all exports of a module's tests."""
    with _traced(lite_models):
        yield


def _save_lite(folder: Path) -> Path:
    from builders import moved, seeded
    from vivant.networks.checkpoint import save_checkpoint
    from vivant.networks.models import lite

    return save_checkpoint(moved(seeded(lite())), folder, "lite")


def _export_lite(folder: Path) -> None:
    import onnx

    from vivant.export import export

    shutil.rmtree(folder, ignore_errors=True)
    (folder / "parts").mkdir(parents=True)
    join_parts = export.join_parts

    def keep_and_join(models: dict[str, "ModelProto"], *rest: object) -> "ModelProto":
        for name, model in models.items():
            onnx.save(model, folder / "parts" / f"{name}.onnx")
        return join_parts(models, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "join_parts", keep_and_join)
        exported = export.export_graph(_save_lite(folder / "checkpoint"), folder / "graph")
    shutil.rmtree(folder / "checkpoint")
    (folder / "exported.pickle").write_bytes(pickle.dumps(exported))


def _hash_of_what_an_export_is_made_of() -> str:
    source = ROOT / "src" / "vivant"
    made_of = [Path(__file__), ROOT / "tests" / "builders.py", *source.glob("*.py")]
    for folder in ("geometry", "networks", "runtimes", "export"):
        made_of += (source / folder).rglob("*.py")
    digest = hashlib.sha256()
    for path in sorted(made_of):
        digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    for package in ("torch", "onnx", "onnxscript", "onnxruntime", "openvino"):
        digest.update(f"{package} {version(package)}".encode())
    return digest.hexdigest()[:16]
