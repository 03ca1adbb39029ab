"""The runner on a graph written by hand; exported networks are in tests/export/test_export.py."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from vivant.errors import CardError, WeightsError
from vivant.networks.card import ModelCard, Preprocessing, WeightsFile, digest, write_card
from vivant.networks.models import model_b
from vivant.runtimes.onnx import OnnxRunner

BRIGHTNESS = """
<ir_version: 9, opset_import: ["" : 20]>
brightness (uint8[b, 5, 224, 224, 3] clips) => (
    float[b] bona_fide_score, float[b] advisor_score, float[b, 2] advisor_logits,
    float[b, 1] advisor_embedding, float[b, 5, 7, 7] cam)
<float one = {1}, float largest = {255}, int64[4] all = {1, 2, 3, 4}, int64[1] colour = {4},
 int64[1] last = {1}>
{
    numbers = Cast<to = 1>(clips)
    shares = Div(numbers, largest)
    bona_fide_score = ReduceMean<keepdims = 0>(shares, all)
    advisor_score = Identity(bona_fide_score)
    advisor_embedding = Unsqueeze(bona_fide_score, last)
    rest = Sub(one, advisor_embedding)
    advisor_logits = Concat<axis = 1>(advisor_embedding, rest)
    grey = ReduceMean<keepdims = 0>(shares, colour)
    cam = AveragePool<kernel_shape = [32, 32], strides = [32, 32]>(grey)
}
"""


def write(folder: Path, content: bytes) -> Path:
    """A file and a card that vouches for it."""
    weights = WeightsFile(file_name="hand.onnx", format="onnx", sha256=digest(content))
    card = ModelCard(
        model="hand",
        architecture=model_b(),
        preprocessing=Preprocessing(crop_side_px=224, mean_rgb=(0.5,) * 3, std_rgb=(0.5,) * 3),
        versions={},
        weights=weights,
    )
    (folder / "hand.onnx").write_bytes(content)
    return write_card(card, folder)


@pytest.fixture
def brightness() -> onnx.ModelProto:
    """A "network" whose score is the mean of the pixels."""
    return onnx.parser.parse_model(BRIGHTNESS)


def test_answer_is_the_graphs(brightness: onnx.ModelProto, tmp_path: Path) -> None:
    clips = np.random.default_rng(8).integers(0, 256, (3, 5, 224, 224, 3), dtype=np.uint8)
    scores = OnnxRunner(write(tmp_path, brightness.SerializeToString())).run(clips)
    means = clips.mean((1, 2, 3, 4)) / 255
    np.testing.assert_allclose(scores.bona_fide_score, means, rtol=1e-5)
    np.testing.assert_allclose(scores.advisor_logits, np.stack([means, 1 - means], 1), rtol=1e-5)
    cells = clips.reshape(3, 5, 7, 32, 7, 32, 3).mean((3, 5, 6)) / 255
    np.testing.assert_allclose(scores.cam, cells, rtol=1e-5)
    assert scores.anchors is None
    assert scores.depth is None


def test_views_of_larger_arrays_are_taken(brightness: onnx.ModelProto, tmp_path: Path) -> None:
    frames = np.random.default_rng(8).integers(0, 256, (1, 5, 300, 300, 3), dtype=np.uint8)
    view = frames[:, :, 20:244, 30:254, ::-1]
    score = OnnxRunner(write(tmp_path, brightness.SerializeToString())).run(view).bona_fide_score
    assert score == pytest.approx(view.mean() / 255, rel=1e-5)


def test_answer_that_is_not_finite_is_refused(brightness: onnx.ModelProto, tmp_path: Path) -> None:
    largest = next(c for c in brightness.graph.initializer if c.name == "largest")
    largest.ClearField("float_data")
    largest.raw_data = np.float32(0).tobytes()
    runner = OnnxRunner(write(tmp_path, brightness.SerializeToString()))
    with pytest.raises(WeightsError, match="bona_fide_score is not finite"):
        runner.run(np.zeros((1, 5, 224, 224, 3), np.uint8))


def test_score_outside_its_range_is_refused(brightness: onnx.ModelProto, tmp_path: Path) -> None:
    largest = next(c for c in brightness.graph.initializer if c.name == "largest")
    largest.ClearField("float_data")
    largest.raw_data = np.float32(100).tobytes()
    runner = OnnxRunner(write(tmp_path, brightness.SerializeToString()))
    with pytest.raises(WeightsError, match=r"expected bona_fide_score in 0..1, got 2.54"):
        runner.run(np.full((1, 5, 224, 224, 3), 255, np.uint8))


def test_graph_of_another_architecture_is_refused(
    brightness: onnx.ModelProto, tmp_path: Path
) -> None:
    del brightness.graph.output[-1]
    with pytest.raises(CardError, match="is not the graph of its card: expected 1 inputs"):
        OnnxRunner(write(tmp_path, brightness.SerializeToString()))


def test_another_file_is_refused(brightness: onnx.ModelProto, tmp_path: Path) -> None:
    card = write(tmp_path, brightness.SerializeToString())
    card.with_suffix("").write_bytes(b"another")
    with pytest.raises(CardError, match="is not the file that its card describes"):
        OnnxRunner(card)


def test_what_is_no_graph_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"hand.onnx is not an ONNX file"):
        OnnxRunner(write(tmp_path, b"not a graph"))


def test_graph_that_reads_other_files_is_refused(
    brightness: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """External data: ONNX Runtime would look for it where the process stands."""
    monkeypatch.chdir(tmp_path)
    Path("secret.bin").write_bytes(np.float32(255).tobytes())
    largest = next(c for c in brightness.graph.initializer if c.name == "largest")
    largest.ClearField("float_data")
    largest.data_location = TensorProto.EXTERNAL
    largest.external_data.add(key="location", value="secret.bin")
    with pytest.raises(CardError, match="keeps weights in other files"):
        OnnxRunner(write(tmp_path, brightness.SerializeToString()))


def test_checkpoint_is_no_graph(lite_card: Path) -> None:
    assert json.loads(lite_card.read_text())["weights"]["format"] == "safetensors"
    with pytest.raises(CardError, match="expected onnx: make one with vivant export"):
        OnnxRunner(lite_card)
