"""468 points of a face's surface, and whether there is a face at all (MediaPipe's FaceMesh)."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vivant.faces.graph import Graph, packaged
from vivant.records import FaceBox

__all__ = ["FaceMesh", "Mesh", "Region", "region_of_box", "region_of_points"]

_SIDE = 192
_MARGIN = 1.5  # Side of the region as a multiple of the face's longer side, as in MediaPipe.
# Corners of the eyes that lie outwards: on the left of the picture, and on the right.
_LEFT_EYE, _RIGHT_EYE = 33, 263


@dataclass(frozen=True, slots=True)
class Region:
    """The turned square of a frame that the mesh looks at."""

    x: float
    """Of its middle, in pixels of the frame."""
    y: float
    """Of its middle."""
    side_px: float
    angle_rad: float
    """By which the face is turned, clockwise as seen."""

    def to_square(self) -> Float[np.ndarray, "2 3"]:
        """The affine map from points of the frame to points of the upright 192x192 square.

        Points, not pixels: the upper left pixel goes from (0, 0) to (1, 1).
        """
        scale = _SIDE / self.side_px
        cos, sin = scale * math.cos(self.angle_rad), scale * math.sin(self.angle_rad)
        shift_x = _SIDE / 2 - cos * self.x - sin * self.y  # The middle goes to the middle.
        shift_y = _SIDE / 2 + sin * self.x - cos * self.y
        return np.array([[cos, sin, shift_x], [-sin, cos, shift_y]])


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """A face's surface on one frame."""

    points: Float[np.ndarray, "468 3"]
    """(x, y) in pixels of the frame, from its upper left corner, and z in the same unit: smaller is
    nearer to the camera."""
    presence_logit: float
    """Whether there is a face, and how much of it is seen: below 0 there is none, a face half
    covered has 4 to 12, one in full view 12 to 32 (measured on clips with hands before faces)."""
    upright: UInt8[np.ndarray, "192 192 3"]
    """What the mesh was fitted to: the face turned upright, RGB."""


class FaceMesh:
    """MediaPipe's FaceMesh, which ships with the package. Safe to call from several threads."""

    def __init__(self) -> None:
        self._graph = Graph(packaged("face_mesh.onnx"), "face_mesh.onnx")

    def fit(self, pixels: UInt8[np.ndarray, "height width 3"], region: Region) -> Mesh:
        """Fit the mesh to what is in a region; look at `presence_logit` before using the points.

        Args:
            pixels: RGB, 0..255.
            region: Where to look; it may reach beyond the frame.
        """
        to_square = region.to_square()
        of_pixels = to_square.copy()  # OpenCV counts from the middle of the first pixel.
        of_pixels[:, 2] += to_square[:, :2].sum(axis=1) / 2 - 0.5
        upright = cv2.warpAffine(pixels, of_pixels, (_SIDE, _SIDE))  # Bilinear, black outside.
        landmarks, logit = self._graph.run(upright[None])
        found = landmarks[0].astype(np.float64)
        to_frame = cv2.invertAffineTransform(to_square)
        points = np.empty_like(found)
        points[:, :2] = found[:, :2] @ to_frame[:, :2].T + to_frame[:, 2]
        points[:, 2] = found[:, 2] * region.side_px / _SIDE
        return Mesh(points, float(logit.reshape(-1)[0]), np.asarray(upright, np.uint8))


def region_of_box(box: FaceBox, eyes: Float[np.ndarray, "2 2"]) -> Region:
    """Where to look for the mesh of a detected face."""
    x, y = box.centre
    return Region(x, y, _MARGIN * max(box.width_px, box.height_px), _angle(eyes[0], eyes[1]))


def region_of_points(points: Float[np.ndarray, "468 3"]) -> Region:
    """Where to look on the next frame: about the face, where it was on this one."""
    angle = _angle(points[_LEFT_EYE], points[_RIGHT_EYE])
    cos, sin = math.cos(angle), math.sin(angle)
    upright = points[:, :2] @ np.array([[cos, -sin], [sin, cos]])  # Turned back by the angle.
    low, high = upright.min(axis=0), upright.max(axis=0)
    middle_x, middle_y = (low + high) / 2
    return Region(
        float(cos * middle_x - sin * middle_y),
        float(sin * middle_x + cos * middle_y),
        float(_MARGIN * (high - low).max()),
        angle,
    )


def _angle(left: Float[np.ndarray, " d"], right: Float[np.ndarray, " d"]) -> float:
    """By which the line from eye to eye is turned, clockwise as seen, in radians."""
    return math.atan2(float(right[1] - left[1]), float(right[0] - left[0]))
