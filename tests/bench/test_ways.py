from importlib.util import find_spec
from pathlib import Path

import pytest

from vivant.bench import ways as module
from vivant.bench.floor import Shape
from vivant.bench.ways import Way, ways


def names(found: list[Way]) -> list[str]:
    return [way.name for way in found]


def test_only_what_is_installed_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = {"float32": Path("a.json"), "int8": Path("b.json"), "bf16": Path("c.json")}
    every = names(ways(Path("x.json"), graphs, 1, compiled=True))
    assert every[:4] == [
        "torch float32", "torch bf16", "torch-compile float32", "torch-compile bf16",
    ]  # fmt: skip
    assert every[4:] == [
        "onnx float32", "onnx int8", "openvino float32", "openvino int8", "openvino bf16",
    ]  # fmt: skip
    monkeypatch.setattr(module, "find_spec", lambda n: None if n == "openvino" else find_spec(n))
    fewer = names(ways(Path("x.json"), graphs, 1, compiled=False))
    assert fewer == ["torch float32", "torch bf16", "onnx float32", "onnx int8"]


def test_every_floor_runs_in_its_precision() -> None:
    graphs = {"float32": Path("a.json"), "int8": Path("b.json"), "bf16": Path("c.json")}
    for way in ways(Path("x.json"), graphs, 1, compiled=False):
        way.floor(Shape(1, 8, 7, 3))()
