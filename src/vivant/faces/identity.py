"""Whether it stays one person: small pictures of the face and the scene, compared over time.

This notices a video that was cut and people who differ in looks or in skin; it does not recognise
anybody, and two people who look alike pass.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vivant.faces.track import Face
from vivant.geometry.shrink import shrink

__all__ = ["Appearance", "Changes", "History", "appearance", "changes"]

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


class History:
    """The looks of one face, compared as they come: what `changes` says of them is kept up.

    A file's history is whole; a stream forgets what is too long ago.
    """

    def __init__(self) -> None:
        self._looks: deque[tuple[float, Appearance]] = deque()
        self._moments: deque[tuple[float, float, float]] = deque()  # Time, likeness, colour.
        self._steps: deque[tuple[float, float]] = deque()  # Time, change of the whole frame.

    def add(self, time_s: float, look: Appearance) -> None:
        """Compare the next look with those before.

        Args:
            time_s: When it was taken; it ascends.
            look: The face there.
        """
        if self._looks:
            before = self._looks[-1][1]
            self._steps.append((time_s, float(np.abs(look.scene - before.scene).mean())))
        self._looks.append((time_s, look))
        last = [look for _, look in islice(reversed(self._looks), 2 * _SPAN)]
        if len(last) == 2 * _SPAN:
            (detail, colour), (detail_then, colour_then) = map(
                _typical, (last[:_SPAN], last[_SPAN:])
            )
            likeness = _correlation(detail_then, detail)
            moved = float(np.linalg.norm(colour - colour_then))
            self._moments.append((time_s, likeness, moved))

    def forget(self, before_s: float) -> None:
        """Let go of what was before a time."""
        for kept in (self._looks, self._moments, self._steps):
            while kept and kept[0][0] < before_s:
                kept.popleft()

    def changes(self) -> Changes:
        """The largest changes."""
        steps = [step for _, step in self._steps]
        usual = float(np.median(steps)) if steps else 0.0
        return Changes(
            likeness=min((likeness for _, likeness, _ in self._moments), default=1.0),
            colour=max((colour for _, _, colour in self._moments), default=0.0),
            scene=max((step for step in steps if step > _MOVING * usual), default=0.0),
        )


def changes(looks: Sequence[Appearance]) -> Changes:
    """Compare what is before each moment of a clip with what is after it.

    Args:
        looks: Of the frames with the face, in the order of time.
    """
    history = History()
    for position, look in enumerate(looks):
        history.add(float(position), look)
    return history.changes()


def _typical(
    looks: Sequence[Appearance],
) -> tuple[Float[np.ndarray, "24 20"], Float[np.ndarray, " 2"]]:
    """Median detail and colour of some looks."""
    detail = np.median([look.detail for look in looks], axis=0)
    return detail, np.median([look.colour for look in looks], axis=0)


def _correlation(one: Float[np.ndarray, "24 20"], other: Float[np.ndarray, "24 20"]) -> float:
    one, other = one - one.mean(), other - other.mean()
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    # Rounding may reach beyond 1: no limit could name that.
    return min(max(float((one * other).sum()) / norm, -1.0), 1.0) if norm > 0 else 0.0
