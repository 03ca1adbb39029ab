"""Small graphs whose rounding can be worked out."""

import logging
from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from vivant.errors import WeightsError
from vivant.export.low_precision import halved, quantised


def model_of(
    nodes: Sequence[onnx.NodeProto],
    shapes: tuple[Sequence[object], Sequence[object]],
    **weights: np.ndarray,
) -> ModelProto:
    """A graph from `x` to `y`, as the exporter of networks has it."""
    inputs, outputs = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        for name, shape in zip("xy", shapes, strict=True)
    )
    initializers = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "small", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    return model


def run(model: ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (y,) = session.run(None, {"x": x})
    return y


def weights_of(model: ModelProto) -> dict[str, np.ndarray]:
    return {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}


def makers_of(model: ModelProto) -> tuple[dict[str, onnx.NodeProto], onnx.NodeProto]:
    """The node that makes each tensor, and the convolution."""
    makers = {name: node for node in model.graph.node for name in node.output}
    (convolution,) = [node for node in model.graph.node if node.op_type == "Conv"]
    return makers, convolution


# One convolution of 3x3, two channels to three, the largest weights 1.27, 0.254 and 12.7.
LARGEST = np.array([1.27, 0.254, 12.7], np.float32)


@pytest.fixture(scope="module")
def convolution() -> ModelProto:
    weights = np.random.default_rng(3).uniform(-1, 1, (3, 2, 3, 3)).astype(np.float32)
    weights *= (LARGEST / np.abs(weights).max((1, 2, 3)))[:, None, None, None]
    node = helper.make_node("Conv", ["x", "weights", "bias"], ["y"], "conv", kernel_shape=[3, 3])
    bias = np.array([1, -2, 0.5], np.float32)
    return model_of([node], (["b", 2, 8, 8], ["b", 3, 6, 6]), weights=weights, bias=bias)


@pytest.fixture(scope="module")
def batches() -> list[np.ndarray]:
    """0 to 2.55: steps of an unsigned byte are 0.01."""
    generator = np.random.default_rng(4)
    batches = [generator.uniform(0, 2.55, (2, 2, 8, 8)).astype(np.float32) for _ in range(3)]
    batches[1].flat[0], batches[2].flat[0] = 0, 2.55
    return batches


def named(batches: list[np.ndarray]) -> list[dict[str, np.ndarray]]:
    return [{"x": batch} for batch in batches]


@pytest.fixture(scope="module")
def low(convolution: ModelProto, batches: list[np.ndarray]) -> ModelProto:
    return quantised(convolution, named(batches))


def test_every_operand_of_a_convolution_is_quantised(low: ModelProto) -> None:
    makers, conv = makers_of(low)
    for operand in conv.input:
        assert makers[operand].op_type == "DequantizeLinear", operand
    of_x = makers[conv.input[0]].input[0]
    assert makers[of_x].op_type == "QuantizeLinear"
    assert [value.name for value in low.graph.output] == ["y"]


def test_weights_are_signed_bytes_with_a_scale_for_each_channel(
    low: ModelProto, convolution: ModelProto
) -> None:
    makers, conv = makers_of(low)
    known = weights_of(low)
    weights, scale, zero = (known[name] for name in makers[conv.input[1]].input)
    assert weights.dtype == np.int8
    assert not zero.any()
    np.testing.assert_allclose(scale, LARGEST / 127, rtol=1e-6)  # 0.01, 0.002 and 0.1.
    exact = weights_of(convolution)["weights"] / scale[:, None, None, None]
    assert np.abs(weights - exact).max() <= 0.5 + 1e-4, "rounded to the nearest step"
    assert np.abs(weights.astype(int)).max((1, 2, 3)).tolist() == [127] * 3


def test_activations_are_unsigned_bytes_over_the_range_that_was_seen(low: ModelProto) -> None:
    makers, conv = makers_of(low)
    known = weights_of(low)
    _, scale, zero = makers[conv.input[0]].input
    assert known[zero].dtype == np.uint8
    assert known[scale] == pytest.approx(0.01)
    assert known[zero] == 0


def test_answer_is_as_near_as_steps_allow(
    low: ModelProto, convolution: ModelProto, batches: list[np.ndarray]
) -> None:
    x = batches[0]
    exact, found = run(convolution, x), run(low, x)
    # Half a step of each operand (0.005 of x), times the other, over the 18 taps; and of y.
    size = np.abs(weights_of(convolution)["weights"]).sum((1, 2, 3))  # (3,)
    of_x = 0.005 * size
    of_weights = LARGEST / 254 * 18 * (2.55 + 0.005)
    everything = np.concatenate([run(convolution, batch) for batch in batches])
    of_y = (max(everything.max(), 0) - min(everything.min(), 0)) / 255 / 2
    bound = of_x + of_weights + of_y * 1.1
    error = np.abs(found - exact).max((0, 2, 3))
    assert (error < bound).all()
    assert error.max() > 1e-3, "it is not float32"


def test_given_model_is_not_changed(batches: list[np.ndarray]) -> None:
    """ONNX Runtime takes tensors above 1024 bytes out of the model that it is given."""
    node = helper.make_node("Conv", ["x", "weights"], ["y"], "conv", kernel_shape=[3, 3])
    weights = np.ones((32, 2, 3, 3), np.float32)
    model = model_of([node], (["b", 2, 8, 8], ["b", 32, 6, 6]), weights=weights)
    before = model.SerializeToString()
    quantised(model, named(batches))
    assert model.SerializeToString() == before


def test_quantiser_gives_no_advice(
    convolution: ModelProto, batches: list[np.ndarray], caplog: pytest.LogCaptureFixture
) -> None:
    level = logging.getLogger().level
    quantised(convolution, named(batches))
    assert caplog.records == []
    assert logging.getLogger().level == level


# y = x w + bias, w of 16x16: as many numbers as are worth halving.
STEP = 2.0**-10  # Of fp16 between 1 and 2.


def product(weights: np.ndarray) -> ModelProto:
    nodes = [
        helper.make_node("MatMul", ["x", "weights"], ["product"], "matmul"),
        helper.make_node("Add", ["product", "bias"], ["y"], "add"),
    ]
    bias = np.full(weights.shape[1], 1 + STEP / 8, np.float32)
    shapes = ["b", weights.shape[0]], ["b", weights.shape[1]]
    return model_of(nodes, shapes, weights=weights, bias=bias)


def test_halved_weights_are_rounded_to_the_nearest_half() -> None:
    weights = np.zeros((16, 16), np.float32)
    # A quarter of a step falls, half of one goes to the even neighbour, three quarters rise.
    weights[:5, 0] = 1 + STEP * np.array([0.25, 0.5, 0.75, 1.5, 2.5])
    low = halved(product(weights))
    x = np.eye(5, 16, dtype=np.float32)
    expected = 1 + STEP * np.array([0, 0, 1, 2, 2], np.float32)
    np.testing.assert_array_equal(run(low, x)[:, 0] - (1 + STEP / 8), expected)


def test_halved_graph_answers_like_rounded_weights() -> None:
    weights = np.random.default_rng(5).normal(0, 1, (24, 16)).astype(np.float32)
    x = np.random.default_rng(6).normal(0, 1, (7, 24)).astype(np.float32)
    low = halved(product(weights))
    rounded = weights.astype(np.float16).astype(np.float32)
    np.testing.assert_allclose(run(low, x), x @ rounded + (1 + STEP / 8), rtol=1e-5, atol=1e-5)
    assert np.abs(run(low, x) - run(product(weights), x)).max() > 1e-4, "it is not float32"


def test_halved_weights_are_stored_so_and_turned_back_first() -> None:
    model = product(np.ones((1024, 16), np.float32))
    low = halved(model)
    onnx.checker.check_model(low)
    kinds = {name: values.dtype for name, values in weights_of(low).items()}
    assert kinds == {"weights.half": np.float16, "bias": np.float32}
    assert [node.op_type for node in low.graph.node] == ["Cast", "MatMul", "Add"]
    assert len(low.SerializeToString()) < 0.51 * len(model.SerializeToString())


def test_small_tensors_and_whole_numbers_stay_as_they_are() -> None:
    nodes = [
        helper.make_node("Mul", ["x", "small"], ["scaled"], "mul"),
        helper.make_node("Reshape", ["scaled", "shape"], ["reshaped"], "reshape"),
        helper.make_node("Gather", ["reshaped", "order"], ["y"], "gather", axis=1),
    ]
    small = np.full(255, 1 + STEP / 8, np.float32)
    order = np.arange(300) % 255
    model = model_of(
        nodes, (["b", 255], ["b", 300]), small=small, shape=np.array([-1, 255]), order=order
    )
    assert halved(model).SerializeToString() == model.SerializeToString()


def test_halving_leaves_the_given_model_as_it_is() -> None:
    model = product(np.ones((16, 16), np.float32))
    before = model.SerializeToString()
    assert halved(model).SerializeToString() != before
    assert model.SerializeToString() == before


@pytest.mark.parametrize("largest", [65520, -1e6])
def test_weight_that_fp16_cannot_hold_is_told(largest: float) -> None:
    weights = np.zeros((16, 16), np.float32)
    weights[3, 4] = largest
    with pytest.raises(WeightsError, match="^weights has weights above 65504, which fp16 cannot"):
        halved(product(weights))


def test_largest_weight_that_fp16_holds_is_held() -> None:
    low = halved(product(np.full((16, 16), 65504, np.float32)))
    assert weights_of(low)["weights.half"].max() == 65504
