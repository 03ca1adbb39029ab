"""A depth map out of a face mesh: which triangle each pixel sees, and how far away it is there."""

from functools import cache
from importlib.resources import files

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int

from vivant.errors import InputError

__all__ = ["depth_map", "face_triangles"]

_SUBPIXEL_BITS = 4  # Corners are painted to a sixteenth of a pixel.
_MIN_AREA = 1e-3  # Pixels: a triangle seen from its edge has no plane.


# Outlines of what the mesh leaves open, from corner to corner and back: eyes, and between the lips.
_OPENINGS = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
)


@cache
def face_triangles() -> Int[np.ndarray, "triangles 3"]:
    """The triangles between the 468 points of MediaPipe's face mesh (NOTICE), eyes and mouth shut.

    MediaPipe leaves these open. A hole would be as far as the background, and eyes are not.
    """
    text = (files("vivant.depth") / "face_triangles.csv").read_text()
    found = [tuple(map(int, line.split(","))) for line in text.split()]
    for outline in _OPENINGS:
        lower, upper = outline[: len(outline) // 2 + 1], outline[len(outline) // 2 :][::-1]
        upper = (*outline[:1], *upper)
        for i in range(len(lower) - 1):
            found += [(lower[i], lower[i + 1], upper[i]), (upper[i], lower[i + 1], upper[i + 1])]
    triangles = np.array([t for t in found if len(set(t)) == 3], dtype=np.int64)
    triangles.setflags(write=False)
    return triangles


def depth_map(
    points: Float[np.ndarray, "468 3"], side_px: int
) -> Float32[np.ndarray, "{side_px} {side_px}"]:
    """The face's depth on each pixel of its crop (paper 3.1, Eq. 1; decision D39).

    The mesh is seen from straight ahead, without perspective. Far triangles are painted before near
    ones; each pixel then has the depth of its triangle's plane. The surface that faces the camera
    is stretched to 0..1: Eq. 1 divides by the largest depth alone, we subtract the smallest too, so
    that the farthest point of a face and the background agree. Beyond the crop it counts too: a
    nose is as near in a narrow crop as in a wide one.

    Args:
        points: The mesh: (x, y) in pixels of the crop, from its edges, and z in the same unit,
            smaller is nearer.
        side_px: Side of the crop.

    Returns:
        1 nearest, 0 farthest and wherever there is no face.

    Raises:
        InputError: a point that is not finite, or no face within the crop. Such a frame has no
            depth; it must not be taken for one of zeros, which means an attack.
    """
    if not np.isfinite(points).all():
        raise InputError("expected a mesh of finite numbers: was there a face?")
    corners = points[face_triangles()]  # (t, 3, 3)
    planes, has_plane, is_front = _planes(corners)
    if not is_front.any():
        raise InputError("the mesh shows its back: its points are not in their order")
    fixed = np.rint((corners[..., :2] - 0.5) * 2**_SUBPIXEL_BITS).astype(np.int32)
    seen = np.full((side_px, side_px), -1, np.int32)
    far_first = np.argsort(-corners[..., 2].mean(axis=1))
    for triangle in far_first[has_plane[far_first]].tolist():
        cv2.fillConvexPoly(seen, fixed[triangle], triangle, shift=_SUBPIXEL_BITS)
    rows, columns = np.nonzero(seen >= 0)
    if not len(rows):
        raise InputError(f"no point of the face is within the crop of {side_px} pixels")
    which = seen[rows, columns]
    a, b, c = planes[which].T
    z = a * (columns + 0.5) + b * (rows + 0.5) + c
    # A pixel's middle may lie beside its triangle: the plane must not shoot away there.
    nearest, farthest = corners[..., 2].min(axis=1), corners[..., 2].max(axis=1)  # (t,)
    z = np.clip(z, nearest[which], farthest[which])
    # Of the surface that faces the camera, and not of the pixels: whether a sliver at the face's
    # edge meets a pixel would change the scale of all the rest.
    least, most = (float(edge) for edge in (nearest[is_front].min(), farthest[is_front].max()))
    if most <= least:
        raise InputError("the mesh is flat: it has no depth")
    depth = np.zeros((side_px, side_px), np.float32)
    depth[rows, columns] = np.clip((most - z) / (most - least), 0, 1)
    return depth


def _planes(
    corners: Float[np.ndarray, "triangles 3 3"],
) -> tuple[Float[np.ndarray, "triangles 3"], np.ndarray, np.ndarray]:
    """Z = a x + b y + c of each triangle, whether it has one, and whether it faces the camera."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(first, second)  # (t, 3)
    has_plane = np.abs(normal[:, 2]) > 2 * _MIN_AREA
    across = np.where(has_plane, normal[:, 2], 1.0)
    a, b = -normal[:, 0] / across, -normal[:, 1] / across
    c = corners[:, 0, 2] - a * corners[:, 0, 0] - b * corners[:, 0, 1]
    return np.stack([a, b, c], axis=1), has_plane, has_plane & (normal[:, 2] < 0)
