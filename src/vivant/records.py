"""The records that pass between the layers: frozen, with their units."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

import numpy as np
from jaxtyping import Float, Int, UInt8

from vivant.errors import InputError

__all__ = [
    "NUM_WINDOWS",
    "Caution",
    "FaceBox",
    "Finding",
    "Frame",
    "Label",
    "Presentation",
    "Reason",
    "Scores",
    "Split",
]

NUM_WINDOWS = 4
"""W of decision D24: the clips of a presentation that are scored, and whose mean is its score."""

# Axes: b clips; n frames of a clip; a frames that the AAM sees (n, or 1); k patches of a frame;
# d pixels a side of a patch's depth map (14, or what the configuration says).


class Label(IntEnum):
    """The two classes, in the network's order (paper 3.2; decision D1)."""

    BONA_FIDE = 0
    ATTACK = 1


class Split(StrEnum):
    """What a presentation is for. No subject and no file is on two sides."""

    TRAIN = "train"
    DEV = "dev"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Presentation:
    """One recorded try at the camera: one row of a data set."""

    path: str
    """Of the video, picture or folder of frames, relative to the data set's root, with slashes."""
    label: Label
    pai_species: str | None
    """The kind of attack instrument, such as `print`; None for bona fide."""
    subject: str | None = None
    """Who is seen, by the data set's own name; None where it does not say."""
    split: Split | None = None
    """The side on which the data set's folders put it; None where they do not."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """What else the data set says of it, such as device, session, light: for breakdowns."""
    max_frames: int | None = None
    """Only its first frames are used, by the protocol; None: all."""

    def __post_init__(self) -> None:
        if (self.label is Label.BONA_FIDE) != (self.pai_species is None):
            raise InputError(
                f"{self.path}: expected a PAI species for an attack and none for bona fide, got "
                f"{self.label.name} with {self.pai_species!r}"
            )


class Reason(StrEnum):
    """Why there is no decision. Programs read these codes; none of them means an attack."""

    NO_FACE = "NO_FACE"
    MULTIPLE_FACES = "MULTIPLE_FACES"
    FACE_TOO_SMALL = "FACE_TOO_SMALL"
    FACE_CUT_OFF = "FACE_CUT_OFF"
    FACE_LOST = "FACE_LOST"
    FACE_CHANGED = "FACE_CHANGED"
    TOO_DARK = "TOO_DARK"
    TOO_BRIGHT = "TOO_BRIGHT"
    LOW_CONTRAST = "LOW_CONTRAST"
    TOO_BLURRED = "TOO_BLURRED"
    POSE = "POSE"
    OCCLUDED = "OCCLUDED"
    TOO_FEW_FRAMES = "TOO_FEW_FRAMES"
    TOO_SLOW = "TOO_SLOW"
    """A live check got too few frames a second: the computer or its connection is too slow."""
    STATIC_FRAMES = "STATIC_FRAMES"
    OUT_OF_DISTRIBUTION = "OUT_OF_DISTRIBUTION"
    WINDOWS_DISAGREE = "WINDOWS_DISAGREE"
    MEDIA_SEEN_BEFORE = "MEDIA_SEEN_BEFORE"
    """The same bytes were sent in another session of the service: a camera never takes a picture
    twice."""
    UNTRAINED_MODEL = "UNTRAINED_MODEL"
    NO_OPERATING_POINT = "NO_OPERATING_POINT"


class Caution(StrEnum):
    """What to know about a verdict that it does not prevent."""

    FACE_SMALLER_THAN_CROP = "FACE_SMALLER_THAN_CROP"
    CROP_SCALE_DIFFERS = "CROP_SCALE_DIFFERS"
    CROP_OFF_CENTRE = "CROP_OFF_CENTRE"
    PADDED_WINDOW = "PADDED_WINDOW"
    NO_RECORDED_ATTACKS = "NO_RECORDED_ATTACKS"
    """The model was trained with simulated attacks alone."""
    UNCALIBRATED_CAMERA = "UNCALIBRATED_CAMERA"
    """The threshold is one for all cameras, and not this camera's own."""
    NOT_ISOLATED = "NOT_ISOLATED"


@dataclass(frozen=True, slots=True)
class Finding:
    """A reason or a caution, with the number behind it."""

    code: Reason | Caution
    message: str
    """For people: what was found, what was expected, what to do."""
    measured: float | None = None
    """What was found, in the unit of the limit."""
    limit: float | None = None
    """What it was held against; None where the finding is not a number's."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture, upright."""

    pixels: UInt8[np.ndarray, "height width 3"]
    """RGB, 0..255."""
    time_s: float
    """When it was taken, in seconds; of a clip's frames each is later than the one before."""
    number: int | None = None
    """Which of the file's frames it is, from 0, those that are not looked at counted too; None
    where nobody counts, as before a camera."""


@dataclass(frozen=True, slots=True)
class FaceBox:
    """Where a face is, in pixels of a frame: (x0, y0) is the upper left corner.

    The face as the default detector boxes it: ear to ear, from the middle of the forehead to the
    chin. It may reach beyond the frame.
    """

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width_px(self) -> float:
        """x1 - x0."""
        return self.x1 - self.x0

    @property
    def height_px(self) -> float:
        """y1 - y0."""
        return self.y1 - self.y0

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) of the middle."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2


@dataclass(frozen=True, slots=True)
class Scores:
    """What the network says of a batch of clips.

    `bona_fide_score` is the only score that leaves the package: 0..1, higher is bona fide. Fields
    of the Attended-Auxiliary Module are None where the model has none (Model B).

    Centres are (t_x, t_y) as in `geometry.grid`; boxes are x0 y0 x1 y1 in pixels of the crop.
    """

    bona_fide_score: Float[np.ndarray, " b"]
    """Fused score of the clip, 0..1, higher is bona fide (D30)."""
    advisor_score: Float[np.ndarray, " b"]
    """Bona fide probability of the Advisor Module alone, 0..1."""
    advisor_logits: Float[np.ndarray, "b 2"]
    """Logits of the Advisor Module in the order of `Label`."""
    advisor_embedding: Float[np.ndarray, "b hidden"]
    """What the Advisor's classifier sees: the LSTM's hidden state. Of a model with the frames head,
    what each part of the frames' description adds to the margin of bona fide over attack."""
    cam: Float[np.ndarray, "b n map map"]
    """Grad-CAM of each frame (Eq. 4), >= 0, without a scale: divide by its maximum to draw it."""
    aam_score: Float[np.ndarray, " b"] | None = None
    """Bona fide probability of the Attended-Auxiliary Module alone, mean over its frames, 0..1."""
    aam_logits: Float[np.ndarray, "b a 2"] | None = None
    """Logits of the Attended-Auxiliary Module for each of its frames, in the order of `Label`."""
    aam_embedding: Float[np.ndarray, "b a width"] | None = None
    """e of each frame: what the Attended-Auxiliary Module's classifier sees."""
    fused_feature: Float[np.ndarray, "b a z"] | None = None
    """z of each frame, pooled over space and patches: the feature of Figure 4."""
    anchors: Int[np.ndarray, "b a k"] | None = None
    """Cells that the Advisor names, one for each patch: 0..15, or 0..48 of the 7x7 grid."""
    centres: Float[np.ndarray, "b a k 2"] | None = None
    """Centres of the patches: anchor + offset."""
    boxes: Float[np.ndarray, "b a k 4"] | None = None
    """Boxes of the patches."""
    depth: Float[np.ndarray, "b a k d d"] | None = None
    """Estimated depth of each patch, about 0..1 (not clamped): 0 far or attack, 1 nearest."""
    frame_features: Float[np.ndarray, "b n numbers"] | None = None
    """What describes each frame, standardised, where the model has `levels`."""
