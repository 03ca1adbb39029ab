"""The network as the paper's text suggests it, for comparison: what nobody should serve."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import UInt8

from vivant.networks.advisor import AdvisorOutput
from vivant.networks.network import Network
from vivant.networks.preprocessing import Normalise

__all__ = ["NaiveNetwork"]


class NaiveNetwork:
    """Frames and patches one by one, and the Grad-CAM by a backward pass, as hook code does it.

    It answers like the network in one (a test holds it against that), in eager float32 on the
    processor: the gradient is taken of the whole Advisor, weights and all, because that is what
    `score.backward()` with a hook on the feature map does.

    Args:
        network: In evaluation mode.
        normalise: Of its card.
    """

    def __init__(self, network: Network, normalise: Normalise) -> None:
        self._network = network
        self._normalise = normalise

    def run(
        self,
        clip: UInt8[np.ndarray, "n side side 3"],
        context: UInt8[np.ndarray, "n wide wide 3"] | None = None,
    ) -> float:
        """The bona fide score of one clip.

        Args:
            clip: RGB crops, 0..255, in the order of time.
            context: The wider crops of the same frames, of a model that sees them.
        """
        network = self._network
        crops = self._normalise(torch.from_numpy(clip)[None])  # (1, n, 3, side, side)
        wide: Sequence[torch.Tensor | None] = [None] * len(clip)
        if context is not None:
            wide = list(self._normalise(torch.from_numpy(context)[None])[0])
        frames = [
            network.encode(frame[None], None if wider is None else wider[None])
            for frame, wider in zip(crops[0], wide, strict=True)
        ]
        maps = [of_frame for of_frame, _ in frames]  # (1, c, map, map) each
        features = torch.cat(maps)[None]
        found = [described for _, described in frames if described is not None]
        described = torch.cat(found)[None] if found else None
        output = network.advisor.read(features, described)
        cam = self._cam(output, maps)
        with torch.no_grad():
            aam = network.aam
            if aam is None:
                return float(output.logits.softmax(1)[0, 0])
            select = network.select_frames
            proposal = aam.propose(select(crops), select(features), select(cam))
            patches = proposal.patches.flatten(0, 2)
            looks = [aam.execution.look(patch[None]) for patch in patches]
            axes = proposal.patches.shape[:3]
            each = [
                None if values[0] is None else torch.cat(values).unflatten(0, axes)
                for values in zip(*looks, strict=True)
            ]
            fields = aam.conclude(type(looks[0])(*each))  # type: ignore[arg-type]
            advice = network.advise_on(features, described)
            return float(network.conclude(advice, fields).bona_fide_score[0])

    def _cam(self, output: AdvisorOutput, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Eq. 3 and 4 before the ReLU, by `backward` to the frames' maps."""
        self._network.zero_grad()
        for of_frame in maps:
            of_frame.retain_grad()
        logits = output.logits[0]
        if self._network.advisor.config.cam_target == "margin":
            (logits.max() - logits.min()).backward()
        else:
            logits.max().backward()
        gradient = torch.cat([of_frame.grad for of_frame in maps if of_frame.grad is not None])
        alpha = gradient[None].mean((3, 4), keepdim=True)
        return (alpha * output.features).sum(2).detach()
