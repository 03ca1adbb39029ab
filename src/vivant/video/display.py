"""Turns a frame as its container says it is to be shown, mirrored ones too."""

import numpy as np
from jaxtyping import UInt8

from vivant.errors import MediaError, Refusal

__all__ = ["IDENTITY", "Orientation", "orient", "read_matrix"]

# (a, b, c, d): a pixel at (x, y) is shown at (a x + c y, b x + d y).
Orientation = tuple[int, int, int, int]
IDENTITY: Orientation = (1, 0, 0, 1)


def read_matrix(side_data: bytes) -> Orientation:
    """The orientation in a display matrix.

    Args:
        side_data: FFmpeg's DISPLAYMATRIX: nine int32, [a b u c d v x y w], 16.16 fixed point.

    Raises:
        MediaError: UNSUPPORTED_FORMAT where it is not a quarter turn, mirrored or not.
    """
    a, b, _, c, d = (int(value) for value in np.frombuffer(side_data, "<i4", 5))
    largest = max(abs(value) for value in (a, b, c, d))
    if largest:
        near = tuple(round(value / largest) for value in (a, b, c, d))
        exact = all(abs(v / largest - n) < 0.01 for v, n in zip((a, b, c, d), near, strict=True))
        if exact and near[0] * near[3] - near[1] * near[2] in (1, -1):
            return (near[0], near[1], near[2], near[3])
    raise MediaError(
        Refusal.UNSUPPORTED_FORMAT,
        "the video is to be shown turned by an angle that is no multiple of 90 degrees",
    )


def orient(
    pixels: UInt8[np.ndarray, "height width 3"], orientation: Orientation
) -> UInt8[np.ndarray, "shown_height shown_width 3"]:
    """The picture as it is to be shown.

    Args:
        pixels: RGB, as decoded.
        orientation: From `read_matrix`.

    >>> frame = np.arange(6, dtype=np.uint8).reshape(2, 1, 3)
    >>> orient(frame, (0, 1, -1, 0)).shape  # A quarter turn clockwise.
    (1, 2, 3)
    """
    a, b, c, d = orientation
    turned = pixels if a else pixels.transpose(1, 0, 2)
    flip_x, flip_y = (a < 0, d < 0) if a else (c < 0, b < 0)
    turned = turned[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
    return np.ascontiguousarray(turned)
