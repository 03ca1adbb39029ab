"""A synthetic person in motion: turned, lit, blinking, on nothing."""

import cv2
import numpy as np
from jaxtyping import Float, Float32

from vivant.attacks.eyelids import close_eyelids
from vivant.attacks.figure import Figure
from vivant.attacks.light import Light, shading
from vivant.attacks.motion import Turning
from vivant.attacks.pose import Pose
from vivant.attacks.relief import face_mask

__all__ = ["Person"]

_CORNERS, _BROWS, _INNER_BROWS = (61, 291), (105, 334), (107, 336)
_CHIN = 152
_RELIEF_SPREAD = 0.02  # Smoothing before the slopes of a face's depth: share of its width.
_HEAD = (0.68, 0.95)  # Half axes of a head, across and down, as multiples of the face's width.
_MESH = 0.8  # How much the mesh's slopes count inside of the face.


class Person:
    """Somebody who can be filmed. Made once, filmed as often as wanted.

    Args:
        figure: Who.
    """

    def __init__(self, figure: Figure) -> None:
        self._figure = figure
        self._turning = Turning(figure.points, np.ascontiguousarray(figure.light[..., 3]))
        self.points = figure.points
        """The face's mesh at rest, in pixels."""
        normals = _normals(self._turning.depth, figure.points)
        self._normals = np.dstack([self._turning.coarse(part) for part in cv2.split(normals)])
        self._skin = self._turning.coarse(figure.skin)
        self._smile, self._raise = self._expressions()

    def seen(
        self,
        pose: Pose,
        light: Light,
        eyelids: float = 0.0,
        smile: float = 0.0,
        brows: float = 0.0,
    ) -> Float32[np.ndarray, "height width 4"]:
        """The person as a camera would see it: linear RGB times cover, and cover.

        Args:
            pose: Yaw, pitch and roll are the head's; shift and scale the whole person's.
            light: What falls on it; its level and colour are the camera's business.
            eyelids: 0 open, 1 closed.
            smile: -1..1, 0 is at rest.
            brows: -1..1, 0 is at rest.

        Raises:
            InputError: turned further than a picture from the front allows.
        """
        columns, rows = self._turning.sources(
            pose, np.float32(smile) * self._smile + np.float32(brows) * self._raise
        )
        still = self._figure.light
        if eyelids > 0:
            still = close_eyelids(still, self.points, eyelids)
        # Turned with the head, as the light is not.
        turned = self._normals @ pose.rotation().T.astype(np.float32)
        factor, shine = shading(turned, light)
        one = np.ones_like(factor)
        shine *= self._skin
        lit = cv2.multiply(still, self._fine([factor, factor, factor, one]))
        lit = cv2.add(lit, self._fine([shine, shine, shine, 0 * one]))
        seen = cv2.remap(lit, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        np.maximum(seen, 0, out=seen)  # A cubic shoots over.
        np.minimum(seen[..., 3], 1, out=seen[..., 3])
        return np.asarray(seen, np.float32)

    def mesh(self, pose: Pose) -> Float[np.ndarray, "468 2"]:
        """Where the face's mesh is in a pose, (x, y) in pixels, without smile and blinks."""
        turned = (self.points - self._turning.pivot) @ pose.rotation().T
        shift = np.array([pose.x_px, pose.y_px])
        return np.asarray(self._turning.pivot[:2] + pose.scale * turned[:, :2] + shift)

    def _fine(
        self, channels: list[Float32[np.ndarray, "rows columns"]]
    ) -> Float32[np.ndarray, "height width 4"]:
        """Four coarse maps, as large as the picture."""
        size = self._figure.skin.shape[::-1]
        fine = cv2.resize(np.dstack(channels), size, interpolation=cv2.INTER_LINEAR)
        return np.asarray(fine, np.float32)

    def _expressions(
        self,
    ) -> tuple[Float32[np.ndarray, "rows columns 2"], Float32[np.ndarray, "rows columns 2"]]:
        """How pixels move when the mouth's corners go out and up, and when the brows go up."""
        height, width = self._figure.skin.shape
        face = float(np.ptp(self.points[:, 0]))
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        smile, lift = (np.zeros((height, width, 2), np.float32) for _ in range(2))

        def near(point: int, spread: float) -> Float32[np.ndarray, "height width"]:
            off = (x - self.points[point, 0]) ** 2 + (y - self.points[point, 1]) ** 2
            return np.asarray(np.exp(-off / (2 * (spread * face) ** 2)), np.float32)

        for corner, direction in zip(_CORNERS, (-1, 1), strict=True):
            there = near(corner, 0.09) * np.float32(0.03 * face)
            smile[..., 0] += direction * there
            smile[..., 1] -= np.float32(0.7) * there
        for brow in (*_BROWS, *_INNER_BROWS):
            lift[..., 1] -= near(brow, 0.08) * np.float32(0.018 * face)
        return tuple(  # type: ignore[return-value]
            np.dstack([self._turning.coarse(part) for part in cv2.split(each)])
            for each in (smile, lift)
        )


def _normals(
    depth: Float32[np.ndarray, "height width"], points: Float[np.ndarray, "468 3"]
) -> Float32[np.ndarray, "height width 3"]:
    """Which way each pixel faces; z < 0 is towards the camera.

    A head is about an ellipsoid; within the face the mesh's slopes are added. At the face's edge
    they end: there the mesh turns away and what follows is made up.
    """
    height, width = depth.shape
    face_px = float(np.ptp(points[:, 0]))
    middle = points.mean(axis=0)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    across = (x - middle[0]) / (_HEAD[0] * face_px)
    down = (y - middle[1]) / (_HEAD[1] * face_px)
    across, down = (np.clip(part, -0.85, 0.85) for part in (across, down))
    below = np.clip((y - points[_CHIN, 1]) / (0.15 * face_px), 0, 1)
    # Neck and shoulders stand upright, and are wider than a head.
    down, across = down * (1 - below), across * (1 - 0.5 * below)
    soft = cv2.GaussianBlur(depth, (0, 0), _RELIEF_SPREAD * face_px)
    slope_x = cv2.Sobel(soft, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    slope_y = cv2.Sobel(soft, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    inner = cv2.distanceTransform(face_mask(points, width, height).astype(np.uint8), cv2.DIST_L2, 5)
    share = np.clip((inner / face_px - 0.06) / 0.14, 0, 1)
    share *= share * (3 - 2 * share)
    # Depth grows away from the camera: what falls back to the right faces to the right.
    ahead = -np.sqrt(np.maximum(1 - across**2 - down**2, 0.15))
    normals = np.dstack(
        [
            across / -ahead + share * (np.clip(slope_x, -1.5, 1.5) - across / -ahead) * _MESH,
            down / -ahead + share * (np.clip(slope_y, -1.5, 1.5) - down / -ahead) * _MESH,
            -np.ones_like(soft),
        ]
    )
    return np.asarray(normals / np.linalg.norm(normals, axis=-1, keepdims=True), np.float32)
