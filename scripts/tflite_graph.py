"""Reads a TFLite flatbuffer with the classes of its schema (package `tflite`), without TensorFlow.

What cannot be read rightly is an error that names it: a graph that is nearly right is worse than
none.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite  # type: ignore[import-untyped]
from numpy.typing import NDArray

_OPERATORS = {code: name for name, code in vars(tflite.BuiltinOperator).items() if name.isupper()}
_DTYPES = {
    tflite.TensorType.FLOAT32: np.dtype("<f4"),
    tflite.TensorType.FLOAT16: np.dtype("<f2"),
    tflite.TensorType.INT32: np.dtype("<i4"),
}


class UnsupportedModelError(Exception):
    """The TFLite model has something that this converter does not know."""


@dataclass(frozen=True)
class Value:
    """One tensor of the TFLite graph; `data` is there for constants only."""

    name: str
    shape: tuple[int, ...]
    data: NDArray[Any] | None


@dataclass(frozen=True)
class Operator:
    """One operator of the TFLite graph, with its table of options where it has one."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any


@dataclass(frozen=True)
class TfliteGraph:
    """What is read out of a .tflite file."""

    values: tuple[Value, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_tflite(content: bytes) -> TfliteGraph:
    """The one subgraph of a .tflite file."""
    if not tflite.Model.ModelBufferHasIdentifier(content, 0):
        raise UnsupportedModelError("expected a TFLite flatbuffer with the identifier TFL3")
    model = tflite.Model.GetRootAs(content, 0)
    if model.SubgraphsLength() != 1:
        raise UnsupportedModelError(f"expected one subgraph, found {model.SubgraphsLength()}")
    graph = model.Subgraphs(0)
    values = tuple(_read_value(model, graph.Tensors(i)) for i in range(graph.TensorsLength()))
    if len({value.name for value in values}) != len(values):
        raise UnsupportedModelError("expected tensors with names of their own")
    return TfliteGraph(
        values=values,
        operators=tuple(
            _read_operator(model, graph.Operators(i)) for i in range(graph.OperatorsLength())
        ),
        inputs=_indices(graph.InputsAsNumpy()),
        outputs=_indices(graph.OutputsAsNumpy()),
    )


def _indices(array: NDArray[Any]) -> tuple[int, ...]:
    return tuple(int(index) for index in array)


def _read_value(model: Any, tensor: Any) -> Value:
    name = tensor.Name().decode()
    if tensor.Sparsity() is not None:
        raise UnsupportedModelError(f"tensor {name} is sparse; take the dense model")
    if tensor.Type() not in _DTYPES:
        raise UnsupportedModelError(f"tensor {name} has the unknown type {tensor.Type()}")
    shape = _indices(tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
    buffer = model.Buffers(tensor.Buffer())
    if not buffer.DataLength():
        return Value(name, shape, None)
    data = buffer.DataAsNumpy().view(_DTYPES[tensor.Type()]).reshape(shape)
    return Value(name, shape, data)


def _read_operator(model: Any, operator: Any) -> Operator:
    code = model.OperatorCodes(operator.OpcodeIndex())
    # Files older than schema version 3a have their code in the deprecated field only.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    return Operator(
        kind=_OPERATORS.get(number, f"operator {number}"),
        inputs=_indices(operator.InputsAsNumpy()),
        outputs=_indices(operator.OutputsAsNumpy()),
        options=operator.BuiltinOptions(),
    )
