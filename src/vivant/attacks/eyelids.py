"""Eyelids that close, the skin above an eye drawn down over it; and which eyes are open."""

import cv2
import numpy as np
from jaxtyping import Float, Float32

__all__ = ["close_eyelids", "most_open"]

_FINE = 4  # Samples along a side of each pixel: a lash line is thinner than one.
# Points of the mesh along the upper and the lower lid, and the brow: eye on the left of the
# picture, and on the right.
_EYES = (
    ((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133), 52),
    (
        (263, 466, 388, 387, 386, 385, 384, 398, 362),
        (263, 249, 390, 373, 374, 380, 381, 382, 362),
        282,
    ),
)
# Of each eye: the middles of the upper and the lower lid, and the corners.
_OPENINGS = ((159, 145, 33, 133), (386, 374, 263, 362))


def most_open(meshes: Float[np.ndarray, "pictures 468 2"]) -> int:
    """The picture to print of a clip: nobody chooses one in mid-blink.

    An eye is as open as its lids are apart against its width; of two, the less open one counts.

    Args:
        meshes: (x, y) in pixels of each picture.

    Returns:
        Its number, from 0; the first of equals.
    """
    openness = []
    for upper, lower, outer, inner in _OPENINGS:
        apart = np.linalg.norm(meshes[:, upper] - meshes[:, lower], axis=-1)
        width = np.linalg.norm(meshes[:, outer] - meshes[:, inner], axis=-1)
        openness.append(apart / np.maximum(width, 1e-6))
    return int(np.min(openness, axis=0).argmax())


def close_eyelids(
    picture: Float32[np.ndarray, "height width channels"],
    points: Float[np.ndarray, "468 3"],
    closed: float,
) -> Float32[np.ndarray, "height width channels"]:
    """The picture with its eyes closed, or half closed.

    Between brow and lash line the skin is stretched down; below the lash line nothing moves, so
    the eye is covered and not squeezed.

    Args:
        picture: Of a face that is about upright.
        points: The mesh in pixels of the picture.
        closed: 0 as in the picture, 1 closed.
    """
    height, width, _ = picture.shape
    result = picture.copy()
    for upper, lower, brow in _EYES:
        above, under = (points[list(lid), :2] for lid in (upper, lower))
        above, under = above[above[:, 0].argsort()], under[under[:, 0].argsort()]
        top = float(points[brow, 1])
        x0, x1 = max(int(above[0, 0]), 0), min(int(above[-1, 0]) + 2, width)
        y0, y1 = max(int(top), 0), min(int(under[:, 1].max()) + 2, height)
        if x1 <= x0 or y1 <= y0:
            continue
        x = (x0 - 0.5 + (np.arange(_FINE * (x1 - x0)) + 0.5) / _FINE)[None]
        y = (y0 - 0.5 + (np.arange(_FINE * (y1 - y0)) + 0.5) / _FINE)[:, None]
        lash = np.interp(x, above[:, 0], above[:, 1])
        moved = lash + closed * np.maximum(np.interp(x, under[:, 0], under[:, 1]) - lash, 0)
        stretch = (lash - top) / np.maximum(moved - top, 1e-3)
        is_skin = (y > top) & (y < moved) & (lash > top)
        rows = np.where(is_skin, top + (y - top) * stretch, y).astype(np.float32)
        columns = np.broadcast_to(x, rows.shape).astype(np.float32)
        fine = cv2.remap(picture, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        result[y0:y1, x0:x1] = cv2.resize(fine, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    return result
