"""A small module as an ONNX model; the network's are in test_export.py."""

import logging

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import ModelProto
from torch import Tensor, nn

from vivant.export.convert import convert

EXPORTER = "torch.onnx._internal.exporter._registration"


class Mixture(nn.Module):
    """Two inputs, two outputs, weights and a sampler."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        with torch.no_grad():
            self.linear.weight.copy_(torch.tensor([[1.0, 2.0, 3.0], [0.0, -1.0, 0.0]]))
            self.linear.bias.copy_(torch.tensor([10.0, 20.0]))

    def forward(self, values: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        picture = values[:, None, None]  # (b, 1, 1, 3)
        return self.linear(values), nn.functional.grid_sample(
            picture, places[:, None, None], align_corners=False
        )


@pytest.fixture(scope="module")
def model() -> ModelProto:
    example = (torch.zeros(2, 3), torch.zeros(2, 2))
    axes = tuple({0: torch.export.Dim("clips")} for _ in example)
    program = torch.export.export(Mixture(), example, dynamic_shapes=axes)
    return convert(program, ["values", "places"], ["mixed", "seen"])


def test_nothing_is_said(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture) -> None:
    """Warnings are errors in tests anyway."""
    before = logging.getLogger(EXPORTER).level
    program = torch.export.export(nn.Linear(3, 2), (torch.zeros(2, 3),))
    convert(program, ["x"], ["y"])
    said = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == []
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger(EXPORTER).level == before, "others may want to hear it"


def test_names_and_opset_are_those_asked_for(model: ModelProto) -> None:
    onnx.checker.check_model(model)
    assert [value.name for value in model.graph.input] == ["values", "places"]
    assert [value.name for value in model.graph.output] == ["mixed", "seen"]
    assert {each.domain: each.version for each in model.opset_import}[""] == 20
    assert "GridSample" in {node.op_type for node in model.graph.node}


def test_weights_are_inside_and_the_first_axis_is_free(model: ModelProto) -> None:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for num in (1, 3):
        values = np.tile(np.array([1, 2, 4], np.float32), (num, 1))
        places = np.zeros((num, 2), np.float32)  # The middle.
        mixed, seen = session.run(None, {"values": values, "places": places})
        assert mixed.tolist() == [[27, 18]] * num  # 1 + 4 + 12 + 10; -2 + 20.
        assert seen[:, 0, 0, 0].tolist() == [2] * num
