"""Makes a picture much smaller, fast."""

import cv2
import numpy as np
from jaxtyping import UInt8

from vivant.errors import InputError

__all__ = ["shrink"]


def shrink(
    pixels: UInt8[np.ndarray, "height width 3"], width_px: int, height_px: int
) -> UInt8[np.ndarray, "{height_px} {width_px} 3"]:
    """The picture at another size, each pixel the mean of an area.

    By halves first, which is four times as fast as one step from 1280x720 to 192x108. Where the
    sizes are no powers of two apart, the areas are a little larger than in one step.

    Args:
        pixels: RGB, 0..255.
        width_px: Of the result.
        height_px: Of the result.

    Raises:
        InputError: a size below one pixel.
    """
    if min(width_px, height_px) < 1:
        raise InputError(f"expected a size of at least 1x1, got {width_px}x{height_px}")
    height, width, _ = pixels.shape
    while width >= 2 * width_px and height >= 2 * height_px:
        width, height = width // 2, height // 2
        pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA))
    small = cv2.resize(pixels, (width_px, height_px), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)
