"""Whether it stays one person: small pictures of the face and the scene, compared over time.

This notices a video that was cut and people who differ in looks or in skin; it does not recognise
anybody, and two people who look alike pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vivant.faces.track import Face
from vivant.geometry.shrink import shrink

__all__ = ["Appearance", "Changes", "appearance", "changes"]

_SPAN = 3  # Looks before and after a moment whose median is compared: one hand is outvoted.
_MOVING = 5.0  # A cut changes this many times as much as the video usually does.
# Outer eye corners, nose, corners of the mouth, chin and forehead; where they lie in a 64x64 face.
_POINTS = (33, 263, 1, 61, 291, 152, 10)
_PLACES = np.array(
    [[16, 22], [48, 22], [32, 38], [22, 48], [42, 48], [32, 62], [32, 2]], dtype=np.float32
)


@dataclass(frozen=True, slots=True, eq=False)
class Appearance:
    """What one look keeps of a frame to compare it with others."""

    detail: Float[np.ndarray, "24 20"]
    """Light and dark of the inner face, without large shades."""
    colour: Float[np.ndarray, " 2"]
    """Mean a and b of the face, of Lab in 8 bits."""
    scene: Float[np.ndarray, "18 32"]
    """The whole frame, grey."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The largest change within a clip; of a clip too short to tell, none."""

    likeness: float
    """Least correlation of the face's detail before and after a moment, -1..1."""
    colour: float
    """Largest change of the face's colour, in units of Lab."""
    scene: float
    """Largest change of the whole frame between two looks that stands out, in grey levels."""


def appearance(pixels: UInt8[np.ndarray, "height width 3"], face: Face) -> Appearance:
    """Keep of a frame what `changes` needs.

    Args:
        pixels: RGB, 0..255.
        face: On that frame.
    """
    points = face.mesh.points[list(_POINTS), :2].astype(np.float32)
    to_place, _ = cv2.estimateAffinePartial2D(points, _PLACES, method=cv2.LMEDS)
    if to_place is None:  # Points that lie in one: no face has such a mesh.
        to_place = np.eye(2, 3)
    lab = cv2.cvtColor(cv2.warpAffine(pixels, to_place, (64, 64)), cv2.COLOR_RGB2LAB)
    light = lab[..., 0].astype(np.float64)
    shades = cv2.GaussianBlur(light, (0, 0), 8)
    detail = cv2.resize(light - shades, (32, 32), interpolation=cv2.INTER_AREA)[4:28, 6:26]
    colour = lab[10:58, 14:50, 1:].mean(axis=(0, 1), dtype=np.float64)
    scene = shrink(pixels, 32, 18)
    grey = cv2.cvtColor(scene, cv2.COLOR_RGB2GRAY).astype(np.float64)
    return Appearance(detail, colour, grey)


def changes(looks: Sequence[Appearance]) -> Changes:
    """Compare what is before each moment of a clip with what is after it.

    Args:
        looks: Of the frames with the face, in the order of time.
    """
    likeness, colour = 1.0, 0.0
    for moment in range(_SPAN, len(looks) - _SPAN + 1):
        before, after = looks[moment - _SPAN : moment], looks[moment : moment + _SPAN]
        details = [np.median([look.detail for look in part], axis=0) for part in (before, after)]
        colours = [np.median([look.colour for look in part], axis=0) for part in (before, after)]
        likeness = min(likeness, _correlation(*details))
        colour = max(colour, float(np.linalg.norm(colours[1] - colours[0])))
    steps = [float(np.abs(after.scene - before.scene).mean()) for before, after in pairwise(looks)]
    usual = float(np.median(steps)) if steps else 0.0
    scene = max((step for step in steps if step > _MOVING * usual), default=0.0)
    return Changes(likeness, colour, scene)


def _correlation(one: Float[np.ndarray, "24 20"], other: Float[np.ndarray, "24 20"]) -> float:
    one, other = one - one.mean(), other - other.mean()
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    # Rounding may reach beyond 1: no limit could name that.
    return min(max(float((one * other).sum()) / norm, -1.0), 1.0) if norm > 0 else 0.0
