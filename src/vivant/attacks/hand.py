"""Two thumbs that hold a sheet at its lower corners."""

import cv2
import numpy as np
from jaxtyping import Float, Float32

__all__ = ["hold"]

_ROOM = 0.3  # About the sheet, for the hands: share of its width.
_RADIUS = 0.046  # Of a thumb: share of the sheet's width.
_SKIN = np.array([[0.62, 0.38, 0.28], [0.42, 0.23, 0.15], [0.14, 0.07, 0.045]])  # Linear RGB.


def hold(
    light: Float32[np.ndarray, "rows columns 4"], reach: float, generator: np.random.Generator
) -> tuple[Float32[np.ndarray, "more_rows more_columns 4"], int]:
    """A sheet with a thumb on each lower corner; they move with it.

    Args:
        light: Of the sheet: linear RGB times cover, and cover.
        reach: How far the thumbs' tips come in from the lower edge, as a share of the width.
        generator: Draws the skin's colour and its unevenness.

    Returns:
        The sheet with room about it, and how many pixels that is on each side.
    """
    rows, columns = light.shape[:2]
    added = round(_ROOM * columns)
    result = np.zeros((rows + 2 * added, columns + 2 * added, 4), np.float32)
    result[added:-added, added:-added] = light
    tone = generator.uniform(0, len(_SKIN) - 1)
    skin = np.array([np.interp(tone, range(len(_SKIN)), part) for part in _SKIN.T])
    radius = _RADIUS * columns
    for side in (-1, 1):
        middle, bottom = added + columns / 2, added + rows
        tip = np.array([middle + side * 0.41 * columns, bottom - reach * columns + radius])
        root = np.array([middle + side * 0.58 * columns, bottom + 0.5 * columns])
        _lay_thumb(result, tip, root, radius, skin, generator)
    return result, added


def _lay_thumb(
    light: Float32[np.ndarray, "rows columns 4"],
    tip: Float[np.ndarray, " 2"],
    root: Float[np.ndarray, " 2"],
    radius: float,
    skin: Float[np.ndarray, " 3"],
    generator: np.random.Generator,
) -> None:
    """Draw a thumb over what is there: a round rod, wider at its root, with a nail and a shadow."""
    low = np.maximum(np.minimum(tip, root) - 3 * radius, 0).astype(int)
    high = (np.maximum(tip, root) + 3 * radius).astype(int)
    light = light[low[1] : high[1], low[0] : high[0]]  # A view: what is far away stays.
    y, x = np.indices(light.shape[:2], np.float32) + low[::-1, None, None]
    length = float(np.linalg.norm(root - tip))
    along = (root - tip) / length
    far = (x - tip[0]) * along[0] + (y - tip[1]) * along[1]
    side = (y - tip[1]) * along[0] - (x - tip[0]) * along[1]
    wide = radius * (1 + 0.7 * np.clip(far / length, 0, 1) ** 0.7)
    distance = np.hypot(side, np.minimum(far, 0)) / wide  # 1 at the outline.
    cover = np.clip((1 - distance) * radius / 2, 0, 1)
    roundness = np.sqrt(np.clip(1 - distance**2, 0.02, 1))
    lit = np.clip(0.4 + 0.6 * roundness + 0.12 * side / wide, 0.1, 1.2)
    grain = cv2.GaussianBlur(generator.standard_normal(x.shape, np.float32), (0, 0), 3)
    colour = skin * (lit * (1 + 0.4 * grain))[..., None]
    nail = np.hypot(side / (0.6 * radius), (far + 0.1 * radius) / (0.75 * radius))
    is_nail = np.clip((1 - nail) * radius / 4, 0, 1)[..., None]
    colour += is_nail * (0.1 * colour + 0.03)
    near = np.clip(1.5 - distance, 0, 0.5) / 0.5
    light[..., :3] *= (1 - 0.4 * near)[..., None]
    light *= (1 - cover)[..., None]
    light[..., :3] += cover[..., None] * colour
    light[..., 3] += cover
