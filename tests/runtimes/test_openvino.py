"""OpenVINO on both of its formats; the exported graph against torch is in tests/export."""

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from made_up import card as made_up_card
from vivant.errors import CardError
from vivant.export.export import export_graph
from vivant.networks.card import Precision, WeightsFile, digest, read_card, write_card
from vivant.networks.models import model_b
from vivant.networks.part_specs import part_specs
from vivant.records import Scores
from vivant.runtimes.onnx import OnnxRunner
from vivant.runtimes.openvino import OpenVinoRunner
from vivant.runtimes.runner import Runner, run_in_parts
from vivant.runtimes.torch import TorchRunner


@pytest.fixture(scope="module")
def clips() -> np.ndarray:
    return np.random.default_rng(8).integers(0, 256, (2, 5, 224, 224, 3), dtype=np.uint8)


def assert_alike(one: Scores, other: Scores) -> None:
    for field in fields(Scores):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if field.name == "frame_features":
            assert mine is theirs is None, "the paper's networks have no levels"
            continue
        assert mine.dtype.type is theirs.dtype.type, field.name
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4, err_msg=field.name)


@pytest.fixture(scope="module")
def xml_card(
    lite_traced_once: None, lite_card: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return export_graph(lite_card, tmp_path_factory.mktemp("xml"), "openvino").card_path


def test_own_format_answers_like_onnx(
    xml_card: Path, lite_graph_path: Path, clips: np.ndarray
) -> None:
    assert sorted(path.name for path in xml_card.parent.iterdir()) == [
        "lite.bin",
        "lite.xml",
        "lite.xml.json",
    ]
    runner = OpenVinoRunner(xml_card, num_threads=1)
    assert runner.runtime == "openvino"
    of_onnx = OnnxRunner(lite_graph_path.with_suffix(".onnx.json"))
    assert_alike(runner.run(clips), of_onnx.run(clips))
    np.testing.assert_array_equal(runner.run(clips).anchors, of_onnx.run(clips).anchors)


def test_parts_answer_like_the_whole_in_every_runtime(
    xml_card: Path, lite_graph_path: Path, lite_card: Path, clips: np.ndarray
) -> None:
    graph = lite_graph_path.with_suffix(".onnx.json")
    runners: list[Runner] = [
        OnnxRunner(graph), OpenVinoRunner(graph), OpenVinoRunner(xml_card), TorchRunner(lite_card),
    ]  # fmt: skip
    for runner in runners:
        assert_alike(run_in_parts(runner, clips), runner.run(clips))


def test_bf16_is_in_the_convolutions_alone(
    lite_graph_path: Path, tmp_path: Path, clips: np.ndarray
) -> None:
    """The tail has float32's bits: run on the same features it gives the same anchors."""
    card = json.loads(lite_graph_path.with_suffix(".onnx.json").read_text())
    card["precision"] = {"encode": "bf16", "execute": "bf16"}
    (tmp_path / "lite.onnx").write_bytes(lite_graph_path.read_bytes())
    (tmp_path / "lite.onnx.json").write_text(json.dumps(card))
    low = OpenVinoRunner(tmp_path / "lite.onnx.json")
    full = OpenVinoRunner(lite_graph_path.with_suffix(".onnx.json"))
    assert low.runtime == "openvino bf16"
    frames = {"frames": clips.reshape(-1, *clips.shape[2:])}
    features = full.run_part("encode", frames)["features"]
    given = {"features": features.reshape(2, 5, *features.shape[1:]), "clips": clips}
    mine, theirs = low.run_part("advise", given), full.run_part("advise", given)
    for name in part_specs(low.card.architecture)["advise"].outputs:
        np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)
    difference = np.abs(low.run(clips).bona_fide_score - full.run(clips).bona_fide_score).max()
    assert difference < 0.1
    with pytest.raises(CardError, match="to be computed in bf16, which ONNX Runtime"):
        OnnxRunner(tmp_path / "lite.onnx.json")


def test_damaged_file_is_refused(xml_card: Path, tmp_path: Path) -> None:
    for name in ("lite.bin", "lite.xml", "lite.xml.json"):
        (tmp_path / name).write_bytes((xml_card.parent / name).read_bytes())
    (tmp_path / "lite.bin").write_bytes(b"damaged")
    with pytest.raises(CardError, match="is not the file that its card describes"):
        OpenVinoRunner(tmp_path / "lite.xml.json")


def write(folder: Path, nodes: Sequence[onnx.NodeProto]) -> Path:
    """A graph from clips to one number each, and a card that takes it for Model B's."""
    clips = helper.make_tensor_value_info("clips", TensorProto.UINT8, ["b", 5, 224, 224, 3])
    score = helper.make_tensor_value_info("bona_fide_score", TensorProto.FLOAT, ["b"])
    graph = helper.make_graph(nodes, "other", [clips], [score])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ours", 1)]
    content = helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    weights = WeightsFile(file_name="other.onnx", format="onnx", sha256=digest(content))
    (folder / "other.onnx").write_bytes(content)
    of_b = made_up_card(architecture=model_b()).model_copy(update={"weights": weights})
    return write_card(of_b, folder)


SUM = (
    helper.make_node("Cast", ["clips"], ["numbers"], to=TensorProto.FLOAT),
    helper.make_node("Flatten", ["numbers"], ["flat"]),
    helper.make_node("ReduceL1", ["flat"], ["bona_fide_score"], keepdims=0),
)


def test_graph_of_another_architecture_is_refused(tmp_path: Path) -> None:
    expected = "bona_fide_score, advisor_score, .*, got bona_fide_score$"
    with pytest.raises(
        CardError, match=f"is not the graph of its card: expected the .* {expected}"
    ):
        OpenVinoRunner(write(tmp_path, SUM))


def test_graph_of_unknown_operations_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("Guess", ["clips"], ["bona_fide_score"], domain="ours")
    with pytest.raises(CardError, match=r"^other\.onnx is not a usable graph: (.|\n)*Guess"):
        OpenVinoRunner(write(tmp_path, [node]))


def test_graph_of_an_older_version_has_no_parts(tmp_path: Path) -> None:
    """In bf16 it cannot even be run."""
    path = write(tmp_path, SUM)
    low = read_card(path).model_copy(update={"precision": Precision(encode="bf16")})
    write_card(low, tmp_path)
    with pytest.raises(CardError, match=r"other\.onnx has no part 'encode': it was exported by an"):
        OpenVinoRunner(path)


def test_checkpoint_is_no_graph(lite_card: Path) -> None:
    with pytest.raises(CardError, match="expected onnx: make one with vivant export"):
        OpenVinoRunner(lite_card)
