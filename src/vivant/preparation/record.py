"""What preparing one presentation gives: frames to store, or the reason why there are none."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vivant.faces.quality import FaceQuality
from vivant.preparation.square import Square
from vivant.records import FaceBox, Presentation

__all__ = [
    "BAD_DEPTH_MAP",
    "INTERNAL_ERROR",
    "WORKER_DIED",
    "PreparedFrame",
    "PreparedPresentation",
]

BAD_DEPTH_MAP = "BAD_DEPTH_MAP"
"""Refusal: a depth map of the user's is damaged, or of another shape than the frames."""
WORKER_DIED = "WORKER_DIED"
"""Refusal: the process that prepared it was killed, twice. The media may be sound."""
INTERNAL_ERROR = "INTERNAL_ERROR"
"""Refusal: this program failed over it. The message says how; please report it."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedFrame:
    """One frame with a face."""

    position: int
    """Among the frames that were looked at."""
    number: int | None
    """Among the frames of the file; None where nobody counted."""
    time_s: float
    """From the first frame."""
    square: Square
    face: FaceBox
    """In pixels of the frame."""
    crop: bytes
    """The square as JPEG."""
    landmarks: Float[np.ndarray, "468 3"]
    """The mesh in pixels of the stored square; z in the same unit, smaller is nearer."""
    depth: bytes | None
    """The face's depth over the square as PNG, 0 far and background, 255 nearest, of at most 160
    pixels a side; None where it is not known, and of attacks, whose depth is 0 everywhere."""
    quality: FaceQuality
    faults: tuple[str, ...]
    """Codes of `Reason`: what is wrong with the face on this frame."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPresentation:
    """One presentation, read to its end or refused."""

    presentation: Presentation
    frames: tuple[PreparedFrame, ...] = ()
    num_looks: int = 0
    """Frames that were looked at, with a face or without."""
    width_px: int = 0
    """Of the frames; 0 where it was refused before the first."""
    height_px: int = 0
    is_still: bool = False
    """A picture, or pictures at no known rate: one frame stands for all of a clip's."""
    sha256: str | None = None
    """Of the file, or of a clip's pictures one after the other; None where it cannot be read."""
    num_bytes: int = 0
    """Of the file, or of the pictures."""
    faults: tuple[str, ...] = ()
    """Codes of `Reason`: what is wrong with the clip as a whole."""
    refusal: str | None = None
    """Code of `Refusal`, or one of those above: then there are no frames."""
    message: str | None = None
    """For people: what was expected, and what was found."""
