"""The floor: the best rate at which this machine multiplies and adds in a convolution."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

__all__ = ["Shape", "chain", "peak_gmacs"]

_LAYERS = 4  # Of a chain: what a call costs is shared by them.


@dataclass(frozen=True, slots=True)
class Shape:
    """Convolutions of one size, one behind the other."""

    batch: int
    channels: int
    side: int
    kernel: int

    @property
    def gmacs(self) -> float:
        """Multiply-adds of all, in 1e9."""
        of_layer = self.batch * self.channels**2 * self.side**2 * self.kernel**2
        return _LAYERS * of_layer / 1e9


SHAPES = (
    Shape(5, 64, 56, 3),
    Shape(5, 128, 28, 3),
    Shape(5, 256, 14, 3),
    Shape(5, 512, 7, 3),
    Shape(5, 512, 28, 1),
    Shape(1, 256, 56, 3),
)
"""Those of a ResNet, and one that fits caches and vectors better."""


def chain(shape: Shape) -> ModelProto:
    """An ONNX graph of such convolutions with ReLUs, for any runtime."""
    generator = np.random.default_rng(0)
    size = (shape.channels, shape.channels, shape.kernel, shape.kernel)
    scale = np.sqrt(2 / np.prod(size[1:]))
    nodes, weights, last = [], [], "x"
    for layer in range(_LAYERS):
        kernel = generator.normal(0, scale, size).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"w{layer}"))
        pads = [shape.kernel // 2] * 4
        nodes.append(helper.make_node("Conv", [last, f"w{layer}"], [f"c{layer}"], pads=pads))
        nodes.append(helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"]))
        last = f"r{layer}"
    axes = [shape.batch, shape.channels, shape.side, shape.side]
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, axes)],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, axes)],
        weights,
    )
    opset = [helper.make_opsetid("", 20)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=10)
    onnx.checker.check_model(model)
    return model


def peak_gmacs(
    build: Callable[[Shape], Callable[[], object]],
    seconds: float = 0.6,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """The best rate over all shapes, in 1e9 multiply-adds a second.

    Args:
        build: Prepares a chain to be run.
        seconds: For each shape.
        clock: Measures them.
    """
    return max(shape.gmacs / min(_times(build(shape), seconds, clock)) for shape in SHAPES)


def _times(
    work: Callable[[], object], seconds: float, clock: Callable[[], float]
) -> Iterator[float]:
    work()
    end_s = clock() + seconds
    while (started_s := clock()) < end_s:
        work()
        yield clock() - started_s
