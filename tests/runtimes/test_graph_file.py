"""A graph of two parts written by hand, and the one that ships, read and cut."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto

from made_up import card as made_up_card
from vivant.errors import CardError
from vivant.networks.card import WeightsFile, digest, read_card
from vivant.networks.part_specs import PartSpec, part_specs
from vivant.runtimes.graph_file import cut_out, read_onnx
from vivant.session.session import STARTER

# y = 2 x + 1, then z = 10 + the sums of the rows of y: joined by a reshape, as an export joins.
TWO_PARTS = """
<ir_version: 9, opset_import: ["" : 20]>
vivant (float[b, 2, 3] x) => (float[b] z)
<float doubling/two = {2}, float doubling/one = {1}, int64[1] summing/last = {1},
 float summing/ten = {10}, int64[2] in_shape = {-1, 3}, int64[2] out_shape = {-1, 6},
 float[m, 3] doubling/x, float[m, 3] doubling/y, float[b, 6] summing/y, float[b] summing/z>
{
    [to_doubling] doubling/x = Reshape(x, in_shape)
    [doubling/mul] doubling/twice = Mul(doubling/x, doubling/two)
    [doubling/add] doubling/y = Add(doubling/twice, doubling/one)
    [to_summing] summing/y = Reshape(doubling/y, out_shape)
    [summing/sum] summing/sums = ReduceSum<keepdims = 0>(summing/y, summing/last)
    [summing/add] summing/z = Add(summing/sums, summing/ten)
    [to_z] z = Identity(summing/z)
}
"""
DOUBLING, SUMMING = PartSpec(("x",), ("y",)), PartSpec(("y",), ("z",))


def with_slashes(text: str, *parts: str) -> ModelProto:
    """The language of ONNX's parser has no slash in a name: two underlines stand for it here."""
    for part in parts:
        text = text.replace(f"{part}/", f"{part}__")
    model = onnx.parser.parse_model(text)
    graph = model.graph
    for node in graph.node:
        node.name = node.name.replace("__", "/")
        for names in (node.input, node.output):
            names[:] = [name.replace("__", "/") for name in names]
    for value in [*graph.initializer, *graph.value_info]:
        value.name = value.name.replace("__", "/")
    onnx.checker.check_model(model)
    return model


@pytest.fixture(scope="module")
def two_parts() -> ModelProto:
    return with_slashes(TWO_PARTS, "doubling", "summing")


def run(content: bytes, **given: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    inputs = {value.name: given[value.name.rpartition("/")[2]] for value in session.get_inputs()}
    (answer,) = session.run(None, inputs)
    return answer


def write(folder: Path, content: bytes) -> Path:
    """A file and where its card would lie."""
    (folder / "made_up.onnx").write_bytes(content)
    return folder / "made_up.onnx.json"


def read(card_path: Path, described: bytes) -> bytes:
    weights = WeightsFile(file_name="made_up.onnx", format="onnx", sha256=digest(described))
    return read_onnx(made_up_card().model_copy(update={"weights": weights}), card_path)


def test_file_is_read_as_it_is(two_parts: ModelProto, tmp_path: Path) -> None:
    content = two_parts.SerializeToString()
    assert read(write(tmp_path, content), content) == content


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"the card's weights are not at .*made_up\.onnx: No such"):
        read(tmp_path / "made_up.onnx.json", b"")


def test_another_file_is_refused(two_parts: ModelProto, tmp_path: Path) -> None:
    content = two_parts.SerializeToString()
    path = write(tmp_path, content + b"\n")
    with pytest.raises(CardError, match="is not the file that its card describes"):
        read(path, content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a graph", r"made_up\.onnx is not an ONNX file: it has"),
        (b"\x3a\x05ab", r"made_up\.onnx is not an ONNX file: it is cut off"),
    ],
)
def test_what_is_no_graph_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(CardError, match=message):
        read(write(tmp_path, content), content)


def test_weights_that_no_card_vouches_for_are_refused(
    two_parts: ModelProto, tmp_path: Path
) -> None:
    (tmp_path / "secret.bin").write_bytes(np.float32(2).tobytes())
    copy = ModelProto()
    copy.CopyFrom(two_parts)
    tensor = next(each for each in copy.graph.initializer if each.name == "doubling/two")
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.bin")
    content = copy.SerializeToString()
    with pytest.raises(CardError, match=r"made_up\.onnx keeps weights in other files, which no"):
        read(write(tmp_path, content), content)


@pytest.mark.parametrize("name", ["safetensors", "openvino"])
def test_other_formats_are_refused_before_they_are_read(name: str, tmp_path: Path) -> None:
    weights = WeightsFile(file_name="other.file", format=name, sha256="0" * 64)
    card = made_up_card().model_copy(update={"weights": weights})
    with pytest.raises(CardError, match=f"other.json is the card of a {name} file, expected onnx"):
        read_onnx(card, tmp_path / "other.json")


def test_parts_do_what_they_do_in_the_whole(two_parts: ModelProto) -> None:
    whole = two_parts.SerializeToString()
    x = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    first = cut_out(whole, "doubling", DOUBLING, "two.onnx")
    second = cut_out(whole, "summing", SUMMING, "two.onnx")
    y = run(first, x=x.reshape(4, 3))
    assert y.tolist() == [[1, 3, 5], [7, 9, 11], [13, 15, 17], [19, 21, 23]]
    z = run(second, y=y.reshape(2, 6))
    assert z.tolist() == [46, 118]  # 1 + 3 + ... + 11 = 36, 13 + ... + 23 = 108.
    assert z.tolist() == run(whole, x=x).tolist()


def test_part_is_itself_and_nothing_else(two_parts: ModelProto) -> None:
    content = cut_out(two_parts.SerializeToString(), "doubling", DOUBLING, "two.onnx")
    graph = onnx.load_model_from_string(content).graph
    assert [value.name for value in graph.input] == ["doubling/x"]
    assert [value.name for value in graph.output] == ["doubling/y"]
    assert [node.name for node in graph.node] == ["doubling/mul", "doubling/add"]
    assert {tensor.name for tensor in graph.initializer} == {"doubling/two", "doubling/one"}


def test_graph_of_an_older_version_has_no_parts() -> None:
    older = with_slashes(TWO_PARTS, "doubling", "summing")
    del older.graph.value_info[:]
    with pytest.raises(CardError, match=r"^old\.onnx has no part 'summing': it was exported by an"):
        cut_out(older.SerializeToString(), "summing", SUMMING, "old.onnx")


def test_part_that_lacks_an_output_is_none(two_parts: ModelProto) -> None:
    other = PartSpec(("x",), ("y", "depth"))
    with pytest.raises(CardError, match="has no part 'doubling'"):
        cut_out(two_parts.SerializeToString(), "doubling", other, "two.onnx")


def test_exported_graph_falls_into_its_parts() -> None:
    """What they answer is in test_openvino.py, for all runtimes."""
    content = STARTER.with_suffix("").read_bytes()
    specs = part_specs(read_card(STARTER).architecture)
    num_weights = 0
    for part, spec in specs.items():
        graph = onnx.load_model_from_string(cut_out(content, part, spec, "lite.onnx")).graph
        assert [value.name for value in graph.input] == [f"{part}/{name}" for name in spec.inputs]
        assert [value.name for value in graph.output] == [f"{part}/{name}" for name in spec.outputs]
        assert {tensor.name.partition("/")[0] for tensor in graph.initializer} <= {part}
        num_weights += len(graph.initializer)
    whole = onnx.load_model_from_string(content).graph.initializer
    joints = [tensor for tensor in whole if tensor.name.endswith(":shape")]
    assert num_weights == len(whole) - len(joints)
