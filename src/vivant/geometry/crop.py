"""THE face crop: training, evaluation and serving cut with this function and no other (D22)."""

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from vivant.errors import InputError
from vivant.records import FaceBox

__all__ = ["CONTEXT_SCALE", "CROP_SCALE", "CropBox", "crop_box", "cut"]

CROP_SCALE = 1.3
"""Side of a crop as a multiple of the face's longer side (D22); training draws about it (D21)."""


CONTEXT_SCALE = 2.0
"""The same of the second, wider crop, of models that see one (D46)."""


@dataclass(frozen=True, slots=True)
class CropBox:
    """A square of a frame, in whole pixels, all of it inside the frame."""

    x: int
    """Left edge."""
    y: int
    """Upper edge."""
    side_px: int

    def to_frame(self, x: Any, y: Any, crop_side_px: int) -> tuple[Any, Any]:
        """A point of the crop in pixels of the frame.

        Plain arithmetic, so that it serves one point and arrays of them alike.

        Args:
            x: Pixels of the crop, from its left edge.
            y: Pixels of the crop, from its upper edge.
            crop_side_px: Side of the crop that the point is in.
        """
        scale = self.side_px / crop_side_px
        return self.x + x * scale, self.y + y * scale


def crop_box(face: FaceBox, width_px: int, height_px: int, scale: float) -> CropBox:
    """The square to cut for a face: `clip_to_frame` of the model card.

    The square's side is `scale` times the face's longer side, about the face's centre. Where that
    would leave the frame, the square is moved inside, and made smaller only if the frame itself is.
    So a crop never holds pixels that no camera took, and a face is never stretched.

    Args:
        face: In pixels of the frame; it may reach beyond it.
        width_px: Of the frame.
        height_px: Of the frame.
        scale: Side of the crop as a multiple of the face's longer side.

    Raises:
        InputError: the box is empty, not finite, or wholly outside the frame; the scale is not
            above 0.
    """
    edges = (face.x0, face.y0, face.x1, face.y1)
    sides = (face.width_px, face.height_px)
    if not all(map(math.isfinite, (*edges, *sides))) or min(sides) <= 0:
        raise InputError(f"expected a face box with x0 < x1 and y0 < y1, got {edges}")
    if not 0 < scale < math.inf:
        raise InputError(f"expected a crop scale above 0, got {scale}")
    if face.x1 <= 0 or face.y1 <= 0 or face.x0 >= width_px or face.y0 >= height_px:
        raise InputError(f"the face box {edges} is outside the frame of {width_px}x{height_px}")
    wanted = max(1.0, max(sides) * scale)
    side = round(min(wanted, float(width_px), float(height_px)))
    centre_x, centre_y = face.centre
    # Halves go to the right, not to even numbers: a face moved by a pixel moves its crop by one.
    x = min(max(math.floor(centre_x - side / 2 + 0.5), 0), width_px - side)
    y = min(max(math.floor(centre_y - side / 2 + 0.5), 0), height_px - side)
    return CropBox(x, y, side)


def cut(
    pixels: UInt8[np.ndarray, "height width 3"], box: CropBox, side_px: int
) -> UInt8[np.ndarray, "{side_px} {side_px} 3"]:
    """Cut a square out of a frame and bring it to the network's size.

    Args:
        pixels: The frame, RGB, 0..255.
        box: Inside the frame.
        side_px: Side of the crop. Shrinking averages areas, so that fine patterns of a screen do
            not fold into coarse ones; enlarging is bilinear.

    Raises:
        InputError: the square is empty or not inside the frame.
    """
    height, width, _ = pixels.shape
    if (
        min(box.x, box.y, box.side_px - 1) < 0
        or box.x + box.side_px > width
        or box.y + box.side_px > height
    ):
        raise InputError(f"expected a crop inside the frame of {width}x{height}, got {box}")
    square = pixels[box.y : box.y + box.side_px, box.x : box.x + box.side_px]
    interpolation = cv2.INTER_AREA if box.side_px > side_px else cv2.INTER_LINEAR
    resized = cv2.resize(square, (side_px, side_px), interpolation=interpolation)
    return np.asarray(resized, dtype=np.uint8)
