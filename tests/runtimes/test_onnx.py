import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from vivant.errors import CardError
from vivant.export.parity import ParityReport
from vivant.networks.card import digest
from vivant.runtimes.onnx import OnnxRunner
from vivant.runtimes.torch import TorchRunner


@pytest.fixture
def graph_card(lite_graph: tuple[Path, ParityReport], tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    card = tmp_path / "lite.onnx.json"
    card.write_bytes(lite_graph[0].read_bytes())
    (tmp_path / "lite.onnx").write_bytes(lite_graph[0].with_suffix("").read_bytes())
    return card


def vouch_for(card: Path, content: bytes) -> None:
    card.with_suffix("").write_bytes(content)
    fields = json.loads(card.read_text())
    fields["weights"]["sha256"] = digest(content)
    card.write_text(json.dumps(fields))


def test_answer_is_torchs(lite_card: Path, lite_graph: tuple[Path, ParityReport]) -> None:
    clips = np.random.default_rng(8).integers(0, 256, (3, 5, 224, 224, 3), dtype=np.uint8)
    of_onnx, of_torch = OnnxRunner(lite_graph[0]).run(clips), TorchRunner(lite_card).run(clips)
    for name in of_torch.__dataclass_fields__:
        mine, theirs = getattr(of_onnx, name), getattr(of_torch, name)
        assert mine.dtype == theirs.dtype, name
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4, err_msg=name)


def test_threads_do_not_change_the_answer(lite_graph: tuple[Path, ParityReport]) -> None:
    clips = np.full((1, 5, 224, 224, 3), 90, np.uint8)
    one, more = (OnnxRunner(lite_graph[0], num_threads=n).run(clips) for n in (1, 2))
    np.testing.assert_allclose(one.bona_fide_score, more.bona_fide_score, atol=1e-5)


def test_another_file_is_refused(graph_card: Path) -> None:
    graph_card.with_suffix("").write_bytes(b"another")
    with pytest.raises(CardError, match="is not the file that its card describes"):
        OnnxRunner(graph_card)


def test_what_is_no_graph_is_refused(graph_card: Path) -> None:
    vouch_for(graph_card, b"not a graph")
    with pytest.raises(CardError, match=r"lite.onnx is not a usable graph"):
        OnnxRunner(graph_card)


def test_graph_that_reads_other_files_is_refused(graph_card: Path) -> None:
    """External data: an ONNX file may name any file of the disk as its weights."""
    secret = graph_card.parent / "secret.bin"
    secret.write_bytes(np.arange(4, dtype=np.float32).tobytes())
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.bin")
    output = helper.make_tensor_value_info("bona_fide_score", TensorProto.FLOAT, [4])
    graph = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["bona_fide_score"])], "g", [], [output], [tensor]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    vouch_for(graph_card, model.SerializeToString())
    with pytest.raises(CardError, match="is not a usable graph"):
        OnnxRunner(graph_card)
    assert isinstance(onnx.load_model_from_string(model.SerializeToString()), onnx.ModelProto)


def test_checkpoint_is_no_graph(lite_card: Path) -> None:
    with pytest.raises(CardError, match="expected onnx: make one with vivant export"):
        OnnxRunner(lite_card)
