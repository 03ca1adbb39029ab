"""A still face moved in three dimensions, before a background that is further away.

The person is lifted off the background (`layers`), gets a depth (`relief`) and is turned about the
neck: the head rigidly, the neck less and less, the body not at all. So the nose moves more than
the ears, the head covers and uncovers what is behind it, and nothing tears.
"""

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from vivant.attacks.eyelids import close_eyelids
from vivant.attacks.layers import separate
from vivant.attacks.pose import Pose
from vivant.attacks.relief import check_mesh, face_mask, relief
from vivant.errors import InputError

__all__ = ["MovingHead", "Turning"]

_LEFT_EAR, _RIGHT_EAR, _CHIN = 234, 454, 152
_NECK = 0.45  # Over which the turning fades out below the jaw, as a share of the face's height.
_COARSE = 2  # Pixels of the picture along a side of one whose source is searched for.
_ROUNDS = 7  # Of the search for where a pixel comes from: each leaves a third of the error.
_MAX_YAW_DEG, _MAX_PITCH_DEG = 25, 20  # Beyond, one would see what the picture does not show.


class Turning:
    """A head in a picture that can be turned: where each pixel of the turned picture comes from.

    Args:
        points: The face's mesh in pixels of the picture, z in the same unit, smaller is nearer.
        cover: How much of each pixel of the picture is the person, 0..1.

    Raises:
        InputError: the mesh is not one of a face in this picture.
    """

    def __init__(
        self, points: Float[np.ndarray, "468 3"], cover: Float32[np.ndarray, "height width"]
    ) -> None:
        height, width = cover.shape
        check_mesh(points, width, height)
        points = points.astype(np.float64)
        self.pivot: Float[np.ndarray, " 3"] = points[[_LEFT_EAR, _RIGHT_EAR]].mean(axis=0)
        """(x, y, z) about which the head turns: between the ears."""
        follows = _follows(points, width, height)
        self.depth = relief(points, cover * (follows > 0.5), float(self.pivot[2]))
        """Of each pixel, smaller is nearer."""
        # Half as fine: both change slowly, and it takes a quarter of the time.
        self._size = (width, height)
        self._half = (max(1, width // _COARSE), max(1, height // _COARSE))
        self._follows = self.coarse(follows)
        columns, rows = (
            axis.astype(np.float32) for axis in np.meshgrid(np.arange(width), np.arange(height))
        )
        x0, y0, z0 = (float(value) for value in self.pivot)
        self._columns, self._rows = self.coarse(columns), self.coarse(rows)
        self._offsets = [
            self._follows * (offset - at)
            for offset, at in (
                (self._columns, x0),
                (self._rows, y0),
                (self.coarse(self.depth), z0),
            )
        ]

    def coarse(
        self, values: Float32[np.ndarray, "height width"]
    ) -> Float32[np.ndarray, "rows columns"]:
        """Values of the picture's pixels, as fine as the sources are computed."""
        return np.asarray(cv2.resize(values, self._half, interpolation=cv2.INTER_AREA), np.float32)

    def sources(
        self, pose: Pose, also: Float32[np.ndarray, "rows columns 2"] | None = None
    ) -> tuple[Float32[np.ndarray, "height width"], Float32[np.ndarray, "height width"]]:
        """For each pixel of the new picture, where in the old one it comes from: (columns, rows).

        A pixel at p goes to p + d(p). Which one comes to q? p = q - d(p), tried until it stays:
        d changes by less than a pixel from one to the next, so it does.

        Args:
            pose: As for `MovingHead.frame`.
            also: What else moves, such as lips: added to d, as fine as `coarse`.

        Raises:
            InputError: turned further than a picture from the front allows.
        """
        if abs(pose.yaw_deg) > _MAX_YAW_DEG or abs(pose.pitch_deg) > _MAX_PITCH_DEG:
            raise InputError(
                f"expected a yaw within {_MAX_YAW_DEG} and a pitch within {_MAX_PITCH_DEG} "
                f"degrees, got {pose.yaw_deg:.1f} and {pose.pitch_deg:.1f}: the picture does not "
                "show what would come into view"
            )
        x0, y0, _ = (float(value) for value in self.pivot)
        turn = (pose.rotation() - np.eye(3)).astype(np.float32)
        moves = np.empty((*self._columns.shape, 2), np.float32)
        for axis in (0, 1):
            moves[..., axis] = sum(turn[axis, i] * offset for i, offset in enumerate(self._offsets))
        if also is not None:
            moves += also
        to_half_x, to_half_y = (
            np.float32(half / full) for half, full in zip(self._half, self._size, strict=True)
        )
        wanted_x = np.float32(x0) + (self._columns - np.float32(pose.x_px + x0)) / pose.scale
        wanted_y = np.float32(y0) + (self._rows - np.float32(pose.y_px + y0)) / pose.scale
        here = np.zeros_like(moves)
        for _ in range(_ROUNDS):
            here = cv2.remap(
                moves,
                (wanted_x - here[..., 0] + 0.5) * to_half_x - 0.5,
                (wanted_y - here[..., 1] + 0.5) * to_half_y - 0.5,
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
        moved = cv2.resize(here, self._size, interpolation=cv2.INTER_LINEAR)
        width, height = self._size
        full_x = x0 + (np.arange(width, dtype=np.float32) - pose.x_px - x0) / pose.scale
        full_y = y0 + (np.arange(height, dtype=np.float32) - pose.y_px - y0) / pose.scale
        columns = full_x.astype(np.float32) - moved[..., 0]
        rows = full_y.astype(np.float32)[:, None] - moved[..., 1]
        return np.asarray(columns, np.float32), np.asarray(rows, np.float32)


class MovingHead:
    """A picture of a person whose head can be turned.

    Args:
        pixels: RGB, 0..255. Leave more of the person at the lower and the side edges than is to be
            shown: what moves in there is made up.
        points: The face's mesh in pixels of the picture, z in the same unit, smaller is nearer.

    Raises:
        InputError: the mesh is not one of a face in this picture.
    """

    def __init__(
        self, pixels: UInt8[np.ndarray, "height width 3"], points: Float[np.ndarray, "468 3"]
    ) -> None:
        height, width, _ = pixels.shape
        check_mesh(points, width, height)
        self._points = points.astype(np.float64)
        layers = separate(pixels, self._points)
        self._person = np.dstack([layers.person, layers.cover])  # (height, width, 4)
        self._background = layers.background
        self._turning = Turning(self._points, layers.cover)
        self.pivot = self._turning.pivot
        """(x, y, z) about which the head turns: between the ears."""

    def frame(
        self, pose: Pose, eyelids: float = 0.0, background_px: tuple[float, float] = (0.0, 0.0)
    ) -> UInt8[np.ndarray, "height width 3"]:
        """The picture with the head in another pose.

        Args:
            pose: Yaw, pitch and roll are the head's; the shift and the scale, about the pivot, the
                whole person's.
            eyelids: 0 as in the picture, 1 closed.
            background_px: How far what lies behind is moved to the right and down.

        Raises:
            InputError: turned further than a picture from the front allows.
        """
        if not 0 <= eyelids <= 1:
            raise InputError(f"expected eyelids in 0..1 (1 is closed), got {eyelids}")
        columns, rows = self._turning.sources(pose)
        still = self._person
        if eyelids > 0:
            still = close_eyelids(still, self._points, eyelids)
        person = cv2.remap(still, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        background = self._background
        if background_px != (0.0, 0.0):
            shift = np.array([[1, 0, background_px[0]], [0, 1, background_px[1]]])
            background = np.asarray(
                cv2.warpAffine(
                    background, shift, background.shape[1::-1], borderMode=cv2.BORDER_REFLECT_101
                ),
                np.float32,
            )
        cover = np.clip(person[..., 3:], 0, 1)
        both = person[..., :3] + (1 - cover) * background
        return np.asarray(np.clip(np.rint(both), 0, 255), np.uint8)

    def move(self, points: Float[np.ndarray, "n 3"], pose: Pose) -> Float[np.ndarray, "n 2"]:
        """Where points of the head are seen in a pose: (x, y) in pixels (scaled orthography).

        Args:
            points: Of the head in the picture: (x, y, z).
            pose: As for `frame`.
        """
        turned = (points - self.pivot) @ pose.rotation().T
        return np.asarray(
            self.pivot[:2] + pose.scale * turned[:, :2] + np.array([pose.x_px, pose.y_px])
        )


def _follows(
    points: Float[np.ndarray, "468 3"], width: int, height: int
) -> Float32[np.ndarray, "{height} {width}"]:
    """How much each pixel turns with the head: 1 for face and hair, down to 0 at the shoulders."""
    face = face_mask(points, width, height)
    distance = cv2.distanceTransform((~face).astype(np.uint8), cv2.DIST_L2, 5)
    ears_y = float(points[[_LEFT_EAR, _RIGHT_EAR], 1].mean())
    chin_y = float(points[_CHIN, 1])
    face_height = float(np.ptp(points[:, 1]))
    # Above the mouth all is head. Further down only what is near the jaw follows.
    level = np.arange(height, dtype=np.float32)[:, None]
    below = np.clip((level - ears_y) / max(chin_y - ears_y, 1.0), 0, 1)
    away = np.clip(distance * below / (_NECK * face_height), 0, 1)
    return np.asarray((1 + np.cos(np.pi * away)) / 2, np.float32)
