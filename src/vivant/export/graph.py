"""The whole network as one graph: uint8 clips in, the fields of `Scores` out."""

import torch
from jaxtyping import UInt8
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from vivant.networks.card import Preprocessing
from vivant.networks.network import Network, NetworkOutput
from vivant.networks.preprocessing import Normalise
from vivant.runtimes.runner import output_fields

__all__ = ["ClipGraph", "trace"]


class ClipGraph(nn.Module):
    """Normalisation and network in one, so that no runtime can normalise otherwise.

    Args:
        network: In evaluation mode.
        preprocessing: Of its card.
    """

    def __init__(self, network: Network, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.normalise = Normalise(preprocessing.mean_rgb, preprocessing.std_rgb)
        self.network = network

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the outputs, in their order."""
        return output_fields(self.network.config)

    def forward(self, clips: UInt8[Tensor, "b n side side 3"]) -> tuple[Tensor, ...]:
        """The fields of `NetworkOutput` that this network has."""
        output: NetworkOutput = self.network(self.normalise(clips))
        return tuple(tensor for tensor in output if tensor is not None)


def trace(graph: ClipGraph) -> ExportedProgram:
    """The graph with a dynamic number of clips, forward operations only."""
    config = graph.network.config
    side = config.crop_side_px
    # Two clips: torch.export takes an axis of one for a constant.
    example = torch.zeros(2, config.num_frames, side, side, 3, dtype=torch.uint8)
    with torch.no_grad():
        return torch.export.export(graph.eval(), (example,), dynamic_shapes=({0: Dim("clips")},))
