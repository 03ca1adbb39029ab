"""Turns a small float TFLite network into ONNX: the ten operators that the face models are made of.

TFLite computes on (1, rows, columns, channels), ONNX on (1, channels, rows, columns). Every 4-d
value is kept in ONNX's order from the first operator to the last, constants are transposed here,
and only a RESHAPE of a 4-d value goes back first, because it counts elements in TFLite's order.

Two things are said otherwise than TFLite says them, because ONNX Runtime keeps convolutions, sums
and concatenations in its blocked layout and turns everything else back and forth. Without them
BlazeFace takes 1.1 times as long and FaceMesh 2.2 times (medians of 500 runs on one x86 core):

- A skip connection that is padded with zero channels and added to a convolution: the convolution
  is cut in two by its output channels; the first part is a sum, the rest is concatenated.
- PRELU is slope * x + (1 - slope) * relu(x), with two convolutions that only scale each channel.

An operator or an option that these models do not have is an error that names it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tflite  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper
from tflite_graph import Operator, TfliteGraph, UnsupportedModelError

OPSET = 18
IR_VERSION = 10  # the newest that onnxruntime 1.22 reads is 11; 10 leaves room


def _options(operator: Operator, table: Any) -> Any:
    """The options of an operator, read as the given class of the schema."""
    read = table()
    if operator.options is None:
        raise UnsupportedModelError(f"{operator.kind} has no options")
    read.Init(operator.options.Bytes, operator.options.Pos)
    return read


def _same_padding(size: int, out: int, kernel: int, stride: int) -> tuple[int, int]:
    """TFLite's SAME: what is missing is split in two, the odd pixel goes to the end."""
    total = max(0, (out - 1) * stride + kernel - size)
    return total // 2, total - total // 2


@dataclass
class GraphBuilder:
    """The ONNX graph while it grows. Activations keep the names that they have in TFLite."""

    source: TfliteGraph
    nodes: list[NodeProto] = field(default_factory=list)
    initializers: list[TensorProto] = field(default_factory=list)
    # A DEQUANTIZE of a constant becomes a constant; operators find it here.
    constants: dict[int, NDArray[Any]] = field(default_factory=dict)
    # Output of a PAD that appends channels: its input. Nothing is written for it, the ADD reads it.
    padded: dict[int, int] = field(default_factory=dict)
    # Output of a convolution that such a PAD is added to: where it is cut in two.
    cuts: dict[int, int] = field(default_factory=dict)

    def name(self, index: int) -> str:
        return self.source.values[index].name

    def shape(self, index: int) -> tuple[int, ...]:
        """Shape in TFLite's order."""
        return self.source.values[index].shape

    def constant(self, index: int) -> NDArray[Any]:
        data = self.constants.get(index, self.source.values[index].data)
        if data is None:
            raise UnsupportedModelError(f"{self.name(index)} should be a constant")
        return data

    def add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def weight(self, name: str, data: NDArray[Any]) -> str:
        """A float constant. Halves stay halves in the file; the runtime casts them on loading."""
        data = np.ascontiguousarray(data)
        if data.dtype == np.float16:
            self.initializers.append(numpy_helper.from_array(data, f"{name}/half"))
            return self.add("Cast", [f"{name}/half"], name, to=TensorProto.FLOAT)
        self.initializers.append(numpy_helper.from_array(data, name))
        return name

    def integers(self, name: str, data: Sequence[int]) -> str:
        self.initializers.append(numpy_helper.from_array(np.array(data, np.int64), name))
        return name


def _no_activation(operator: Operator, options: Any) -> None:
    if options.FusedActivationFunction() != tflite.ActivationFunctionType.NONE:
        raise UnsupportedModelError(f"{operator.kind} has a fused activation")


def _window(
    builder: GraphBuilder, operator: Operator, options: Any, kernel: tuple[int, int]
) -> Any:
    """Strides and pads of an operator that slides a window, as ONNX attributes."""
    _, rows, columns, _ = builder.shape(operator.inputs[0])
    _, out_rows, out_columns, _ = builder.shape(operator.outputs[0])
    strides = (options.StrideH(), options.StrideW())
    top, bottom, left, right = 0, 0, 0, 0
    if options.Padding() == tflite.Padding.SAME:
        top, bottom = _same_padding(rows, out_rows, kernel[0], strides[0])
        left, right = _same_padding(columns, out_columns, kernel[1], strides[1])
    return {"kernel_shape": kernel, "strides": strides, "pads": (top, left, bottom, right)}


def _convert_conv(builder: GraphBuilder, operator: Operator) -> None:
    """CONV_2D and DEPTHWISE_CONV_2D; both kernels end as (out, in / group, rows, columns)."""
    depthwise = operator.kind == "DEPTHWISE_CONV_2D"
    options = _options(
        operator, tflite.DepthwiseConv2DOptions if depthwise else tflite.Conv2DOptions
    )
    _no_activation(operator, options)
    if options.DilationHFactor() != 1 or options.DilationWFactor() != 1:
        raise UnsupportedModelError(f"{operator.kind} is dilated")
    source, kernel_index, bias_index = operator.inputs
    kernel = builder.constant(kernel_index)  # (out, rows, columns, in) or (1, rows, columns, out)
    if depthwise and options.DepthMultiplier() != 1:
        raise UnsupportedModelError(f"{operator.kind} has a depth multiplier")
    kernel = kernel.transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
    bias = builder.constant(bias_index)
    window = _window(builder, operator, options, (kernel.shape[2], kernel.shape[3]))
    (index,) = operator.outputs
    output = builder.name(index)
    cut = builder.cuts.get(index)
    if cut is None:
        parts = {output: slice(None)}
    elif depthwise:
        raise UnsupportedModelError(f"PAD is added to a {operator.kind}")
    else:
        parts = {f"{output}/added": slice(0, cut), f"{output}/appended": slice(cut, None)}
    for part, channels in parts.items():
        inputs = [
            builder.name(source),
            builder.weight(f"{part}/kernel", kernel[channels]),
            builder.weight(f"{part}/bias", bias[channels]),
        ]
        builder.add("Conv", inputs, part, group=len(kernel) if depthwise else 1, **window)


def _convert_max_pool(builder: GraphBuilder, operator: Operator) -> None:
    options = _options(operator, tflite.Pool2DOptions)
    _no_activation(operator, options)
    kernel = (options.FilterHeight(), options.FilterWidth())
    builder.add(
        "MaxPool",
        [builder.name(operator.inputs[0])],
        builder.name(operator.outputs[0]),
        **_window(builder, operator, options, kernel),
    )


def _convert_relu(builder: GraphBuilder, operator: Operator) -> None:
    builder.add("Relu", [builder.name(operator.inputs[0])], builder.name(operator.outputs[0]))


def _convert_prelu(builder: GraphBuilder, operator: Operator) -> None:
    source, output = builder.name(operator.inputs[0]), builder.name(operator.outputs[0])
    slope = builder.constant(operator.inputs[1]).reshape(-1, 1, 1, 1)  # one slope a channel
    if len(slope) != builder.shape(operator.inputs[0])[3]:
        raise UnsupportedModelError("PRELU has slopes that are not one a channel")
    rest = 1 - slope.astype(np.float32)  # not a half: it would be rounded
    scale = {"group": len(slope), "kernel_shape": (1, 1)}
    rest_name, positive = builder.weight(f"{output}/rest", rest), f"{output}/positive"
    if (rest >= 0).all():  # then relu can come last, where the runtime makes it part of the scaling
        builder.add("Conv", [source, rest_name], f"{output}/scaled", **scale)
        builder.add("Relu", [f"{output}/scaled"], positive)
    else:
        builder.add("Relu", [source], f"{output}/relu")
        builder.add("Conv", [f"{output}/relu", rest_name], positive, **scale)
    inputs = [source, builder.weight(f"{output}/slope", slope)]
    linear = builder.add("Conv", inputs, f"{output}/linear", **scale)
    builder.add("Add", [positive, linear], output)


def _convert_add(builder: GraphBuilder, operator: Operator) -> None:
    _no_activation(operator, _options(operator, tflite.AddOptions))
    first, second = operator.inputs
    if builder.shape(first) != builder.shape(second):
        raise UnsupportedModelError("ADD broadcasts")
    output = builder.name(operator.outputs[0])
    if second in builder.padded:
        first, second = second, first
    if first not in builder.padded:
        builder.add("Add", [builder.name(first), builder.name(second)], output)
        return
    added = [builder.name(builder.padded[first]), f"{builder.name(second)}/added"]
    total = builder.add("Add", added, f"{output}/added")
    builder.add("Concat", [total, f"{builder.name(second)}/appended"], output, axis=1)


def _convert_pad(builder: GraphBuilder, operator: Operator) -> None:
    """Nothing to write: `find_padded_sums` has made sure that an ADD takes it."""
    assert operator.outputs[0] in builder.padded, "find_padded_sums looks at every PAD"


def find_padded_sums(builder: GraphBuilder) -> None:
    """Notes each PAD, and where the convolution that it is added to has to be cut."""
    operators = builder.source.operators
    maker = {index: operator.kind for operator in operators for index in operator.outputs}
    for pad in (operator for operator in operators if operator.kind == "PAD"):
        amounts = builder.constant(pad.inputs[1])  # (axis, before and after)
        if np.count_nonzero(amounts) != 1 or amounts[3, 1] <= 0:
            raise UnsupportedModelError(f"PAD by {amounts.tolist()} does more than append channels")
        (output,) = pad.outputs
        users = [operator for operator in operators if output in operator.inputs]
        if [user.kind for user in users] != ["ADD"]:
            raise UnsupportedModelError("PAD is read by something else than one ADD")
        (other,) = set(users[0].inputs) - {output}
        if maker[other] != "CONV_2D" or sum(other in user.inputs for user in operators) != 1:
            raise UnsupportedModelError("PAD is added to something else than a CONV_2D of its own")
        builder.padded[output] = pad.inputs[0]
        builder.cuts[other] = builder.shape(pad.inputs[0])[3]


def _convert_resize(builder: GraphBuilder, operator: Operator) -> None:
    options = _options(operator, tflite.ResizeBilinearOptions)
    if options.AlignCorners() or not options.HalfPixelCenters():
        raise UnsupportedModelError("RESIZE_BILINEAR does not have half-pixel centres")
    output = builder.name(operator.outputs[0])
    rows, columns = (int(size) for size in builder.constant(operator.inputs[1]))
    channels = builder.shape(operator.inputs[0])[3]
    sizes = builder.integers(f"{output}/sizes", (1, channels, rows, columns))
    builder.add(
        "Resize",
        [builder.name(operator.inputs[0]), "", "", sizes],
        output,
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )


def _convert_reshape(builder: GraphBuilder, operator: Operator) -> None:
    source, output = builder.name(operator.inputs[0]), builder.name(operator.outputs[0])
    if len(builder.shape(operator.inputs[0])) != 4 or len(builder.shape(operator.outputs[0])) == 4:
        raise UnsupportedModelError("RESHAPE is not from four axes to fewer")
    back = builder.add("Transpose", [source], f"{output}/nhwc", perm=(0, 2, 3, 1))
    shape = builder.integers(f"{output}/shape", builder.shape(operator.outputs[0]))
    builder.add("Reshape", [back, shape], output)


def _convert_dequantize(builder: GraphBuilder, operator: Operator) -> None:
    """Halves to floats, of constants only; `GraphBuilder.weight` writes the cast."""
    builder.constants[operator.outputs[0]] = builder.constant(operator.inputs[0])


_CONVERTERS: dict[str, Callable[[GraphBuilder, Operator], None]] = {
    "ADD": _convert_add,
    "CONV_2D": _convert_conv,
    "DEPTHWISE_CONV_2D": _convert_conv,
    "DEQUANTIZE": _convert_dequantize,
    "MAX_POOL_2D": _convert_max_pool,
    "PAD": _convert_pad,
    "PRELU": _convert_prelu,
    "RELU": _convert_relu,
    "RESHAPE": _convert_reshape,
    "RESIZE_BILINEAR": _convert_resize,
}


def _write_input(builder: GraphBuilder, source: str, input_range: tuple[float, float]) -> None:
    """From `image` to the network's first value."""
    low, high = input_range
    # Turned while it is uint8: a quarter of the bytes.
    builder.add("Transpose", ["image"], "image/nchw", perm=(0, 3, 1, 2))
    builder.add("Cast", ["image/nchw"], "image/float", to=TensorProto.FLOAT)
    scale = builder.weight("image/scale", np.array((high - low) / 255, np.float32))
    if low == 0:
        builder.add("Mul", ["image/float", scale], source)
    else:
        builder.add("Mul", ["image/float", scale], "image/scaled")
        offset = builder.weight("image/offset", np.array(low, np.float32))
        builder.add("Add", ["image/scaled", offset], source)


def _write_output(builder: GraphBuilder, index: int, output: str, shape: tuple[int, ...]) -> None:
    """Gives a value its name and shape as an output of the graph."""
    given = builder.shape(index)
    if given == shape:
        builder.add("Identity", [builder.name(index)], output)
    elif len(given) == 4 and given[1:3] == (1, 1) and np.prod(given) == np.prod(shape):
        target = builder.integers(f"{output}/shape", shape)
        builder.add("Reshape", [builder.name(index), target], output)
    else:
        raise UnsupportedModelError(f"output {output}: expected {shape}, found {given}")


def convert(
    graph: TfliteGraph,
    *,
    name: str,
    input_range: tuple[float, float],
    outputs: Mapping[str, tuple[int, ...]],
    properties: Mapping[str, str],
) -> ModelProto:
    """An ONNX model that takes `image`, uint8 RGB (1, rows, columns, 3), and normalises it itself.

    Args:
        graph: What `read_tflite` gives.
        name: Name of the ONNX graph.
        input_range: What 0 and 255 become before the first operator.
        outputs: Name and shape of each output, in the TFLite file's order. A shape that differs
            from TFLite's is reached by a reshape, for which rows and columns have to be 1.
        properties: Where it comes from, for the file's metadata.
    """
    builder = GraphBuilder(graph)
    find_padded_sums(builder)
    (source,) = graph.inputs
    _write_input(builder, builder.name(source), input_range)
    for operator in graph.operators:
        if operator.kind not in _CONVERTERS:
            raise UnsupportedModelError(
                f"the operator {operator.kind} is not known; known are {', '.join(_CONVERTERS)}"
            )
        _CONVERTERS[operator.kind](builder, operator)
    for index, (output, shape) in zip(graph.outputs, outputs.items(), strict=True):
        _write_output(builder, index, output, shape)
    model = helper.make_model(
        helper.make_graph(
            builder.nodes,
            name,
            [helper.make_tensor_value_info("image", TensorProto.UINT8, builder.shape(source))],
            [
                helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)
                for output, shape in outputs.items()
            ],
            builder.initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="vivant scripts/convert_face_models.py",
    )
    helper.set_model_props(model, dict(properties))
    checker.check_model(model, full_check=True)
    return model
