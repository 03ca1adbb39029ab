"""The piece of a frame that is stored: a square about the face, from which training cuts crops.

A face that is larger than needed is shrunk, by a factor of k/4. All squares of one factor lie on
one grid of the frame, so that a crop that stands still in the frame stands still in the stored
pixels too: squares that were each shrunk on a grid of their own would make it tremble.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from vivant.errors import InputError
from vivant.geometry.crop import CropBox, crop_box, cut
from vivant.preparation.settings import PreparationSettings
from vivant.records import FaceBox

__all__ = ["Square", "choose_quarters", "place_square"]

_WASTES = 1.5  # The factor grows in mid-video only if the face wastes so much.


@dataclass(frozen=True, slots=True)
class Square:
    """A square of a frame and how much it is shrunk."""

    box: CropBox
    """In pixels of the frame; its edges are multiples of `step`."""
    quarters: int
    """Pixels of the frame for four stored ones: 4 is as filmed."""

    @property
    def step_px(self) -> int:
        """Pixels of the frame that make whole stored pixels."""
        return self.quarters // math.gcd(4, self.quarters)

    @property
    def side_px(self) -> int:
        """Side of the stored picture."""
        return 4 * self.box.side_px // self.quarters

    def cut(self, pixels: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "side side 3"]:
        """The picture to store."""
        return cut(pixels, self.box, self.side_px)

    def to_stored(self, points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """Points of the frame in pixels of the stored picture.

        Args:
            points: (x, y) or (x, y, z); z is in the same unit and is only scaled.
        """
        scale = 4 / self.quarters
        stored = points * scale
        stored[:, 0] -= self.box.x * scale
        stored[:, 1] -= self.box.y * scale
        return stored

    def within(self, crop: CropBox) -> CropBox:
        """A crop of the frame in the stored picture, to the nearest stored pixel.

        Raises:
            InputError: the crop reaches beyond what is stored.
        """
        scale = 4 / self.quarters
        side = min(max(1, round(crop.side_px * scale)), self.side_px)
        x = round((crop.x - self.box.x) * scale)
        y = round((crop.y - self.box.y) * scale)
        over = max(-x, -y, x + side - self.side_px, y + side - self.side_px)
        if over > 1:  # One may be lost to rounding.
            raise InputError(f"{crop} reaches beyond the stored square {self.box}")
        last = self.side_px - side
        return CropBox(min(max(x, 0), last), min(max(y, 0), last), side)


def choose_quarters(face: FaceBox, settings: PreparationSettings, before: int | None) -> int:
    """How much to shrink a frame: as much as leaves the face the pixels that training needs.

    Args:
        face: On this frame.
        settings: How many pixels that is.
        before: Of the frame before; kept while the face needs no finer one, and no much coarser.
    """
    longer = max(face.width_px, face.height_px)
    wanted = max(4, math.floor(4 * longer / settings.face_px))
    if before is not None and before <= wanted < _WASTES * before:
        return before
    return wanted


def place_square(
    face: FaceBox, width_px: int, height_px: int, quarters: int, settings: PreparationSettings
) -> Square:
    """Where to cut a frame.

    Args:
        face: In pixels of the frame.
        width_px: Of the frame.
        height_px: Of the frame.
        quarters: From `choose_quarters`.
        settings: The margin.

    Raises:
        InputError: the face is outside the frame.
    """
    wanted = crop_box(face, width_px, height_px, settings.margin)
    step = Square(wanted, quarters).step_px
    whole = min(width_px, height_px) // step * step
    # From the edge before the wanted square to the one after it, on both axes.
    ends = [math.ceil((start + wanted.side_px) / step) * step for start in (wanted.x, wanted.y)]
    starts = [start // step * step for start in (wanted.x, wanted.y)]
    side = min(max(end - start for start, end in zip(starts, ends, strict=True)), whole)
    x, y = (
        min(start, (length - side) // step * step)
        for start, length in zip(starts, (width_px, height_px), strict=True)
    )
    return Square(CropBox(x, y, side), quarters)
