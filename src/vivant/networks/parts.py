"""The network's four parts as modules: see `part_specs.py` for what they are and why."""

from collections.abc import Mapping

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from vivant.networks.card import Preprocessing
from vivant.networks.execution import PatchOutput
from vivant.networks.fusion import fuse
from vivant.networks.network import Network
from vivant.networks.part_specs import join, output_fields, part_specs
from vivant.networks.preprocessing import Normalise
from vivant.records import Label

__all__ = ["Advise", "Conclude", "Encode", "Execute", "NetworkParts"]

# Axes: b clips, n frames of a clip, a frames that the AAM sees, m frames of any clips, k patches,
# p patches of any frames, side pixels of a crop.


class _Part(nn.Module):
    """A part of a network in evaluation mode; weights are shared, not copied.

    Its arguments have the names of `part_specs`.
    """

    def __init__(self, network: Network, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = network
        self.normalise = Normalise(preprocessing.mean_rgb, preprocessing.std_rgb)


class Encode(_Part):
    """Frame by frame: normalisation and backbone."""

    def forward(
        self,
        frames: UInt8[Tensor, "m side side 3"],
        context: UInt8[Tensor, "m 160 160 3"] | None = None,
    ) -> tuple[Tensor, ...]:
        """`features`, (m, c, map, map); with levels, `frame_features`, (m, d)."""
        wide = None if context is None else self.normalise(context[:, None])[:, 0]
        said = self.network.encode(self.normalise(frames[:, None])[:, 0], wide)
        return tuple(tensor for tensor in said if tensor is not None)


class Advise(_Part):
    """Clip by clip: the Advisor's head, Grad-CAM, anchors, Region Proposal Stage, sampler."""

    def forward(
        self,
        features: Float[Tensor, "b n c map map"],
        frame_features: Float[Tensor, "b n d"] | None = None,
        clips: UInt8[Tensor, "b n side side 3"] | None = None,
    ) -> tuple[Tensor, ...]:
        """What `part_specs` names; without a second module the first three."""
        advice = self.network.advise_on(features, frame_features)
        answer = (advice.logits, advice.embedding, advice.cam.relu())
        aam = self.network.aam
        if aam is None:
            return answer
        assert clips is not None
        select = self.network.select_frames
        crops = self.normalise(select(clips))
        assert advice.features is not None
        proposal = aam.propose(crops, advice.features, select(advice.cam))
        return (*answer, *proposal)


class Execute(_Part):
    """Patch by patch: the execution stage."""

    def forward(self, patches: Float[Tensor, "p 3 patch patch"]) -> tuple[Tensor, ...]:
        """`PatchOutput`; without a depth head the first two."""
        assert self.network.aam is not None
        each = self.network.aam.execution.look(patches)
        return tuple(tensor.to(patches.dtype) for tensor in each if tensor is not None)


class Conclude(_Part):
    """Clip by clip: the second module's classifier, and the fusion."""

    def forward(
        self,
        advisor_logits: Float[Tensor, "b 2"],
        each_embedding: Float[Tensor, "b a k w"] | None = None,
        each_fused_feature: Float[Tensor, "b a k z"] | None = None,
        each_depth: Float[Tensor, "b a k d d"] | None = None,
    ) -> tuple[Tensor, ...]:
        """Scores, logits and features; without a second module its two scores."""
        score = advisor_logits.softmax(1)[:, Label.BONA_FIDE]  # (b,)
        aam, config = self.network.aam, self.network.config
        if aam is None:
            return fuse(config.fusion, score, None), score
        assert each_embedding is not None
        assert each_fused_feature is not None
        said = aam.conclude(PatchOutput(each_embedding, each_fused_feature, each_depth))
        fused = fuse(config.fusion, score, said["aam_score"])
        names = ("aam_score", "aam_logits", "aam_embedding", "fused_feature")
        return (fused, score, *(tensor for n in names if (tensor := said[n]) is not None))


class NetworkParts(nn.ModuleDict):
    """All four, and their join.

    Args:
        network: In evaluation mode.
        preprocessing: Of its card.
    """

    def __init__(self, network: Network, preprocessing: Preprocessing) -> None:
        kinds = {"encode": Encode, "advise": Advise, "execute": Execute, "conclude": Conclude}
        self.specs = part_specs(network.config)
        super().__init__({name: kinds[name](network, preprocessing) for name in self.specs})
        self.fields = output_fields(network.config)

    def forward(
        self,
        clips: UInt8[Tensor, "b n side side 3"],
        context: UInt8[Tensor, "b n 160 160 3"] | None = None,
    ) -> dict[str, Tensor]:
        """Score clips: the fields of `Scores` that this network has, by name and in order."""
        return join(self.run, clips, self.fields, context)

    def run(self, part: str, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run one part on its inputs by name; others are not looked at."""
        spec = self.specs[part]
        answer = self[part](**{name: given[name] for name in spec.inputs})
        return dict(zip(spec.outputs, answer, strict=True))
