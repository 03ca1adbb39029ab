"""The whole network: Advisor -> Grad-CAM -> anchors -> region proposal -> execution -> fusion.

Everything in the forward pass is an ordinary operation, so that it runs under `inference_mode`, in
one graph without autograd, and passes `torch.export` with a dynamic batch.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from vivant.errors import ConfigError, InputError, WeightsError
from vivant.geometry.grid import CROP_SIDE_PX, centres_to_corners
from vivant.networks.advisor import Advisor
from vivant.networks.anchors import AnchorSelector
from vivant.networks.config import CONTEXT_SIDE_PX, NetworkConfig
from vivant.networks.execution import Execution, PatchOutput
from vivant.networks.fusion import fuse
from vivant.networks.gradcam import GradCam
from vivant.networks.precision import full_precision
from vivant.networks.region_proposal import RegionProposal, sample_patches
from vivant.records import Label

__all__ = ["Advice", "AttendedAuxiliaryModule", "Network", "NetworkOutput", "Proposal"]

# Axes: b clips, n frames of a clip, a frames that the AAM sees, k patches, side pixels of a crop.


class NetworkOutput(NamedTuple):
    """What the network says of a batch of clips: the fields of `vivant.records.Scores`, as tensors.

    Fields of the Attended-Auxiliary Module are None where the model has none. Only `centres`,
    `depth` and the logits carry gradients that training uses.
    """

    bona_fide_score: Tensor
    advisor_score: Tensor
    advisor_logits: Tensor
    advisor_embedding: Tensor
    cam: Tensor
    aam_score: Tensor | None = None
    aam_logits: Tensor | None = None
    aam_embedding: Tensor | None = None
    fused_feature: Tensor | None = None
    anchors: Tensor | None = None
    centres: Tensor | None = None
    boxes: Tensor | None = None
    depth: Tensor | None = None
    frame_features: Tensor | None = None


class Advice(NamedTuple):
    """What the Advisor hands on: all that the rest of the network needs of the crops' features."""

    logits: Tensor
    """(b, 2) in the order of `Label`."""
    embedding: Tensor
    """(b, h), or (b, p): `Advisor.embed`."""
    cam: Tensor
    """(b, n, map, map): each frame's weighted feature map, before Eq. 4's ReLU."""
    features: Tensor | None
    """F of the frames that the second module sees, (b, a, c, map, map); None without that
    module."""
    frame_features: Tensor | None = None
    """(b, n, d): the frames' descriptions; None without levels."""


class Proposal(NamedTuple):
    """Where the Attended-Auxiliary Module looks, and what is there."""

    anchors: Tensor
    """(b, a, k) int64: the cells that the Grad-CAM names."""
    centres: Tensor
    """(b, a, k, 2): (t_x, t_y), anchor + offset."""
    boxes: Tensor
    """(b, a, k, 4): x0 y0 x1 y1 in pixels of the crop."""
    patches: Tensor
    """(b, a, k, 3, patch, patch), normalised."""


class AttendedAuxiliaryModule(nn.Module):
    """The AAM: anchors, Region Proposal Stage and Execution Stage (paper 3.2).

    Args:
        num_channels: Channels of the backbone's feature map.
        config: The network's; its `aam` must not be None.
    """

    def __init__(self, num_channels: int, config: NetworkConfig) -> None:
        super().__init__()
        assert config.aam is not None
        map_side = config.advisor.map_side
        self.anchors = AnchorSelector(config.aam, map_side)
        self.region_proposal = RegionProposal(num_channels, config.aam, map_side)
        self.execution = Execution(config.aam, config.crop_side_px)

    def forward(
        self,
        crops: Float[Tensor, "b a 3 side side"],
        features: Float[Tensor, "b a c map map"],
        cam: Float[Tensor, "b a map map"],
    ) -> dict[str, Tensor | None]:
        """The module's fields of `NetworkOutput`, for the frames given.

        Args:
            crops: Normalised, of the frames that the module sees.
            features: F of those frames.
            cam: Their weighted feature maps before Eq. 4's ReLU.
        """
        proposal = self.propose(crops, features, cam)
        each = self.execution.look(proposal.patches.flatten(0, 2))
        axes = proposal.patches.shape[:3]
        of_clips = (None if t is None else t.to(crops.dtype).unflatten(0, axes) for t in each)
        fields = self.conclude(PatchOutput(*of_clips))  # type: ignore[arg-type]
        where = {"anchors": proposal.anchors, "centres": proposal.centres, "boxes": proposal.boxes}
        return fields | where

    def propose(
        self,
        crops: Float[Tensor, "b a 3 side side"],
        features: Float[Tensor, "b a c map map"],
        cam: Float[Tensor, "b a map map"],
    ) -> Proposal:
        """Anchors and Region Proposal Stage: where to look. Takes what `forward` does."""
        with full_precision(crops.device):
            anchors = self.anchors(cam.flatten(0, 1))
            centres = self.region_proposal(features.flatten(0, 1), anchors)  # (b*a, k, 2)
            patches = sample_patches(crops.flatten(0, 1), centres)  # (b*a, k, 3, patch, patch)
        corners = torch.cat(centres_to_corners(centres, crops.shape[-1]), dim=2)
        fields = (anchors.cells, centres, corners, patches)
        return Proposal(*(tensor.unflatten(0, crops.shape[:2]) for tensor in fields))

    def conclude(self, each: PatchOutput) -> dict[str, Tensor | None]:
        """What follows from the patches: scores and features of frames and clips.

        Args:
            each: From the execution stage, with the axes (b, a, k, ...).
        """
        axes = each.embedding.shape[:2]
        flat = (None if t is None else t.flatten(0, 1) for t in each)
        with full_precision(each.embedding.device):
            output = self.execution.conclude(PatchOutput(*flat))  # type: ignore[arg-type]
            shares = output.logits.softmax(1)[:, Label.BONA_FIDE].unflatten(0, axes)  # (b, a)
        return {
            "aam_score": shares.mean(1),
            "aam_logits": output.logits.unflatten(0, axes),
            "aam_embedding": output.embedding.unflatten(0, axes),
            "fused_feature": output.fused_feature.unflatten(0, axes),
            "depth": each.depth,
        }


class Network(nn.Module):
    """A face anti-spoofing network: clips in, bona fide scores and their reasons out.

    Args:
        config: Which; see `networks/models.py` for the paper's.

    Raises:
        UnknownNameError: there is no backbone of that name.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.advisor = Advisor(config.advisor)
        self.gradcam = GradCam()
        num_channels = self.advisor.backbone.num_channels
        self.aam = None if config.aam is None else AttendedAuxiliaryModule(num_channels, config)

    def forward(
        self, crops: Shaped[Tensor, "..."], context: Shaped[Tensor, "..."] | None = None
    ) -> NetworkOutput:
        """Score clips.

        Args:
            crops: (b, n, 3, side, side), RGB, normalised (`preprocessing.Normalise`), n frames of
                each clip in the order of time.
            context: The wider crops of the same frames, (b, n, 3, 160, 160), where the Advisor sees
                them (`AdvisorConfig.context`).

        Raises:
            InputError: wrong number of frames, size, type or device, or a value that is not finite.
            WeightsError: in evaluation mode, a part of the answer is not finite, though the score
                may be: the weights are damaged. (Training looks at its losses.)
        """
        advice = self.advise(crops, context)
        aam: dict[str, Tensor | None] = {} if self.aam is None else self.attend(crops, advice)
        return self.conclude(advice, aam)

    def advise(
        self, crops: Shaped[Tensor, "..."], context: Shaped[Tensor, "..."] | None = None
    ) -> Advice:
        """The first half: the Advisor and its Grad-CAM. Takes and raises what `forward` does.

        Training calls the halves one by one: stage 1 needs this one alone, and stage 2, where the
        Advisor is frozen, can keep what it said.
        """
        self._check(crops, context)
        wide = None if context is None else context.flatten(0, 1)
        features, described = self.encode(crops.flatten(0, 1), wide)
        axes = crops.shape[:2]
        described = None if described is None else described.unflatten(0, axes)
        return self.advise_on(features.unflatten(0, axes), described)

    def encode(
        self,
        crops: Float[Tensor, "m 3 side side"],
        context: Float[Tensor, "m 3 160 160"] | None = None,
    ) -> tuple[Float[Tensor, "m c map map"], Float[Tensor, "m d"] | None]:
        """F and the description of each frame (`Advisor.describe`), whatever the crops' side."""
        scale = self.config.crop_side_px // CROP_SIDE_PX
        small = F.avg_pool2d(crops, scale) if scale > 1 else crops
        return self.advisor.describe(small, context)

    def advise_on(
        self,
        features: Float[Tensor, "b n c map map"],
        frame_features: Float[Tensor, "b n d"] | None = None,
    ) -> Advice:
        """The rest of the first half: what the Advisor makes of what `encode` said."""
        advisor = self.advisor.read(features, frame_features)
        with full_precision(features.device):
            cam = self.gradcam(self.advisor, advisor)  # (b, n, map, map)
            embedding = self.advisor.embed(advisor)
        seen = None if self.aam is None else self.select_frames(features)
        return Advice(advisor.logits, embedding, cam, seen, frame_features)

    def attend(
        self, crops: Float[Tensor, "b n 3 side side"], advice: Advice
    ) -> dict[str, Tensor | None]:
        """The second half: the Attended-Auxiliary Module's fields of `NetworkOutput`.

        Args:
            crops: Those that the advice is about.
            advice: From `advise`.

        Raises:
            ConfigError: there is no such module.
        """
        seen, cam = self.select_frames(crops), self.select_frames(advice.cam)
        assert self.aam is not None
        fields: dict[str, Tensor | None] = self.aam(seen, advice.features, cam)
        return fields

    def conclude(self, advice: Advice, aam: dict[str, Tensor | None]) -> NetworkOutput:
        """Put both halves together.

        Args:
            advice: From `advise`.
            aam: From `attend`; empty for the Advisor's score alone.
        """
        advisor_score = advice.logits.softmax(1)[:, Label.BONA_FIDE]  # (b,)
        mode = self.config.fusion if aam else "am"
        output = NetworkOutput(
            bona_fide_score=fuse(mode, advisor_score, aam.get("aam_score")),
            advisor_score=advisor_score,
            advisor_logits=advice.logits,
            advisor_embedding=advice.embedding,
            cam=advice.cam.relu(),
            frame_features=advice.frame_features,
            **aam,
        )
        self._check_answer(output)
        return output

    def select_frames(self, of_clip: Shaped[Tensor, "b n ..."]) -> Shaped[Tensor, "b a ..."]:
        """The frames that the Attended-Auxiliary Module sees (decision D5), for any clip tensor.

        Depth targets go through this too, so that they meet their frames.

        Raises:
            ConfigError: there is no such module.
        """
        if self.config.aam is None:
            raise ConfigError("this network has no Attended-Auxiliary Module that would see frames")
        seen = self.config.aam.frames_seen(self.config.num_frames)
        return of_clip[:, seen[0] : seen[-1] + 1]

    def _check(self, crops: Tensor, context: Tensor | None) -> None:
        side, num_frames = self.config.crop_side_px, self.config.num_frames
        if crops.ndim != 5 or crops.shape[2:] != (3, side, side):
            raise InputError(
                f"expected clips of shape (clips, {num_frames}, 3, {side}, {side}), "
                f"got {tuple(crops.shape)}"
            )
        if crops.shape[1] != num_frames:
            raise InputError(f"expected {num_frames} frames a clip, got {crops.shape[1]}")
        if crops.shape[0] == 0:
            raise InputError("expected at least one clip, got none")
        expected = None
        if self.config.advisor.context:
            expected = (*crops.shape[:2], 3, CONTEXT_SIDE_PX, CONTEXT_SIDE_PX)
        given = None if context is None else tuple(context.shape)
        if given != expected:
            raise InputError(f"expected wider crops (context) of shape {expected}, got {given}")
        if context is not None and (context.dtype, context.device) != (crops.dtype, crops.device):
            raise InputError(
                f"expected wider crops of {crops.dtype} on {crops.device} as the crops, got "
                f"{context.dtype} on {context.device}"
            )
        weight = self.advisor.classifier.weight
        if crops.dtype == torch.uint8:
            raise InputError(
                "expected normalised crops in floating point, got uint8: "
                "pass them through preprocessing.Normalise first"
            )
        if crops.dtype != weight.dtype:
            raise InputError(f"expected crops of {weight.dtype}, got {crops.dtype}")
        if crops.device != weight.device:
            raise InputError(
                f"expected crops on {weight.device}, where the network is, got {crops.device}"
            )
        for images in (crops, crops if context is None else context):
            if _has_values(images) and not bool(images.isfinite().all()):
                raise InputError("expected finite crops, got NaN or infinity")

    def _check_answer(self, output: NetworkOutput) -> None:
        if self.training or not _has_values(output.cam):
            return
        for name, tensor in output._asdict().items():
            if tensor is not None and not bool(tensor.isfinite().all()):
                raise WeightsError(f"the network's {name} is not finite: its weights are damaged")


def _has_values(tensor: Tensor) -> bool:
    """Not while a graph is traced, nor on the meta device."""
    return not torch.compiler.is_compiling() and not tensor.is_meta
