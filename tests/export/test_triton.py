"""A model repository against NVIDIA's own schema of its configuration, and run as it says."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig, ModelInstanceGroup

from builders import moved, seeded
from kserve import Served, read_config
from vivant.errors import InputError, ParityError
from vivant.export import triton
from vivant.export.export import Exported, export_graph
from vivant.export.judged_clips import JudgedClips
from vivant.export.triton import config_text, export_repository, model_name
from vivant.networks.card import OperatingPoint, Precision, TrainingRecord, read_card
from vivant.networks.checkpoint import save_checkpoint
from vivant.networks.models import lite
from vivant.networks.part_specs import output_fields
from vivant.runtimes.external_data import refers_to_files
from vivant.runtimes.onnx import OnnxRunner

TRAINED = TrainingRecord(data="made-up:1", is_synthetic=False, pai_species=("print",))
POINT = OperatingPoint(threshold=0.5, rule="dev-eer", data="made-up:1 dev")


def made_up_clips(num: int) -> np.ndarray:
    coarse = np.random.default_rng(11).integers(0, 256, (num, 5, 7, 7, 3), dtype=np.uint8)
    return coarse.repeat(32, 2).repeat(32, 3)


@pytest.fixture(scope="module")
def trained(lite_traced_once: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`lite` with an operating point, traced once for all tests here."""
    network = moved(seeded(lite()))
    folder = tmp_path_factory.mktemp("trained")
    return save_checkpoint(network, folder, "lite", training=TRAINED, operating_point=POINT)


@pytest.fixture(scope="module")
def exported(trained: Path) -> Exported:
    return export_repository(trained, trained.parent / "models")


@pytest.fixture(scope="module")
def plain(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The graph alone, without a repository."""
    return export_graph(trained, tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def judged() -> JudgedClips:
    """A clip to calibrate with, and two to judge by."""
    clips = made_up_clips(3)
    return JudgedClips((clips[:1],), (clips[1:],), np.array([True, False]), "made-up")


@pytest.fixture(scope="module")
def half(trained: Path, judged: JudgedClips, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The graph alone in fp16."""
    folder = tmp_path_factory.mktemp("half")
    return export_graph(trained, folder, "onnx", "fp16", judged, allow_drift=True)


@pytest.fixture
def reuse(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exported], None]:
    """Makes repositories of a graph that is there already: most of an export's time is the graph's."""

    def take_over(graph: Exported) -> None:
        def export_again(card_path: Path, folder: Path, *_: object, **__: object) -> Exported:
            shutil.copytree(graph.card_path.parent, folder, dirs_exist_ok=True)
            return replace(graph, card_path=folder / graph.card_path.name)

        monkeypatch.setattr(triton, "export_graph", export_again)

    return take_over


def test_repository_has_what_triton_reads_and_the_card(exported: Exported) -> None:
    models = exported.card_path.parents[2]
    files = sorted(path.relative_to(models).as_posix() for path in models.rglob("*.*"))
    assert files == ["lite/1/model.onnx", "lite/1/model.onnx.json", "lite/config.pbtxt"]
    assert exported.card_path == models / "lite/1/model.onnx.json"
    assert set(exported.parity) == {"onnx", "openvino"}
    card = read_card(exported.card_path)
    assert (card.operating_point, card.training) == (POINT, TRAINED)
    assert card.weights.file_name == "model.onnx"
    assert not refers_to_files((models / "lite/1/model.onnx").read_bytes())


def test_every_field_of_the_configuration_is_the_schema_s(exported: Exported) -> None:
    config = read_config(exported.card_path.parents[1] / "config.pbtxt")
    card = read_card(exported.card_path)
    of_graph = OnnxRunner(exported.card_path).run(made_up_clips(1))
    expected = ModelConfig(
        name="lite",
        platform="onnxruntime_onnx",
        default_model_filename="model.onnx",
        max_batch_size=16,
    )
    expected.version_policy.specific.versions.append(1)
    expected.input.add(name="clips", data_type=DataType.TYPE_UINT8, dims=[5, 224, 224, 3])
    for name in output_fields(card.architecture):
        values = getattr(of_graph, name)
        kind = {"f": DataType.TYPE_FP32, "i": DataType.TYPE_INT64}[values.dtype.kind]
        output = expected.output.add(name=name, data_type=kind, dims=values.shape[1:] or [1])
        if values.ndim == 1:
            output.reshape.SetInParent()  # To no axis: the batch's is all there is.
    expected.dynamic_batching.max_queue_delay_microseconds = 1000
    expected.instance_group.add(kind=ModelInstanceGroup.KIND_AUTO, count=1)
    expected.parameters["weights_sha256"].string_value = card.weights.sha256
    assert config == expected


@pytest.mark.parametrize("num_clips", [1, 16])
def test_graph_runs_by_its_configuration_and_answers_as_the_onnx_runtime(
    num_clips: int, exported: Exported
) -> None:
    served = Served(exported.card_path.parents[1])
    assert num_clips in (1, served.config.max_batch_size)
    clips = made_up_clips(num_clips)
    given = served.run({served.config.input[0].name: clips})
    scores = OnnxRunner(exported.card_path).run(clips)
    assert given["bona_fide_score"].shape == (num_clips, 1)
    for name, values in given.items():
        ours = getattr(scores, name)
        np.testing.assert_allclose(values.reshape(ours.shape), ours, rtol=1e-4, atol=1e-5)


def test_exporting_again_replaces_version_1_and_leaves_what_else_is_there(
    trained: Path,
    exported: Exported,
    plain: Exported,
    reuse: Callable[[Exported], None],
    tmp_path: Path,
) -> None:
    reuse(plain)
    folder = tmp_path / "models" / "lite"
    shutil.copytree(exported.card_path.parents[1], folder)
    theirs = folder / "2" / "model.onnx"
    theirs.parent.mkdir()
    theirs.write_bytes(b"theirs")
    (folder / "config.pbtxt").write_text("name: 'old'")
    (folder / "1" / "model.onnx").write_bytes(b"old")
    again = export_repository(trained, tmp_path / "models")
    assert theirs.read_bytes() == b"theirs"
    assert list(read_config(folder / "config.pbtxt").version_policy.specific.versions) == [1]
    OnnxRunner(again.card_path)


def test_half_precision_is_a_model_of_its_own_and_answers_alike_whole(
    trained: Path,
    half: Exported,
    judged: JudgedClips,
    reuse: Callable[[Exported], None],
    tmp_path: Path,
) -> None:
    reuse(half)
    require_model_of_its_own("fp16", trained, judged, tmp_path / "models")


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_lower_precision_is_a_model_of_its_own_and_answers_alike_whole(
    precision: str, trained: Path, judged: JudgedClips, tmp_path: Path
) -> None:
    require_model_of_its_own(precision, trained, judged, tmp_path / "models")


def require_model_of_its_own(
    precision: str, trained: Path, judged: JudgedClips, models: Path
) -> None:
    """Export for Triton in lower precision, and hold the whole graph's answers against its parts'."""
    exported = export_repository(trained, models, precision, judged, allow_drift=True)
    folder = models / f"lite_{precision}"
    assert exported.card_path == folder / "1" / "model.onnx.json"
    assert exported.drift
    low = read_card(exported.card_path)
    assert low.precision == Precision(encode=precision, execute=precision)
    clips = made_up_clips(3)
    given = Served(folder).run({"clips": clips})
    in_parts = OnnxRunner(exported.card_path).run(clips)
    score = given["bona_fide_score"][:, 0]
    np.testing.assert_allclose(score, in_parts.bona_fide_score, atol=1e-3)


def test_graph_that_answers_otherwise_whole_than_in_parts_is_not_written(
    trained: Path,
    half: Exported,
    judged: JudgedClips,
    reuse: Callable[[Exported], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In lower precision it is judged part by part, and Triton runs it whole."""

    class Off(OnnxRunner):
        def run(self, clips: np.ndarray) -> object:
            scores = super().run(clips)
            scores.bona_fide_score[:] += 0.01 if self._whole is not None else 0
            return scores

    reuse(half)
    monkeypatch.setattr(triton, "OnnxRunner", Off)
    with pytest.raises(ParityError, match="run whole, as Triton does, the graph in fp16 answers"):
        export_repository(trained, tmp_path / "models", "fp16", judged, allow_drift=True)
    assert not (tmp_path / "models").exists()


def test_bf16_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="float32, int8 or fp16 for Triton, got bf16: that is Op"):
        export_repository(tmp_path / "none.json", tmp_path / "models", "bf16")
    assert not (tmp_path / "models").exists()


def test_graph_that_fails_parity_leaves_no_repository(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> Exported:
        raise ParityError("expected the same scores")

    monkeypatch.setattr(triton, "export_graph", fails)
    with pytest.raises(ParityError):
        export_repository(trained, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def graph_with(shape: list[object], kind: int = TensorProto.FLOAT) -> bytes:
    """From `clips` of a batch to `score` of that shape and type."""
    given = helper.make_tensor_value_info("clips", TensorProto.UINT8, ["clips", 4])
    answer = helper.make_tensor_value_info("score", kind, shape)
    node = helper.make_node("Cast", ["clips"], ["score"], to=kind)
    model: onnx.ModelProto = helper.make_model(helper.make_graph([node], "g", [given], [answer]))
    return model.SerializeToString()


@pytest.mark.parametrize("shape", [[1, 4], [], ["others", 4], ["clips", "any"], ["clips", 0]])
def test_answer_without_the_batch_s_axis_is_refused(shape: list[object]) -> None:
    with pytest.raises(InputError, match="score: expected any number of clips on the first axis"):
        config_text("a", graph_with(shape), "0" * 64)


def test_type_that_is_not_known_is_refused() -> None:
    with pytest.raises(InputError, match="score: expected a type .*, got COMPLEX64"):
        config_text("a", graph_with(["clips", 4], TensorProto.COMPLEX64), "0" * 64)


def test_same_function_writes_the_graph(plain: Exported, exported: Exported) -> None:
    content = plain.card_path.with_suffix("").read_bytes()
    assert exported.card_path.with_suffix("").read_bytes() == content
    assert model_name("lite", "float32") == "lite"
