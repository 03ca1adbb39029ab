"""The exported graph in ONNX Runtime against the network in torch."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from builders import moved, seeded, small_config
from vivant.errors import CardError, ParityError
from vivant.export import export as export_module
from vivant.export.convert import convert
from vivant.export.export import Exported, export_graph
from vivant.networks.anchors import AnchorSelector
from vivant.networks.card import read_card
from vivant.networks.checkpoint import save_checkpoint
from vivant.networks.config import AamConfig, AdvisorConfig, NetworkConfig
from vivant.networks.models import lite, model_d
from vivant.runtimes.onnx import OnnxRunner
from vivant.runtimes.torch import TorchRunner


@pytest.fixture(scope="module")
def lite_graph(lite_card: Path, pytestconfig: pytest.Config) -> Exported:
    """`lite` exported to ONNX; it stays in the cache for scripts/check_wheel.py."""
    return export_graph(lite_card, pytestconfig.cache.mkdir("export"))


def test_every_field_is_torchs(lite_card: Path, lite_graph: Exported) -> None:
    pictures = np.random.default_rng(8).integers(0, 256, (3, 5, 224, 224, 3), dtype=np.uint8)
    for num_threads, clips in ((1, pictures), (2, pictures[:1])):
        of_torch = TorchRunner(lite_card).run(clips)
        of_onnx = OnnxRunner(lite_graph.card_path, num_threads=num_threads).run(clips)
        for name in of_torch.__dataclass_fields__:
            mine, theirs = getattr(of_onnx, name), getattr(of_torch, name)
            assert mine.dtype.type is theirs.dtype.type, name
            np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4, err_msg=name)


def test_lite_answers_alike(lite_graph: Exported) -> None:
    assert lite_graph.card_path.name == "lite.onnx.json"
    assert set(lite_graph.parity) == {"onnx", "openvino"}
    for report in lite_graph.parity.values():
        assert report.num_clips == 4
        assert report.logit_difference < 1e-4
        assert report.anchor_agreement == 1


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


@pytest.mark.slow
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
        NetworkConfig(
            advisor=AdvisorConfig(backbone="legacy_se_resnet18", readout="mean"),
            aam=None,
            fusion="am",
        ),
    ],
    ids=["model_d", "per_cell", "rank", "7x7_28", "7x7_7", "hires", "aam", "am", "advisor"],
)
def test_every_option_answers_alike(config: NetworkConfig, tmp_path: Path) -> None:
    network = seeded(config) if config.aam is None else moved(seeded(config))
    exported = export_graph(save_checkpoint(network, tmp_path, "some"), tmp_path)
    assert all(report.logit_difference < 1e-3 for report in exported.parity.values())


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
