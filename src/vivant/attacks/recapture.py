"""A flat thing held before a camera: where it is seen, and the light that comes from it.

All of a plane moves by one homography. That is what gives it away: nothing on it moves against
anything else, as a nose does against the ears.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32

from vivant.attacks.pose import Pose
from vivant.errors import InputError

__all__ = ["Sheet", "before_scene", "homography", "project"]

_FINE = 2  # Samples along a side of each pixel of the frame.
_FOCAL = 1.2  # Of the camera, as a multiple of the frame's longer side: about 45 degrees.


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """Something flat."""

    light: Float32[np.ndarray, "rows columns 4"]
    """Linear RGB times cover, and cover 0..1: what is beyond its edges covers nothing."""
    density: float
    """Pixels of the sheet for one of the frame when the sheet faces the camera at scale 1."""

    def __post_init__(self) -> None:
        if not self.density > 0:
            raise InputError(f"expected a density above 0, got {self.density}")


def homography(
    pose: Pose, sheet_size: tuple[int, int], density: float, frame_size: tuple[int, int]
) -> Float[np.ndarray, "3 3"]:
    """From pixels of a sheet to pixels of the frame, for columns (x, y, 1).

    The sheet turns about its middle, which is in the frame's middle when nothing is moved.

    Args:
        pose: Of the sheet.
        sheet_size: (width, height) of the sheet in its own pixels.
        density: Of the sheet: see `Sheet`.
        frame_size: (width, height) of the frame in pixels.

    Raises:
        InputError: the sheet is turned so far that a corner is behind the camera.
    """
    focal = _FOCAL * max(frame_size)
    size = pose.scale / density
    turn = pose.rotation()
    distance = np.array([pose.x_px, pose.y_px, focal])
    # At `distance` one unit is one pixel: x = focal * X / Z.
    camera = np.array(
        [[focal, 0, (frame_size[0] - 1) / 2], [0, focal, (frame_size[1] - 1) / 2], [0, 0, 1]]
    )
    place = np.column_stack([size * turn[:, 0], size * turn[:, 1], distance])
    middle = np.array(
        [[1, 0, -(sheet_size[0] - 1) / 2], [0, 1, -(sheet_size[1] - 1) / 2], [0, 0, 1]]
    )
    result = camera @ place @ middle
    width, height = sheet_size
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]]).T
    if (result @ corners)[2].min() <= 0.1 * focal:
        raise InputError(f"the sheet reaches behind the camera: turn it less than {pose}")
    return np.asarray(result / result[2, 2])


def project(
    sheet: Sheet, to_frame: Float[np.ndarray, "3 3"], frame_size: tuple[int, int]
) -> Float32[np.ndarray, "height width 4"]:
    """A sheet as the frame sees it, averaged over the area of each pixel.

    Args:
        sheet: What is held before the camera.
        to_frame: From `homography`.
        frame_size: (width, height) in pixels.

    Returns:
        Linear RGB times cover, and cover.
    """
    width, height = frame_size
    # Pixel centres lie at halves: 0 of the frame is 0.5 of the fine one, where a side has two.
    finer = np.array([[_FINE, 0, (_FINE - 1) / 2], [0, _FINE, (_FINE - 1) / 2], [0, 0, 1.0]])
    fine = cv2.warpPerspective(
        sheet.light, finer @ to_frame, (_FINE * width, _FINE * height), flags=cv2.INTER_LINEAR
    )
    return np.asarray(cv2.resize(fine, frame_size, interpolation=cv2.INTER_AREA), np.float32)


def before_scene(
    seen: Float32[np.ndarray, "height width 4"], scene: Float32[np.ndarray, "height width 3"]
) -> Float32[np.ndarray, "height width 3"]:
    """What is seen of a sheet, laid over what is behind it.

    Args:
        seen: Linear RGB times cover, and cover.
        scene: Linear RGB of what is behind.
    """
    result = np.asarray(scene * (1 - seen[..., 3:]), np.float32)
    result += seen[..., :3]
    return result
