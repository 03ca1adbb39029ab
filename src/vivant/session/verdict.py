"""The verdict on one presentation, and all that led to it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

import numpy as np
from jaxtyping import Float, Int, UInt8

from vivant.geometry.crop import CropBox
from vivant.geometry.grid import CROP_SIDE_PX
from vivant.networks.card import OperatingPoint, TrainingRecord
from vivant.records import FaceBox, Finding

__all__ = ["Decision", "ModelIdentity", "Timings", "Verdict", "WindowResult"]

# Axes: n frames of a clip; a frames that the AAM sees (n, or 1); k patches of a frame;
# d pixels a side of a patch's depth map.


class Decision(StrEnum):
    """What follows for the person before the camera. Only one of the three means yes."""

    BONA_FIDE = "bona_fide"
    ATTACK = "attack"
    NO_DECISION = "no_decision"


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which network it was."""

    name: str
    sha256: str
    """Of the weights."""
    training: TrainingRecord | None
    """None: UNTRAINED."""
    runtime: str
    """What ran it, as its runner says: such as `onnx`, `openvino bf16` or `torch`."""
    patches_vote: bool | None = None
    """Whether the patches' score is part of the clip's, or they only explain; None where the model
    has none."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowResult:
    """One clip of N frames out of the presentation, and the network's answer.

    Boxes are x0 y0 x1 y1 in pixels of the presentation's frames.
    """

    times_s: tuple[float, ...]
    """When its frames were taken."""
    is_padded: bool
    """Whether a frame stands in for others that are missing."""
    face: FaceBox
    """The median of its faces' boxes."""
    crop: CropBox
    """What was cut out of every frame."""
    bona_fide_score: float
    """0..1, higher is bona fide; raw, whatever a profile makes of the presentation's."""
    advisor_score: float
    aam_score: float | None
    """None where the model has no Attended-Auxiliary Module (Model B); so are the fields below."""
    crops: UInt8[np.ndarray, "n side side 3"]
    """What the network saw: RGB, 0..255."""
    cam: Float[np.ndarray, "n map map"]
    """Grad-CAM of each frame, >= 0, without a scale."""
    aam_frames: tuple[int, ...]
    """Which of the N frames the Attended-Auxiliary Module saw."""
    anchors: Int[np.ndarray, "a k"] | None
    """Cells that the Advisor named: 0..15, or 0..48 of the 7x7 grid."""
    anchor_boxes: Float[np.ndarray, "a k 4"] | None
    """Those cells."""
    patch_boxes: Float[np.ndarray, "a k 4"] | None
    """Where the learned offsets moved them: what the patches were cut from."""
    depth: Float[np.ndarray, "a k d d"] | None
    """Estimated depth of each patch, about 0..1: 0 far or attack, 1 nearest."""
    advisor_embedding: Float[np.ndarray, " hidden"]
    """What the Advisor's classifier sees; with the frames head, what each part of the frames'
    description adds to the margin (`Scores.advisor_embedding`)."""
    aam_embedding: Float[np.ndarray, " width"] | None
    """e, the mean over the frames: what the Attended-Auxiliary Module's classifier sees."""
    fused_feature: Float[np.ndarray, " z"] | None
    """z, the mean over the frames: the feature of the paper's Figure 4."""
    map_share: float | None = None
    """Share of the Advisor's logit that the Grad-CAM covers, 0..1; None of models with an LSTM,
    whose logit comes from the last map alone."""
    patches_vote: bool | None = None
    """As `ModelIdentity.patches_vote`."""

    @property
    def embedding(self) -> Float[np.ndarray, " d"]:
        """What tells clips that are unlike the known ones: z, or the Advisor's without it."""
        return self.advisor_embedding if self.fused_feature is None else self.fused_feature

    @property
    def displacement_px(self) -> float | None:
        """How far the offsets moved the patches from their cells, the mean over all.

        In pixels of a crop of 224; None where the model has no Attended-Auxiliary Module.
        """
        if self.anchor_boxes is None or self.patch_boxes is None:
            return None
        moved = self.patch_boxes - self.anchor_boxes
        x, y = moved[..., 0::2].mean(-1), moved[..., 1::2].mean(-1)
        return float(np.hypot(x, y).mean() * CROP_SIDE_PX / self.crop.side_px)


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time of a check went, in seconds.

    Of presentations that were judged together: the network's time is shared by the number of clips,
    and what one waited for another is not counted.
    """

    decode_s: float
    """Waiting for frames: decoding goes on beside the rest."""
    faces_s: float
    """Finding, following and measuring the face."""
    network_s: float
    total_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What was decided on one presentation. It has no truth value: compare `decision`."""

    decision: Decision
    reasons: tuple[Finding, ...]
    """Why there is no decision; empty where there is one."""
    cautions: tuple[Finding, ...]
    """What to know all the same."""
    bona_fide_score: float | None
    """Mean over the windows, 0..1, higher is bona fide, and calibrated where there is a profile;
    None where nothing could be scored. With reasons beside it, it decides nothing."""
    score_spread: float | None
    """Largest less smallest score of the windows, which stay raw."""
    operating_point: OperatingPoint | None
    """The threshold and where it comes from; accept iff score >= threshold."""
    windows: tuple[WindowResult, ...]
    model: ModelIdentity
    num_looks: int
    """Frames that were looked at."""
    num_faces: int
    """Frames of these on which the face was seen."""
    frame_size: tuple[int, int]
    """Width and height of the frames, in pixels."""
    poster: UInt8[np.ndarray, "height width 3"]
    """The first frame with the face, else the first frame, shrunk to 480 pixels at most: RGB."""
    poster_face: FaceBox | None
    """The face on it, in pixels of the poster."""
    timings: Timings
    profile: str | None = None
    """SHA-256 of the profile that calibrated the score and gave operating point and limits; None:
    there was none."""

    def __bool__(self) -> NoReturn:
        """Raise: `if verdict:` would let attacks and doubts in.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            "a verdict is neither true nor false: compare verdict.decision with Decision.BONA_FIDE"
        )
