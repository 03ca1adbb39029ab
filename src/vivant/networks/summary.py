"""What a network costs: output shape, parameters and multiply-adds of each part, for one clip."""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from vivant.networks.config import CONTEXT_SIDE_PX, NetworkConfig
from vivant.networks.network import Network

__all__ = ["PartCost", "summarise"]

_PARTS = {
    "smaller crops": "advisor.shrink",
    "backbone": "advisor.backbone",
    "projection": "advisor.project",
    "LSTM": "advisor.lstm",
    "advisor classifier": "advisor.classifier",
    "Grad-CAM": "gradcam",
    "anchors": "aam.anchors",
    "region proposal": "aam.region_proposal",
    "execution: stem": "aam.execution.stem",
    "execution: block 1": "aam.execution.block1",
    "execution: block 2": "aam.execution.block2",
    "execution: block 3": "aam.execution.block3",
    "execution: laterals": "aam.execution.laterals.*",
    "execution: depth head": "aam.execution.depth_head",
    "execution: class head": "aam.execution.class_head",
    "execution: classifier": "aam.execution.classifier",
}
"""Parts in the order of the data, with the modules that make them up. Together they are the whole
network: `summarise` asserts it, so that a new part cannot go uncounted."""


@dataclass(frozen=True, slots=True)
class PartCost:
    """One line of the summary."""

    part: str
    output_shape: tuple[int, ...]
    """For one clip; the first axis is frames or patches where the part works on those."""
    num_parameters: int
    gmacs: float
    """Multiply-adds of convolutions and matrix products for one clip, in 1e9; the rest is free."""


def summarise(config: NetworkConfig) -> list[PartCost]:
    """The cost of each part, and of the whole as the last line.

    Nothing is computed and no weights are made: the network runs on shapes alone.

    Raises:
        UnknownNameError: there is no backbone of that name.
    """
    with torch.device("meta"):
        network = Network(config).eval()
        sides = [config.crop_side_px] + [CONTEXT_SIDE_PX] * config.advisor.context
        clip = [torch.empty(1, config.num_frames, 3, side, side) for side in sides]
    shapes: dict[str, tuple[int, ...]] = {}
    modules = dict(network.named_modules())
    parts = {
        part: [
            name
            for name in modules
            if fnmatchcase(name, pattern) and "." not in _rest(name, pattern)
        ]
        for part, pattern in _PARTS.items()
    }
    for name in (name for names in parts.values() for name in names):
        modules[name].register_forward_hook(_shape_keeper(shapes, name))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*clip)
    counts = counter.get_flop_counts()
    costs = [
        PartCost(
            part,
            shapes[names[-1]],
            sum(_num_parameters(modules[name]) for name in names),
            sum(sum(counts.get(f"Network.{name}", {}).values()) for name in names) / 2e9,
        )
        for part, names in parts.items()
        if names
    ]
    total = PartCost("total", (1,), _num_parameters(network), sum(counts["Global"].values()) / 2e9)
    assert total.num_parameters == sum(cost.num_parameters for cost in costs)
    assert abs(total.gmacs - sum(cost.gmacs for cost in costs)) < 1e-9
    return [*costs, total]


def _rest(name: str, pattern: str) -> str:
    """What a `*` at a pattern's end stands for: submodules of those are not parts."""
    return name.removeprefix(pattern.removesuffix("*"))


def _shape_keeper(shapes: dict[str, tuple[int, ...]], name: str) -> Callable[..., None]:
    """A hook that notes the shape of a module's output; of several outputs, the first."""

    def keep(module: nn.Module, inputs: object, output: Any) -> None:
        shapes[name] = tuple((output if isinstance(output, Tensor) else output[0]).shape)

    return keep


def _num_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
