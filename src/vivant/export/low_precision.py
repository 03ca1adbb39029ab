"""The parts of a graph that are convolutions, in int8 or with weights in fp16."""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from vivant.errors import WeightsError

__all__ = ["halved", "quantised"]

_MIN_HALVED = 256  # Numbers of a tensor: smaller ones save nothing.


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    """Inputs of a graph by name, one batch after the other."""

    def __init__(self, batches: Sequence[dict[str, np.ndarray]]) -> None:
        self._left = iter(batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next, or None at the end."""
        return next(self._left, None)


def quantised(model: ModelProto, batches: Sequence[dict[str, np.ndarray]]) -> ModelProto:
    """A part with weights and activations in int8: ONNX Runtime's static quantisation.

    Weights are signed and scaled by output channel, activations unsigned and scaled by the range
    that they had on the batches (MinMax: percentiles and entropy were no better for the Grad-CAM).
    It stays an ONNX graph, with a pair of QuantizeLinear and DequantizeLinear about each operation
    (QDQ), that ONNX Runtime and OpenVINO both run in int8.

    Args:
        model: The part.
        batches: What its inputs take, by name: for the ranges.
    """
    copy = ModelProto()
    copy.CopyFrom(model)  # The library empties the one that it is given.
    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "int8.onnx"
        quantize_static(
            copy,
            path,
            _Batches(batches),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(path)


def halved(model: ModelProto) -> ModelProto:
    """A part whose weights are rounded to fp16 and stored so: half the file.

    Runtimes turn them back into float32 when they load the graph; the arithmetic stays float32 on a
    processor.

    Raises:
        WeightsError: a weight is larger than fp16 can hold.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    casts = []
    for tensor in copy.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _MIN_HALVED:
            continue
        with np.errstate(over="ignore"):
            half = numpy_helper.to_array(tensor).astype(np.float16)
        if not np.isfinite(half).all():
            raise WeightsError(f"{tensor.name} has weights above 65504, which fp16 cannot hold")
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(
            helper.make_node("Cast", [tensor.name], [name], f"{name}.cast", to=TensorProto.FLOAT)
        )
    nodes = [*casts, *copy.graph.node]
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the advice to simplify the graph first: the exporter has done that."""
    log = logging.getLogger()
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
