"""The walk through an ONNX file, held against the official message descriptions."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from vivant.runtimes import external_data
from vivant.runtimes.external_data import refers_to_files


def external() -> TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.bin")
    return tensor


def inside() -> TensorProto:
    tensor = numpy_helper.from_array(np.zeros(1, np.float32), "w")
    tensor.data_location = TensorProto.DEFAULT
    return tensor


def model(where: str, tensor: TensorProto) -> bytes:
    """A model that holds a tensor in one of the places that a tensor can be."""
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    constant = helper.make_node("Constant", [], ["y"], value=tensor)
    graph = helper.make_graph([constant], "g", [], [output])
    functions = []
    if where == "initializer":
        node = helper.make_node("Identity", ["w"], ["y"])
        graph = helper.make_graph([node], "g", [], [output], [tensor])
    elif where == "branch":
        branch = helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)
        graph = helper.make_graph([branch], "g2", [], [output])
    elif where == "list":
        node = helper.make_node("Identity", ["x"], ["y"])
        node.attribute.append(helper.make_attribute("list", [tensor]))
        graph = helper.make_graph([node], "g", [], [output])
    elif where == "sparse":
        sparse = helper.make_sparse_tensor(
            tensor, numpy_helper.from_array(np.zeros(1, np.int64)), [1]
        )
        graph = helper.make_graph([], "g", [], [output], sparse_initializer=[sparse])
    elif where == "function":
        opset = [helper.make_opsetid("", 20)]
        functions = [helper.make_function("ours", "f", [], ["y"], [constant], opset)]
        graph = helper.make_graph([], "g", [], [output])
    return helper.make_model(graph, functions=functions).SerializeToString()


@pytest.mark.parametrize(
    "where", ["initializer", "constant", "branch", "list", "sparse", "function"]
)
def test_tensors_elsewhere_are_found_wherever_they_are_named(where: str) -> None:
    assert refers_to_files(model(where, external()))
    assert not refers_to_files(model(where, inside()))


def test_field_numbers_are_the_official_ones() -> None:
    """Every field of a known message that leads to a tensor is followed, and no other."""
    reaches = set(external_data._FIELDS) | {"TensorProto"}
    for kind, fields in external_data._FIELDS.items():
        official = {
            field.number: field.message_type.name
            for field in getattr(onnx, kind).DESCRIPTOR.fields
            if field.message_type is not None and field.message_type.name in reaches
        }
        assert fields == official, kind
    tensor = {field.name: field.number for field in TensorProto.DESCRIPTOR.fields}
    assert tensor["external_data"] == external_data._EXTERNAL_DATA
    assert tensor["data_location"] == external_data._DATA_LOCATION


def test_no_way_from_a_model_to_a_tensor_is_left_out() -> None:
    """From the official descriptions: messages that a model holds and that hold a tensor."""
    holds: dict[str, set[str]] = {}
    waiting = ["ModelProto"]
    while waiting:
        kind = waiting.pop()
        if kind in holds or not hasattr(onnx, kind):
            continue
        fields = getattr(onnx, kind).DESCRIPTOR.fields
        holds[kind] = {field.message_type.name for field in fields if field.message_type}
        waiting += holds[kind]
    leads = {"TensorProto"}
    for _ in holds:
        leads |= {kind for kind, inner in holds.items() if inner & leads}
    assert leads - {"TensorProto"} == set(external_data._FIELDS)


@pytest.mark.parametrize(
    "content",
    [b"not a graph", b"\x0a", b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x3a\x05ab"],
)
def test_what_is_no_model_is_an_error(content: bytes) -> None:
    with pytest.raises(ValueError, match="it "):
        refers_to_files(content)


def test_deep_nesting_is_an_error() -> None:
    content = b""
    for _ in range(100):  # a graph in an attribute of a node of a graph ...
        for number in (6, 5, 1):
            length = len(content)
            size = bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])
            content = bytes([number << 3 | 2]) + size + content
    size = bytes([len(content) & 127 | 128, len(content) >> 7])
    with pytest.raises(ValueError, match="too deeply"):
        refers_to_files(b"\x3a" + size + content)


def test_file_s_own_weights_are_fine(tmp_path: Path) -> None:
    assert not refers_to_files(model("initializer", inside()))
    assert not refers_to_files(b"")
