"""A flat or bent thing held before a camera: where on it each pixel of the frame looks.

All of a plane moves by one homography. That is what gives it away: nothing on it moves against
anything else, as a nose does against the ears. A sheet of paper can be bent, but only about one
axis: a piece of a cylinder.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Float, Float32

from vivant.attacks.pose import Pose
from vivant.errors import InputError

__all__ = [
    "Bend",
    "Lens",
    "Places",
    "Sheet",
    "before_scene",
    "lay_over",
    "light_up",
    "locate",
    "project",
    "three",
]

_FOCAL = 1.2  # Of the camera, as a multiple of the frame's longer side: about 45 degrees.
_STEP_PX = 8  # Places are worked out on a grid. Between, they are right to 0.01 pixels, bent 0.1.
_MAX_BEND_DEG = 120


@dataclass(frozen=True, slots=True)
class Bend:
    """Of a sheet about one axis; flat by default."""

    angle_deg: float = 0.0
    """By which the two sides are turned to each other; above 0 the middle is nearest."""
    axis_deg: float = 0.0
    """By which the axis is turned from upright, clockwise as seen."""

    def __post_init__(self) -> None:
        if not (abs(self.angle_deg) <= _MAX_BEND_DEG and math.isfinite(self.axis_deg)):
            raise InputError(f"expected a bend of at most {_MAX_BEND_DEG} degrees, got {self}")


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """Something flat, or that was before it was bent."""

    light: Float32[np.ndarray, "rows columns 4"]
    """Linear RGB times cover, and cover 0..1: what is beyond its edges covers nothing. What is
    finer than a pixel of the frame must not be in it: nothing averages it."""
    density: float
    """Pixels of the sheet for one of the frame when the sheet faces the camera at scale 1."""

    def __post_init__(self) -> None:
        if not self.density > 0:
            raise InputError(f"expected a density above 0, got {self.density}")


@dataclass(frozen=True, slots=True)
class Lens:
    """Where a pinhole camera sees what."""

    width: int
    """Of the frame, in pixels."""
    height: int

    @property
    def focal_px(self) -> float:
        """At this distance one unit of space is one pixel."""
        return _FOCAL * max(self.width, self.height)

    def see(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
        """(x, y) in pixels of points in space."""
        middle = np.array([(self.width - 1) / 2, (self.height - 1) / 2])
        return np.asarray(self.focal_px * points[:, :2] / points[:, 2:] + middle)

    def rays(
        self, x: Float[np.ndarray, " columns"], y: Float[np.ndarray, " rows"]
    ) -> Float[np.ndarray, "rows columns 3"]:
        """From the camera through pixels: one unit deep."""
        across, down = np.meshgrid(
            (x - (self.width - 1) / 2) / self.focal_px, (y - (self.height - 1) / 2) / self.focal_px
        )
        return np.dstack([across, down, np.ones_like(across)])


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where on a sheet each pixel of a part of the frame looks."""

    top: int
    """Of the part: its first row in the frame."""
    left: int
    columns: Float32[np.ndarray, "height width"]
    """In pixels of the sheet; beyond its edges where there is no sheet."""
    rows: Float32[np.ndarray, "height width"]
    coarse: Float[np.ndarray, "coarse_rows coarse_columns 2"]
    """Columns and rows again, on a grid that reaches from corner to corner of the part."""
    normals: Float[np.ndarray, "coarse_rows coarse_columns 3"]
    """On the grid: which way the sheet faces; x to the right, y down, z away from the camera."""
    rays: Float[np.ndarray, "coarse_rows coarse_columns 3"]
    """On the grid: which way the camera looks."""

    @property
    def part(self) -> tuple[slice, slice]:
        """Rows and columns of the frame."""
        height, width = self.columns.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    def spread(
        self, coarse: Float[np.ndarray, "coarse_rows coarse_columns"]
    ) -> Float32[np.ndarray, "height width"]:
        """What is known on the grid, for every pixel of the part."""
        return _spread(coarse, self.columns.shape)

    def mirrored(self) -> Float[np.ndarray, "coarse_rows coarse_columns 3"]:
        """On the grid: where a mirror in place of the sheet would look; of length 1."""
        along = (self.rays * self.normals).sum(axis=-1, keepdims=True)
        reflected = self.rays - 2 * along * self.normals
        return np.asarray(reflected / np.linalg.norm(reflected, axis=-1, keepdims=True))


def locate(
    pose: Pose,
    sheet_size: tuple[int, int],
    density: float,
    lens: Lens,
    bend: Bend | None = None,
    behind_px: float = 0.0,
) -> Places | None:
    """Where on a sheet the frame looks. The sheet turns about its middle.

    Args:
        pose: Of the sheet; at rest its middle is the frame's.
        sheet_size: (width, height) of the sheet in its own pixels.
        density: Of the sheet: see `Sheet`.
        lens: The camera's, and the size of the frame.
        bend: Of the sheet about its middle.
        behind_px: How far the sheet lies behind the place that the pose is of, in its own pixels:
            with that place it is turned.

    Returns:
        The part of the frame that sees the sheet; None where no part does.

    Raises:
        InputError: the sheet is turned so far that a corner is behind the camera.
    """
    bend = bend or Bend()
    size = pose.scale / density
    curvature = math.radians(bend.angle_deg) / sheet_size[0]  # Per pixel of the sheet.
    cos, sin = math.cos(math.radians(bend.axis_deg)), math.sin(math.radians(bend.axis_deg))
    along = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])  # Columns: the bend's axes.
    turn = pose.rotation() @ along
    place = np.array([pose.x_px, pose.y_px, lens.focal_px])
    edge = _outline(*sheet_size) @ along[:2, :2]  # In the bend's axes.
    bent = _bent(edge, curvature) + np.array([0, 0, behind_px])
    in_space = size * bent @ turn.T + place
    if in_space[:, 2].min() <= 0.1 * lens.focal_px:
        raise InputError(f"the sheet reaches behind the camera: turn it less than {pose}")
    seen = lens.see(in_space)
    low = np.maximum(np.floor(seen.min(axis=0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(seen.max(axis=0)).astype(int) + 2, [lens.width, lens.height])
    width, height = (high - low).tolist()
    if width < 2 or height < 2:
        return None
    grid_x, grid_y = (
        np.linspace(start, start + count - 1, math.ceil((count - 1) / _STEP_PX) + 1)
        for start, count in zip(low.tolist(), (width, height), strict=True)
    )
    rays = lens.rays(grid_x, grid_y)
    at, angle = _meet(-place @ turn / size - [0, 0, behind_px], rays @ turn / size, curvature)
    coarse = at @ along[:2, :2].T + (np.array(sheet_size) - 1) / 2
    normals = np.dstack([np.sin(angle), np.zeros_like(angle), -np.cos(angle)]) @ turn.T
    columns, rows = (_spread(coarse[..., axis], (height, width)) for axis in (0, 1))
    return Places(int(low[1]), int(low[0]), columns, rows, coarse, normals, rays)


def project(sheet: Sheet, places: Places) -> Float32[np.ndarray, "height width 4"]:
    """A sheet as a part of the frame sees it.

    Args:
        sheet: What is held before the camera.
        places: Where the part looks.

    Returns:
        Linear RGB times cover, and cover.
    """
    # As finely as a person in the room is drawn: linear interpolation would blur attacks alone.
    seen = np.asarray(
        cv2.remap(sheet.light, places.columns, places.rows, cv2.INTER_CUBIC), np.float32
    )
    np.maximum(seen, 0, out=seen)  # Cubic interpolation reaches beyond the range at edges.
    np.minimum(seen[..., 3], 1, out=seen[..., 3])
    return seen


def before_scene(
    seen: Float32[np.ndarray, "height width 4"], scene: Float32[np.ndarray, "height width 3"]
) -> Float32[np.ndarray, "height width 3"]:
    """What is seen of a sheet, laid over what is behind it.

    Args:
        seen: Linear RGB times cover, and cover.
        scene: Linear RGB of what is behind.
    """
    result = cv2.multiply(scene, three(1 - seen[..., 3]))
    return np.asarray(cv2.add(result, cv2.cvtColor(seen, cv2.COLOR_RGBA2RGB)), np.float32)


def lay_over(
    light: Float32[np.ndarray, "height width 3"],
    found: tuple[Places, Float32[np.ndarray, "part_height part_width 4"]] | None,
) -> None:
    """Lay what a part of the frame sees over the light of the whole, in place.

    Args:
        light: Linear RGB of the frame.
        found: Where the part is, and what it sees: linear RGB times cover, and cover; or nothing.
    """
    if found is not None:
        places, seen = found
        light[places.part] = before_scene(seen, light[places.part])


def light_up(
    seen: Float32[np.ndarray, "height width 4"],
    factor: Float32[np.ndarray, "height width"],
    added: Float32[np.ndarray, "height width"] | None = None,
) -> None:
    """Multiply the light of a sheet by one number a pixel, then add another, in place.

    Args:
        seen: Linear RGB times cover, and cover, which stays.
        factor: Of the light.
        added: Light; what is not covered gets none.
    """
    seen *= cv2.merge([factor, factor, factor, np.ones_like(factor)])
    if added is not None:
        added = added * seen[..., 3]
        seen += cv2.merge([added, added, added, np.zeros_like(added)])


def three(
    values: Float32[np.ndarray, "height width"],
) -> Float32[np.ndarray, "height width 3"]:
    """The same for red, green and blue: six times as fast as to broadcast over an axis of three."""
    return np.asarray(cv2.merge([values, values, values]), np.float32)


def _outline(width: int, height: int) -> Float[np.ndarray, "36 2"]:
    """Points along a sheet's edges, from its middle."""
    share = np.linspace(-1, 1, 9)
    ends = np.ones_like(share)
    x = np.concatenate([share, share, -ends, ends]) * width / 2
    y = np.concatenate([-ends, ends, share, share]) * height / 2
    return np.stack([x, y], axis=1)


def _bent(points: Float[np.ndarray, "n 2"], curvature: float) -> Float[np.ndarray, "n 3"]:
    """Points of a sheet on the cylinder about which it is bent; its axis is along y."""
    x, y = points.T
    if curvature == 0:
        return np.stack([x, y, np.zeros_like(x)], axis=1)
    angle = curvature * x
    return np.stack([np.sin(angle) / curvature, y, (1 - np.cos(angle)) / curvature], axis=1)


def _meet(
    origin: Float[np.ndarray, " 3"],
    rays: Float[np.ndarray, "rows columns 3"],
    curvature: float,
) -> tuple[Float[np.ndarray, "rows columns 2"], Float[np.ndarray, "rows columns"]]:
    """Where rays meet the cylinder x^2 + z^2 = 2 z / curvature, and the angle there.

    Of the two places it is the one on the sheet's side: the nearer where the middle is nearest to
    the camera, the farther where the edges are. A ray that passes the cylinder meets it, for us,
    where it comes nearest: no sheet is there.
    """
    x, y, z = origin
    dx, dy, dz = np.moveaxis(rays, -1, 0)
    a = curvature * (dx * dx + dz * dz)  # The equation is a t^2 + 2 b t + c = 0.
    b = curvature * (x * dx + z * dz) - dz
    c = curvature * (x * x + z * z) - 2 * z
    root = np.sqrt(np.maximum(b * b - a * c, 0))
    # (-root - b) / a, and where that may be 0 / 0, the same in another form.
    t = np.where(b < 0, c / (root + np.abs(b)), (-root - b) / (a if curvature else 1.0))
    met_x, met_y, met_z = x + t * dx, y + t * dy, z + t * dz
    if curvature == 0:
        return np.dstack([met_x, met_y]), np.zeros_like(met_x)
    angle = np.arctan2(curvature * met_x, 1 - curvature * met_z)
    return np.dstack([angle / curvature, met_y]), angle


def _spread(
    coarse: Float[np.ndarray, "coarse_rows coarse_columns"], shape: tuple[int, ...]
) -> Float32[np.ndarray, "height width"]:
    """Between the points of a grid that reaches from corner to corner."""
    height, width = shape
    rows, columns = coarse.shape
    # As two products of matrices: OpenCV's own would round places to 1/32 of a grid's step.
    down, across = _between(height, rows), _between(width, columns)
    return np.asarray(down @ (coarse @ across.T).astype(np.float32), np.float32)


@lru_cache(maxsize=64)
def _between(count: int, points: int) -> Float32[np.ndarray, "{count} {points}"]:
    """By how much each point of a grid's line counts for each of `count` pixels along it."""
    at = np.linspace(0, points - 1, count)
    return np.asarray(np.maximum(0, 1 - np.abs(at[:, None] - np.arange(points))), np.float32)
