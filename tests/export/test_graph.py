"""The traced parts, and what the joined graph is made of."""

from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor
from torch.export import ExportedProgram

from builders import moved, seeded, small_config
from vivant.export.graph import trace_parts
from vivant.networks.card import Preprocessing
from vivant.networks.config import NetworkConfig
from vivant.networks.part_specs import join
from vivant.networks.parts import NetworkParts

IMAGENET = Preprocessing(
    crop_side_px=224, mean_rgb=(0.485, 0.456, 0.406), std_rgb=(0.229, 0.224, 0.225)
)


@pytest.fixture(scope="module")
def config() -> NetworkConfig:
    """Of two frames, both of which the second module sees."""
    return small_config().model_copy(update={"num_frames": 2})


@pytest.fixture(scope="module")
def parts(config: NetworkConfig) -> NetworkParts:
    return NetworkParts(moved(seeded(config)), IMAGENET).eval()


@pytest.fixture(scope="module")
def traced(parts: NetworkParts, config: NetworkConfig) -> dict[str, ExportedProgram]:
    return trace_parts(parts, config)


@pytest.mark.parametrize("num_clips", [1, 3])
def test_traced_parts_answer_like_the_network_for_any_number_of_clips(
    num_clips: int,
    parts: NetworkParts,
    traced: dict[str, ExportedProgram],
    generator: torch.Generator,
) -> None:
    shape = (num_clips, 2, 224, 224, 3)
    clips = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)

    def run(part: str, given: dict[str, Tensor]) -> dict[str, Tensor]:
        spec = parts.specs[part]
        answer = traced[part].module()(**{name: given[name] for name in spec.inputs})
        return dict(zip(spec.outputs, answer, strict=True))

    with torch.inference_mode():
        expected, answers = parts(clips), join(run, clips, parts.fields)
    for name, value in expected.items():
        torch.testing.assert_close(answers[name], value, rtol=1e-3, atol=1e-4, msg=name)


def test_each_part_is_one_graph(traced: dict[str, ExportedProgram]) -> None:
    operations = {
        str(node.target)
        for program in traced.values()
        for node in program.graph.nodes
        if node.op == "call_function"
    }
    assert "aten.grid_sampler.default" in operations
    assert not [name for name in operations if "higher_order" in name]
    for program in traced.values():
        inner = [module for name, module in program.graph_module.named_modules() if name]
        assert not [module for module in inner if isinstance(module, torch.fx.GraphModule)]


def test_joined_graph_names_its_parts(lite_graph_path: Path) -> None:
    graph = onnx.load(lite_graph_path).graph
    prefixes = {
        node.name.partition("/")[0] for node in graph.node if not node.name.startswith("to:")
    }
    assert prefixes == {"encode", "advise", "execute", "conclude"}
    assert [value.name for value in graph.input] == ["clips"]
