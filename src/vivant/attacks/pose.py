"""How a head or a sheet is turned and placed, and paths of it over time."""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from jaxtyping import Float

from vivant.errors import InputError

__all__ = ["Pose", "add_poses", "hand_held"]

# Of the waves that a path is made of: slower looks like floating, faster like trembling.
_WAVES_HZ = (0.25, 0.6, 1.4)
_SHARES = (0.62, 0.28, 0.1)


@dataclass(frozen=True, slots=True)
class Pose:
    """Of something rigid before the camera; all zeros and scale 1 is as in the picture."""

    yaw_deg: float = 0.0
    """Turned to the side: positive towards the right of the picture."""
    pitch_deg: float = 0.0
    """Turned up (positive) or down."""
    roll_deg: float = 0.0
    """Tilted: positive is clockwise as seen."""
    x_px: float = 0.0
    """Moved to the right."""
    y_px: float = 0.0
    """Moved down."""
    scale: float = 1.0
    """Larger is nearer."""

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, astuple(self))) or self.scale <= 0:
            raise InputError(f"expected a pose of finite numbers and a scale above 0, got {self}")

    def rotation(self) -> Float[np.ndarray, "3 3"]:
        """For columns (x, y, z): x to the right, y down, z away from the camera.

        First yaw, then pitch, then roll.

        >>> turned = Pose(yaw_deg=90.0).rotation() @ [0, 0, -1]  # A nose turns to the right.
        >>> [round(float(part)) for part in turned]
        [1, 0, 0]
        """
        yaw, pitch, roll = np.radians([self.yaw_deg, self.pitch_deg, self.roll_deg])
        turn = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
        nod = np.array(
            [[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]]
        )
        tilt = np.array(
            [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
        )
        return np.asarray(tilt @ nod @ turn)


def hand_held(
    num_frames: int, frame_rate: float, extent: Pose, generator: np.random.Generator
) -> tuple[Pose, ...]:
    """A path that wanders about a place as a hand does that holds something still.

    Args:
        num_frames: Poses wanted.
        frame_rate: Of the poses, in a second.
        extent: How far each number goes, about; the scale goes from 1 / `extent.scale` to it.
        generator: Draws the phases.

    Raises:
        InputError: no frames, or a rate that is not above 0.
    """
    if num_frames < 1 or not frame_rate > 0:
        raise InputError(
            f"expected at least one frame and a rate above 0, got {num_frames} and {frame_rate}"
        )
    times = np.arange(num_frames) / frame_rate
    rates = np.array(_WAVES_HZ) * generator.uniform(0.8, 1.25, (6, len(_WAVES_HZ)))
    phases = generator.uniform(0, 2 * np.pi, (6, len(_WAVES_HZ)))
    waves = np.sin(2 * np.pi * rates[..., None] * times + phases[..., None])  # (6, waves, frames)
    wander = np.einsum("nwf,w->fn", waves, np.array(_SHARES))  # (frames, 6), -1..1
    *extents, scale = astuple(extent)
    moves = wander[:, :5] * np.array(extents)
    scales = scale ** wander[:, 5]
    return tuple(Pose(*map(float, (*move, now))) for move, now in zip(moves, scales, strict=True))


def add_poses(one: Sequence[Pose], other: Sequence[Pose]) -> tuple[Pose, ...]:
    """One path on top of another: angles and shifts add up, scales multiply.

    Raises:
        InputError: the paths are not equally long.
    """
    if len(one) != len(other):
        raise InputError(f"expected paths of one length, got {len(one)} and {len(other)}")
    return tuple(
        Pose(
            first.yaw_deg + second.yaw_deg,
            first.pitch_deg + second.pitch_deg,
            first.roll_deg + second.roll_deg,
            first.x_px + second.x_px,
            first.y_px + second.y_px,
            first.scale * second.scale,
        )
        for first, second in zip(one, other, strict=True)
    )
