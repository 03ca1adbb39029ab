"""Random parameters of a recapture or a camera, and the size of the picture that they are for."""

from typing import Literal, NamedTuple

import cv2
import numpy as np
from jaxtyping import Float32, Shaped

from vivant.errors import InputError
from vivant.geometry.crop import CROP_SCALE
from vivant.records import FaceBox

__all__ = ["Draws", "Ranges", "Sizes", "require_frames"]

Ranges = Literal["all", "first", "second"]
"""Which part of each parameter's range is drawn from: all of it, or one of two halves that have no
value in common. The first half is the first and the third quarter of the range."""

_USUAL_PX = 256  # Side of the usual crop that lengths in pixels are stated for.
_MOST_KNOTS = 64


class Sizes(NamedTuple):
    """The size of the pictures and of the face in them: what lengths are scaled by."""

    height: int
    """Of the pictures, in pixels."""
    width: int
    face: FaceBox

    @property
    def unit_px(self) -> float:
        """Side of the usual crop: 1.3 times the face's longer side, or as much as there is."""
        wanted = CROP_SCALE * max(self.face.width_px, self.face.height_px)
        return float(max(1.0, min(wanted, self.height, self.width)))

    @property
    def scale(self) -> float:
        """Of a blur that is stated for a usual crop of 256 pixels."""
        return self.unit_px / _USUAL_PX

    @property
    def fine(self) -> float:
        """Pixels in which the finest pattern is one pixel wide at 256: never less than one."""
        return max(1.0, self.scale)


class Draws:
    """Draws parameters.

    Args:
        generator: Where the randomness comes from.
        ranges: Which part of each range is drawn from.
    """

    def __init__(self, generator: np.random.Generator, ranges: Ranges = "all") -> None:
        self.generator = generator
        self._ranges = ranges

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.generator.random() < probability)

    def uniform(self, low: float | int, high: float | int) -> float:
        """A number of low to high, each equally likely."""
        share = float(self.generator.random())
        if self._ranges != "all":
            upper = float(share >= 0.5)
            offset = 0.25 if self._ranges == "second" else 0.0
            share = upper / 2 + offset + (share - upper / 2) / 2
        return low + (high - low) * share

    def log_uniform(self, low: float | int, high: float | int) -> float:
        """A number of low to high; each doubling is as likely as the next."""
        return float(np.exp(self.uniform(np.log(low), np.log(high))))

    def normal(self, deviation: float | int) -> float:
        """A normal number about 0; `Ranges` do not apply."""
        return float(self.generator.normal(0, deviation))

    def below(self, count: int) -> int:
        """A whole number, 0 to count - 1."""
        return int(self.generator.integers(count))

    def surface(self, sizes: Sizes, per_crop: int) -> Float32[np.ndarray, "height width"]:
        """A smooth random surface over the pictures, about -1..1.

        Args:
            sizes: Of the pictures.
            per_crop: How many independent values lie along a side of the usual crop.
        """
        rows, columns = (
            max(2, min(_MOST_KNOTS, round(per_crop * side / sizes.unit_px)))
            for side in (sizes.height, sizes.width)
        )
        values = self.generator.uniform(-1, 1, (rows, columns)).astype(np.float32)
        size = (sizes.width, sizes.height)
        return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_CUBIC), np.float32)

    def grain(
        self, sizes: Sizes, sigma: float | None = None
    ) -> Float32[np.ndarray, "height width 3"]:
        """Normal noise with a standard deviation of 1, one grain a pixel of the usual crop.

        Args:
            sizes: Of the pictures.
            sigma: Of the blur that makes the grain coarser, in pixels of a usual crop of 256; None
                leaves the noise white.
        """
        rows, columns = (max(1, round(side / sizes.fine)) for side in (sizes.height, sizes.width))
        noise = self.generator.standard_normal((rows, columns, 3), np.float32)
        if sigma is not None:
            noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), sigma), np.float32)
        if (rows, columns) != (sizes.height, sizes.width):
            noise = np.asarray(cv2.resize(noise, (sizes.width, sizes.height)), np.float32)
        elif sigma is None:
            return noise
        return np.asarray(noise / (noise.std() + 1e-6), np.float32)


def require_frames(frames: Shaped[np.ndarray, "..."], face: FaceBox) -> Sizes:
    """Check pictures and the face in them.

    Raises:
        InputError: the frames are not RGB pictures, there is none, or the face box is empty or
            outside of them.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or not frames.size:
        raise InputError(
            "expected uint8 frames of shape (n, height, width, 3), none of them 0, got "
            f"{frames.dtype} {frames.shape}"
        )
    _, height, width, _ = frames.shape
    edges = (face.x0, face.y0, face.x1, face.y1)
    if not np.isfinite(edges).all() or min(face.width_px, face.height_px) <= 0:
        raise InputError(f"expected a face box with x0 < x1 and y0 < y1, got {edges}")
    if face.x1 <= 0 or face.y1 <= 0 or face.x0 >= width or face.y0 >= height:
        raise InputError(f"the face box {edges} is outside the frames of {width}x{height}")
    return Sizes(height, width, face)
