import pytest
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from builders import moved, seeded, small_config
from vivant.export.graph import ClipGraph, trace
from vivant.networks.card import Preprocessing

IMAGENET = Preprocessing(
    crop_side_px=224, mean_rgb=(0.485, 0.456, 0.406), std_rgb=(0.229, 0.224, 0.225)
)


def pictures(num_clips: int, generator: torch.Generator) -> Tensor:
    shape = (num_clips, 5, 224, 224, 3)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


@pytest.fixture(scope="module")
def graph() -> ClipGraph:
    return ClipGraph(moved(seeded(small_config())), IMAGENET).eval()


@pytest.fixture(scope="module")
def traced(graph: ClipGraph) -> ExportedProgram:
    return trace(graph)


@pytest.mark.parametrize("num_clips", [1, 3])
def test_graph_answers_like_the_network_for_any_number_of_clips(
    num_clips: int, graph: ClipGraph, traced: ExportedProgram, generator: torch.Generator
) -> None:
    clips = pictures(num_clips, generator)
    with torch.inference_mode():
        expected, answers = graph.network(graph.normalise(clips)), traced.module()(clips)
    for name, value, answer in zip(graph.fields, expected, answers, strict=True):
        torch.testing.assert_close(answer, value, rtol=1e-3, atol=1e-4, msg=name)


def test_graph_is_one(traced: ExportedProgram) -> None:
    operations = {str(node.target) for node in traced.graph.nodes if node.op == "call_function"}
    assert "aten.grid_sampler.default" in operations
    assert not [name for name in operations if "higher_order" in name]
    subgraphs = [m for name, m in traced.graph_module.named_modules() if name]
    assert not [m for m in subgraphs if isinstance(m, torch.fx.GraphModule)], "one graph"


def test_normalisation_is_the_cards_and_not_the_backbones() -> None:
    other = Preprocessing(crop_side_px=224, mean_rgb=(0.1,) * 3, std_rgb=(0.2,) * 3)
    graph = ClipGraph(seeded(small_config()), other)
    assert isinstance(graph.normalise, nn.Module)
    normalised = graph.normalise(torch.zeros(1, 5, 224, 224, 3, dtype=torch.uint8))
    torch.testing.assert_close(normalised, torch.full_like(normalised, -0.5))
