"""How well a face was filmed, in numbers; `faults` makes named reasons of them."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vivant.faces.track import Face
from vivant.geometry.boxes import share_inside

__all__ = ["FaceQuality", "measure", "motion", "pose"]

_LARGEST = 112  # Pixels of the face at which sharpness is measured, at most.
# The points of the mesh that span the face: outer corners of the eyes, forehead and chin.
_LEFT_EYE, _RIGHT_EYE, _FOREHEAD, _CHIN = 33, 263, 10, 152


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """What is measured of a face on one frame. `QualityLimits` says what each must reach."""

    face_px: float
    """Shorter side of the face box."""
    inside: float
    """Share of the face box inside the frame, 0..1."""
    brightness: float
    """Mean luma, 0..255."""
    saturated: float
    """Share of pixels with a luma of 250 or more, 0..1."""
    contrast: float
    """Standard deviation of the luma."""
    sharpness: float
    """Standard deviation of the Laplacian over that of the luma: see `measure`."""
    yaw_deg: float
    """Turned to the side, 0 is frontal; positive towards the right of the picture."""
    pitch_deg: float
    """Turned up (positive) or down."""
    roll_deg: float
    """Tilted, clockwise as seen is positive."""
    presence_logit: float
    """What the mesh says of the face in view."""


def measure(pixels: UInt8[np.ndarray, "height width 3"], face: Face) -> FaceQuality:
    """Measure a face on its frame.

    Sharpness is measured on the face as filmed, and on no more than 112 pixels of it, so that it
    says the same of a near and a far face; divided by the contrast, so that dim light alone does
    not make a face blurred.

    Args:
        pixels: The frame, RGB, 0..255.
        face: On that frame.
    """
    height, width, _ = pixels.shape
    luma = _face_luma(pixels, face)
    contrast = float(luma.std())
    yaw, pitch, roll = pose(face.mesh.points)
    return FaceQuality(
        face_px=min(face.box.width_px, face.box.height_px),
        inside=share_inside(face.box, width, height),
        brightness=float(luma.mean()),
        saturated=float((luma >= 250).mean()),
        contrast=contrast,
        sharpness=_sharpness(luma, contrast),
        yaw_deg=yaw,
        pitch_deg=pitch,
        roll_deg=roll,
        presence_logit=face.mesh.presence_logit,
    )


def _face_luma(
    pixels: UInt8[np.ndarray, "height width 3"], face: Face
) -> UInt8[np.ndarray, "rows columns"]:
    """The part of the face box inside the frame, grey."""
    height, width, _ = pixels.shape
    x0, x1 = (min(max(round(x), 0), width) for x in (face.box.x0, face.box.x1))
    y0, y1 = (min(max(round(y), 0), height) for y in (face.box.y0, face.box.y1))
    if x1 <= x0 or y1 <= y0:  # Wholly outside: `inside` is 0 and says so.
        return np.zeros((1, 1), np.uint8)
    return np.asarray(cv2.cvtColor(pixels[y0:y1, x0:x1], cv2.COLOR_RGB2GRAY), np.uint8)


def pose(points: Float[np.ndarray, "468 3"]) -> tuple[float, float, float]:
    """Where a face looks: yaw, pitch and roll in degrees, 0 0 0 straight into the camera.

    Args:
        points: The mesh; z smaller is nearer.
    """
    across = points[_RIGHT_EYE] - points[_LEFT_EYE]
    down = points[_CHIN] - points[_FOREHEAD]
    ahead = np.cross(down, across)  # Out of the face: towards the camera, z < 0, when frontal.
    yaw = math.degrees(math.atan2(ahead[0], -ahead[2]))
    pitch = math.degrees(math.atan2(-ahead[1], math.hypot(ahead[0], ahead[2])))
    roll = math.degrees(math.atan2(across[1], across[0]))
    return yaw, pitch, roll


def motion(
    before: UInt8[np.ndarray, "height width 3"],
    after: UInt8[np.ndarray, "height width 3"],
    face: Face,
) -> float:
    """Mean change of luma within a face box from one frame to another, in grey levels."""
    change = cv2.absdiff(_face_luma(before, face), _face_luma(after, face))
    return float(change.mean())


def _sharpness(luma: UInt8[np.ndarray, "rows columns"], contrast: float) -> float:
    largest = max(luma.shape)
    if largest > _LARGEST:
        rows, columns = (max(1, round(side * _LARGEST / largest)) for side in luma.shape)
        luma = np.asarray(cv2.resize(luma, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
    laplacian = cv2.Laplacian(luma, cv2.CV_32F, ksize=1)
    return float(laplacian.std()) / contrast if contrast > 0 else 0.0
