"""How far away each pixel of a head is: the mesh's z over the face, smoothly on to the hair."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from vivant.errors import InputError

__all__ = ["check_mesh", "face_mask", "relief"]

_SMOOTH = 0.012  # Standard deviation of the last smoothing, as a share of the face's width.
_GRIDS = (32, 64, 128, 256)  # Longer sides of the grids on which hair and neck are filled in.
_SWEEPS = 150  # On each: the coarser one before has done the long way.
_STEEPEST = 2.0  # Pixels of depth from one pixel to the next: twice that folds at 15 degrees.
_REACH = 0.15  # How far past its edge a face's depth ebbs away, as a share of its width.
_MIN_SIDE_PX = 24  # A face smaller than that has no relief worth the name.


def check_mesh(points: Float[np.ndarray, "468 3"], width_px: int, height_px: int) -> None:
    """Refuse a mesh that is not one of a face in this picture.

    Raises:
        InputError: not finite, tiny, or with its middle outside.
    """
    if not np.isfinite(points).all():
        raise InputError("expected a mesh of finite numbers: was there a face?")
    side = float(np.ptp(points[:, :2], axis=0).min())
    if side < _MIN_SIDE_PX:
        raise InputError(
            f"the face is {side:.0f} pixels wide, needs {_MIN_SIDE_PX}: enlarge the picture"
        )
    x, y = points[:, :2].mean(axis=0)
    if not (0 <= x < width_px and 0 <= y < height_px):
        raise InputError(
            f"the face's middle ({x:.0f}, {y:.0f}) is outside the picture of "
            f"{width_px}x{height_px}: expected the mesh in pixels of this picture"
        )


def face_mask(
    points: Float[np.ndarray, "468 3"], width_px: int, height_px: int
) -> Bool[np.ndarray, "{height_px} {width_px}"]:
    """Pixels inside the mesh's outline."""
    hull = cv2.convexHull(points[:, :2].astype(np.float32))
    mask = np.zeros((height_px, width_px), np.uint8)
    cv2.fillConvexPoly(mask, np.rint(hull).astype(np.int32), 1)
    return mask.astype(bool)


def relief(
    points: Float[np.ndarray, "468 3"],
    head: Float32[np.ndarray, "height width"],
    outside_z: float,
) -> Float32[np.ndarray, "height width"]:
    """Depth of every pixel, in pixels, smaller is nearer.

    Over the face it is the mesh's, linear between its points. Beyond the head it is `outside_z`.
    Between the two, on hair and neck and a little past the jaw, it is the smoothest surface that
    meets both (harmonic). Where the mesh turns away too steeply, as before the ears, it is made
    less deep: it would fold when the head is turned.

    Args:
        points: The mesh in pixels of the picture.
        head: How much of each pixel is head (hair and face), 0..1.
        outside_z: Depth of the head's outline, where one sees past it.
    """
    height, width = head.shape
    face = face_mask(points, width, height)
    depth = np.full((height, width), outside_z, np.float32)
    within = _triangles_z(points, width, height)
    inside = face & np.isfinite(within)
    depth[inside] = within[inside]
    face_width = float(np.ptp(points[:, 0]))
    distance = cv2.distanceTransform((~face).astype(np.uint8), cv2.DIST_L2, 5)
    is_known = inside | ((head < 0.5) & (distance > _REACH * face_width))
    filled = _flattened(_harmonic(depth, is_known))
    return np.asarray(cv2.GaussianBlur(filled, (0, 0), _SMOOTH * face_width), np.float32)


def _triangles_z(
    points: Float[np.ndarray, "468 3"], width: int, height: int
) -> Float32[np.ndarray, "{height} {width}"]:
    """Depth on the Delaunay triangles of the points, NaN beyond them."""
    triangles = _delaunay(points[:, :2])
    which = np.full((height, width), -1, np.int32)
    for number, corners in enumerate(triangles):
        cv2.fillConvexPoly(which, np.rint(points[corners, :2]).astype(np.int32), number)
    # The plane of each triangle: z = a x + b y + c.
    ones = np.ones((*triangles.shape, 1))
    system = np.concatenate([points[triangles][..., :2], ones], axis=-1)  # (t, 3, 3)
    planes = np.linalg.solve(system, points[triangles][..., 2:])[..., 0]  # (t, 3)
    rows, columns = np.nonzero(which >= 0)
    a, b, c = planes[which[rows, columns]].T
    depth = np.full((height, width), np.nan, np.float32)
    # A rounded corner may lie outside its triangle: the plane must not shoot away there.
    depth[rows, columns] = np.clip(
        a * columns + b * rows + c, points[:, 2].min(), points[:, 2].max()
    )
    return depth


def _delaunay(places: Float[np.ndarray, "468 2"]) -> Int[np.ndarray, "triangles 3"]:
    low, high = np.floor(places.min(axis=0)) - 2, np.ceil(places.max(axis=0)) + 2
    shifted = (places - low).astype(np.float32)
    size = (high - low).astype(int)
    subdivision = cv2.Subdiv2D((0, 0, int(size[0]), int(size[1])))
    number = {}
    for at, place in enumerate(shifted):
        number[subdivision.insert((float(place[0]), float(place[1])))] = at
    found = []
    for x0, y0, x1, y1, x2, y2 in subdivision.getTriangleList():
        corners = []
        for corner in ((x0, y0), (x1, y1), (x2, y2)):
            distances = np.abs(shifted - corner).sum(axis=1)
            nearest = int(distances.argmin())
            if distances[nearest] < 1e-3:
                corners.append(nearest)
        if len(corners) == 3 and _area(places[corners]) > 0.05:
            found.append(corners)
    return np.array(found, np.int64).reshape(-1, 3)


def _area(corners: Float[np.ndarray, "3 2"]) -> float:
    (ax, ay), (bx, by) = corners[1] - corners[0], corners[2] - corners[0]
    return abs(float(ax * by - ay * bx)) / 2


def _harmonic(
    values: Float32[np.ndarray, "height width"], is_known: Bool[np.ndarray, "height width"]
) -> Float32[np.ndarray, "height width"]:
    """Laplace's equation between what is known, from coarse grids to fine ones."""
    height, width = values.shape
    kernel = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4
    guess = np.full((1, 1), values[is_known].mean(), np.float32)
    for side in _GRIDS:
        shrink = min(1.0, side / max(height, width))
        size = (max(2, round(width * shrink)), max(2, round(height * shrink)))
        share = cv2.resize(is_known.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        total = cv2.resize(values * is_known, size, interpolation=cv2.INTER_AREA)
        fixed = share > 0.5
        known = total / np.maximum(share, 1e-6)
        guess = np.asarray(cv2.resize(guess, size, interpolation=cv2.INTER_LINEAR), np.float32)
        for _ in range(_SWEEPS):
            guess = np.where(fixed, known, guess)
            guess = np.asarray(
                cv2.filter2D(guess, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.float32
            )
    fine = cv2.resize(guess, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(is_known, values, fine).astype(np.float32)


def _flattened(depth: Float32[np.ndarray, "height width"]) -> Float32[np.ndarray, "height width"]:
    """The deepest surface in front of this one that is nowhere steeper than `_STEEPEST`."""
    kernels = [
        cv2.getStructuringElement(shape, (3, 3)) for shape in (cv2.MORPH_CROSS, cv2.MORPH_RECT)
    ]  # Alternately: what they grow together is about round.
    steps = int(np.ptp(depth) / _STEEPEST) + 1
    for step in range(steps):
        nearer = cv2.erode(depth, kernels[step % 2]) + np.float32(_STEEPEST)
        depth = np.minimum(depth, nearer)
    return depth
