"""The exported graph in ONNX Runtime against the network in torch."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto
from torch import nn

from builders import moved, seeded, small_config
from made_up import MadeUpRunner
from made_up import card as made_up_card
from vivant.errors import CardError, InputError, MissingExtraError, ParityError
from vivant.export import drift
from vivant.export import export as export_module
from vivant.export.convert import convert
from vivant.export.export import Exported, export_graph
from vivant.export.judged_clips import JudgedClips
from vivant.files import write_whole
from vivant.networks.anchors import AnchorSelector
from vivant.networks.card import OperatingPoint, Precision, TrainingRecord, read_card
from vivant.networks.checkpoint import save_checkpoint
from vivant.networks.config import AamConfig, AdvisorConfig, NetworkConfig
from vivant.networks.models import lite, model_b, model_d
from vivant.records import Scores
from vivant.runtimes.onnx import OnnxRunner
from vivant.runtimes.runner import Runner, label
from vivant.runtimes.torch import TorchRunner
from vivant.session.session import STARTER


@pytest.fixture
def left_for_the_wheel(lite_graph: Exported, pytestconfig: pytest.Config) -> None:
    """scripts/check_wheel.py runs it in an environment without torch."""
    cache = pytestconfig.cache.mkdir("export")
    for path in lite_graph.card_path.parent.iterdir():
        write_whole(cache / path.name, path.read_bytes())


def test_every_field_is_torchs(lite_card: Path, lite_graph: Exported) -> None:
    pictures = np.random.default_rng(8).integers(0, 256, (3, 5, 224, 224, 3), dtype=np.uint8)
    for num_threads, clips in ((1, pictures), (2, pictures[:1])):
        of_torch = TorchRunner(lite_card).run(clips)
        of_onnx = OnnxRunner(lite_graph.card_path, num_threads=num_threads).run(clips)
        for name in of_torch.__dataclass_fields__:
            mine, theirs = getattr(of_onnx, name), getattr(of_torch, name)
            if mine is theirs is None:
                continue
            assert mine.dtype.type is theirs.dtype.type, name
            np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.regression
@pytest.mark.parametrize("whose", ["exported", "shipped"])
def test_graph_tells_nothing_of_the_machine_that_made_it(whose: str, lite_graph: Exported) -> None:
    """The exporter notes the file and line of each node's source."""
    card_path = STARTER if whose == "shipped" else lite_graph.card_path
    content = card_path.with_suffix("").read_bytes()
    for word in (b'.py", line', b"site-packages", b"stack_trace", b"class_hierarchy"):
        assert word not in content, word


@pytest.mark.usefixtures("left_for_the_wheel")
def test_lite_answers_alike(lite_graph: Exported) -> None:
    assert lite_graph.card_path.name == "lite.onnx.json"
    assert set(lite_graph.parity) == {"onnx", "openvino"}
    for report in lite_graph.parity.values():
        assert report.num_clips == 4
        assert report.logit_difference < 1e-4
        assert report.anchor_agreement == 1


@pytest.mark.slow
def test_finer_grid_and_depth_answer_alike(tmp_path: Path) -> None:
    aam = AamConfig(widths=(8, 16, 24), frames="last", grid_side=7, depth_side=28)
    config = lite().model_copy(update={"aam": aam})
    card = save_checkpoint(moved(seeded(config)), tmp_path, "finer")
    exported = export_graph(card, tmp_path)
    path = exported.card_path
    for report in exported.parity.values():
        assert report.anchor_agreement == 1
        assert max(report.logit_difference, report.patch_difference) < 1e-4
    pictures = np.random.default_rng(9).integers(0, 256, (2, 5, 224, 224, 3), dtype=np.uint8)
    of_torch, of_onnx = TorchRunner(card).run(pictures), OnnxRunner(path).run(pictures)
    assert of_onnx.depth.shape == (2, 1, 4, 28, 28)
    assert of_onnx.anchors.max() > 15, "a cell that the 4x4 grid does not have"
    np.testing.assert_array_equal(of_onnx.anchors, of_torch.anchors)
    np.testing.assert_allclose(of_onnx.depth, of_torch.depth, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_se_resnet18_answers_alike(tmp_path: Path) -> None:
    card = save_checkpoint(moved(seeded(small_config())), tmp_path, "small")
    of_graph = export_graph(card, tmp_path / "graph")
    path = of_graph.card_path
    for report in of_graph.parity.values():
        assert report.logit_difference < 1e-4
        assert report.anchor_agreement == 1
    exported, original = read_card(path), read_card(card)
    assert exported.architecture == original.architecture
    assert exported.preprocessing == original.preprocessing
    assert exported.weights.format == "onnx"
    assert sorted(file.name for file in path.parent.iterdir()) == ["small.onnx", "small.onnx.json"]


ADVISOR_ALONE = NetworkConfig(
    advisor=AdvisorConfig(backbone="legacy_se_resnet18", readout="mean"), aam=None, fusion="am"
)


def require_same_answers(config: NetworkConfig, folder: Path) -> None:
    """Export a network of that configuration, and hold its answers against torch's."""
    network = seeded(config) if config.aam is None else moved(seeded(config))
    exported = export_graph(save_checkpoint(network, folder, "some"), folder)
    assert all(report.logit_difference < 1e-3 for report in exported.parity.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [
        small_config(
            grid_side=7, depth_side=28, num_patches=9,
            offset_slots="per_cell", lateral_fusion="concat", depth_to_class=True,
        ).model_copy(update={"crop_side_px": 448, "fusion": "exp_mul"}),
        ADVISOR_ALONE,
    ],
    ids=["every option", "no option"],
)  # fmt: skip
def test_all_options_and_none_answer_alike(config: NetworkConfig, tmp_path: Path) -> None:
    require_same_answers(config, tmp_path)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "config",
    [
        model_d(),
        small_config(offset_slots="per_cell", lateral_fusion="concat", depth_to_class=True),
        small_config(offset_slots="rank", frames="middle", depth_head=False),
        small_config(grid_side=7, depth_side=28),
        small_config(grid_side=7, depth_side=7, offset_slots="per_cell", num_patches=9),
        small_config().model_copy(update={"crop_side_px": 448, "fusion": "exp_mul"}),
        small_config().model_copy(update={"fusion": "aam"}),
        small_config().model_copy(update={"fusion": "am"}),
        ADVISOR_ALONE,
    ],
    ids=["model_d", "per_cell", "rank", "7x7_28", "7x7_7", "hires", "aam", "am", "advisor"],
)
def test_every_option_answers_alike(config: NetworkConfig, tmp_path: Path) -> None:
    require_same_answers(config, tmp_path)


class Selection(nn.Module):
    """The anchors alone, so that exact ties can be fed."""

    def __init__(self, grid_side: int) -> None:
        super().__init__()
        self.select = AnchorSelector(AamConfig(grid_side=grid_side))

    def forward(self, cam: torch.Tensor) -> torch.Tensor:
        return self.select(cam).cells


@pytest.mark.parametrize("grid_side", [4, 7])
def test_ties_are_broken_alike(grid_side: int, generator: torch.Generator) -> None:
    """Ruling 8: constant maps of any size, all-zero maps, and maps without a positive value."""
    constants = [torch.full((7, 7), value) for value in (1, 0.1, 0.37, 1e-3, 0, -0.37)]
    maps = torch.stack([*constants, *torch.randn(50, 7, 7, generator=generator)])
    selection = Selection(grid_side)
    dynamic = ({0: torch.export.Dim("maps")},)
    traced = torch.export.export(selection, (maps,), dynamic_shapes=dynamic)
    content = convert(traced, ["cam"], ["cells"]).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (cells,) = session.run(None, {"cam": maps.numpy()})
    np.testing.assert_array_equal(cells, selection(maps).numpy())
    assert cells[:6].tolist() == [[0, 1, 2, 3]] * 6


def test_graph_that_answers_otherwise_is_not_written(
    lite_graph: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The graph holds other weights than the checkpoint: parity must notice."""
    other_weights = onnx.load(lite_graph.card_path.with_suffix(""))
    card = save_checkpoint(moved(seeded(lite(), seed=99)), tmp_path, "lite")
    monkeypatch.setattr(export_module, "trace_parts", lambda *parts: {})
    monkeypatch.setattr(export_module, "join_parts", lambda *parts: other_weights)
    with pytest.raises(ParityError, match="expected the same logits within"):
        export_graph(card, tmp_path / "graph")
    assert not (tmp_path / "graph").exists()


def test_exported_card_is_no_checkpoint(lite_graph: Exported) -> None:
    with pytest.raises(CardError, match="is the card of an onnx file: expected safetensors"):
        export_graph(lite_graph.card_path, lite_graph.card_path.parent / "again")
    assert json.loads(lite_graph.card_path.read_text())["versions"]["opset"] == "20"


TRAINED = TrainingRecord(data="made-up:1", is_synthetic=False, pai_species=("print",))
POINT = OperatingPoint(threshold=0.5, rule="dev-eer", data="made-up:1 dev")
FLOAT, HALF, BYTE = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT8
WELL = drift.DriftReport("", 2, 0.01, 0.1, 0.5, "the card's", 0.0, 1.0, 1.0, 1.0, 2.0)
OTHER_ANCHORS, OTHER_DECISIONS = replace(WELL, anchor_agreement=0.5), replace(WELL, flips=0.5)


@pytest.fixture(scope="module")
def clips() -> JudgedClips:
    """Random colours: one to calibrate with, two to judge by."""
    pictures = np.random.default_rng(10).integers(0, 256, (3, 5, 7, 7, 3), dtype=np.uint8)
    pictures = pictures.repeat(32, 2).repeat(32, 3)
    return JudgedClips((pictures[:1],), (pictures[1:],), np.array([True, False]), "made-up")


@pytest.fixture
def trained(lite_traced: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`lite` with an operating point."""
    monkeypatch.setattr(drift, "_NUM_TIMED", 1)
    network = moved(seeded(lite()))
    return save_checkpoint(network, tmp_path, "lite", training=TRAINED, operating_point=POINT)


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> dict[str, drift.DriftReport]:
    """What to find of each runtime, as it names itself; of others all is well. Nothing is run."""
    found: dict[str, drift.DriftReport] = {}

    def opened(path: Path, name: str) -> MadeUpRunner:
        runner = MadeUpRunner(card_=read_card(path))
        runner.runtime = label(name, runner.card.precision)
        return runner

    def judge(answers: Scores, full: Runner, low: Runner, clips: JudgedClips) -> drift.DriftReport:
        assert full.runtime == low.runtime.partition(" ")[0]
        return replace(found.get(low.runtime, WELL), runtime=low.runtime)

    monkeypatch.setattr(export_module, "open_runner", opened)
    monkeypatch.setattr(export_module, "TorchRunner", lambda path: opened(path, "torch"))
    monkeypatch.setattr(export_module, "judge_drift", judge)
    return found


def kinds_of(path: Path) -> dict[str, set[int]]:
    """In what the weights of each part are stored: matrices and kernels of many numbers."""
    found: dict[str, set[int]] = {}
    for tensor in onnx.load(path).graph.initializer:
        is_matrix = len(tensor.dims) > 1 and np.prod(tensor.dims) >= 256
        if is_matrix and tensor.data_type != TensorProto.BOOL:
            found.setdefault(tensor.name.partition("/")[0], set()).add(tensor.data_type)
    return found


@pytest.mark.slow
def test_int8_graph_is_what_it_says_in_both_runtimes(
    trained: Path, clips: JudgedClips, tmp_path: Path
) -> None:
    exported = export_graph(trained, tmp_path / "low", "onnx", "int8", clips, allow_drift=True)
    names = sorted(path.name for path in exported.card_path.parent.iterdir())
    assert names == ["lite.int8.onnx", "lite.int8.onnx.json"]
    low = read_card(exported.card_path)
    assert low.precision == exported.precision == Precision(encode="int8", execute="int8")
    assert low.training == TRAINED
    kinds = kinds_of(exported.card_path.with_suffix(""))
    assert kinds["encode"] == kinds["execute"] == {BYTE}
    assert kinds["advise"] == {FLOAT}
    assert exported.parity == {}
    assert [report.runtime for report in exported.drift] == ["onnx int8", "openvino int8"]
    score = OnnxRunner(exported.card_path).run(clips.judged[0]).bona_fide_score
    difference = np.abs(score - TorchRunner(trained).run(clips.judged[0]).bona_fide_score)
    assert exported.drift[0].max_difference == pytest.approx(difference.max(), abs=1e-6)
    assert all(0 < report.max_difference < 0.2 for report in exported.drift)


def test_bf16_is_the_runtimes_business_and_openvinos_alone(
    trained: Path, clips: JudgedClips, tmp_path: Path
) -> None:
    exported = export_graph(trained, tmp_path / "low", "openvino", "bf16", clips, allow_drift=True)
    names = sorted(path.name for path in exported.card_path.parent.iterdir())
    assert names == ["lite.bf16.bin", "lite.bf16.xml", "lite.bf16.xml.json"]
    low = read_card(exported.card_path)
    assert low.precision == exported.precision == Precision(encode="bf16", execute="bf16")
    assert low.weights.format == "openvino"
    (report,) = exported.drift
    assert report.runtime == "openvino bf16"
    assert report.num_clips == 2
    assert 0 < report.max_difference < 0.1


@pytest.mark.parametrize(
    ("found", "point"),
    [(WELL, POINT), (OTHER_ANCHORS, POINT), (OTHER_DECISIONS, None)],
    ids=["well", "other anchors", "other decisions"],
)
def test_operating_point_is_kept_only_where_decisions_stand(
    found: drift.DriftReport,
    point: OperatingPoint | None,
    reports: dict[str, drift.DriftReport],
    trained: Path,
    clips: JudgedClips,
    tmp_path: Path,
) -> None:
    reports["openvino fp16"] = found  # One of two runtimes is enough.
    exported = export_graph(trained, tmp_path / "low", "onnx", "fp16", clips, allow_drift=True)
    assert len(exported.drift) == 2
    assert exported.keeps_operating_point is (point is not None)
    low = read_card(exported.card_path)
    assert (low.operating_point, low.training) == (point, TRAINED)
    assert low.precision == Precision(encode="fp16", execute="fp16")
    kinds = kinds_of(exported.card_path.with_suffix(""))
    assert exported.card_path.name == "lite.fp16.onnx.json"
    assert kinds["encode"] == kinds["execute"] == {HALF}
    assert kinds["advise"] == {FLOAT}


def test_backbone_stays_in_float32_where_all_of_it_goes_too_far(
    reports: dict[str, drift.DriftReport], trained: Path, clips: JudgedClips, tmp_path: Path
) -> None:
    reports["openvino fp16"] = OTHER_ANCHORS
    exported = export_graph(trained, tmp_path / "low", "onnx", "fp16", clips)
    assert [report.runtime for report in exported.drift] == [
        "onnx fp16",
        "openvino fp16",
        "onnx float32/fp16",
        "openvino float32/fp16",
    ]
    assert exported.keeps_operating_point
    low = read_card(exported.card_path)
    assert low.precision == exported.precision == Precision(execute="fp16")
    assert low.weights.file_name == "lite.fp16.onnx"
    kinds = kinds_of(exported.card_path.with_suffix(""))
    assert (kinds["encode"], kinds["execute"]) == ({FLOAT}, {HALF})


def test_precision_that_goes_too_far_in_every_variant_is_not_written(
    reports: dict[str, drift.DriftReport], trained: Path, clips: JudgedClips, tmp_path: Path
) -> None:
    reports |= {"openvino bf16": OTHER_ANCHORS, "openvino float32/bf16": OTHER_DECISIONS}
    every = r"openvino bf16: the same anchors .*\. openvino float32/bf16: 50.0% of decisions change"
    with pytest.raises(ParityError, match=rf"too much on 2 clips\. {every}.*--allow-drift"):
        export_graph(trained, tmp_path / "low", "onnx", "bf16", clips)
    assert not (tmp_path / "low").exists()


def test_float32_is_held_against_real_clips_too(
    trained: Path, clips: JudgedClips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And without OpenVINO, ONNX Runtime alone judges."""
    monkeypatch.setattr(export_module, "find_spec", lambda name: None)
    exported = export_graph(trained, tmp_path / "plain", clips=clips)
    assert {name: report.num_clips for name, report in exported.parity.items()} == {"onnx": 6}
    assert exported.keeps_operating_point
    assert read_card(exported.card_path).operating_point == POINT


@pytest.mark.parametrize("precision", ["int8", "bf16", "fp16"])
def test_lower_precision_without_clips_is_refused(
    precision: str, lite_card: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=f"expected clips to judge {precision} by, got none: name"):
        export_graph(lite_card, tmp_path / "low", "onnx", precision)
    assert not (tmp_path / "low").exists()


@pytest.mark.parametrize(("target", "precision"), [("onnx", "bf16"), ("openvino", "float32")])
def test_what_needs_openvino_says_so_before_anything_is_traced(
    target: str,
    precision: str,
    lite_card: Path,
    clips: JudgedClips,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export_module, "find_spec", lambda name: None)
    monkeypatch.setattr(export_module, "load_checkpoint", lambda path: pytest.fail("too late"))
    with pytest.raises(MissingExtraError, match=r"needs openvino, .*'vivant\[openvino\]'"):
        export_graph(lite_card, tmp_path / "low", target, precision, clips)


def test_network_without_patches_has_one_variant() -> None:
    variants = list(export_module._variants("int8", made_up_card(architecture=model_b())))
    assert variants == [Precision(encode="int8")]
