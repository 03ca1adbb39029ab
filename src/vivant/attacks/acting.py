"""What a person does before a camera for a second or more, and what the hand does that holds it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vivant.attacks.pose import Pose, add_poses, hand_held
from vivant.attacks.ranges import draw, ranged
from vivant.errors import InputError

__all__ = ["Acting", "Manner", "act"]

# A blink closes in 0.1 s, stays, and opens slower: seconds after its start, how far closed.
_BLINK_S, _BLINK = (0.0, 0.09, 0.14, 0.3), (0.0, 1.0, 1.0, 0.0)


@dataclass(frozen=True, slots=True)
class Manner:
    """How much somebody moves, and the hand that films."""

    yaw_deg: float = ranged(5.0, 1.0, 10.0)
    """How far the head turns to both sides of where it looks."""
    pitch_deg: float = ranged(3.0, 0.5, 6.0)
    roll_deg: float = ranged(1.5, 0.3, 4.0)
    looks_aside_deg: float = ranged(0.0, -8.0, 8.0)
    """Where the head is turned on average."""
    sway: float = ranged(0.01, 0.003, 0.02)
    """How far the body moves, as a share of the frame's width."""
    blinks_hz: float = ranged(0.35, 0.1, 0.9, log=True)
    """Blinks in a second, on average."""
    smile: float = ranged(0.3, 0.0, 1.0)
    """How much the mouth's corners move."""
    brows: float = ranged(0.3, 0.0, 1.0)
    """How much the brows move."""
    shake: float = ranged(0.012, 0.002, 0.03, log=True)
    """How far the camera's view moves, as a share of the frame's width."""


@dataclass(frozen=True, slots=True)
class Acting:
    """One number or pose for each frame."""

    head: tuple[Pose, ...]
    """Of the head: its shift is the body's, without the camera's shake."""
    eyelids: tuple[float, ...]
    """0 open, 1 closed."""
    smile: tuple[float, ...]
    """-1..1: the mouth's corners in and down, or out and up."""
    brows: tuple[float, ...]
    """-1..1: down or up."""
    shake_px: Float[np.ndarray, "frames 2"]
    """By which the camera's view is moved: all that is seen goes to the right and down."""

    def __len__(self) -> int:
        return len(self.head)


def act(
    num_frames: int,
    frame_rate: float,
    width_px: int,
    generator: np.random.Generator,
    manner: Manner | None = None,
) -> Acting:
    """Somebody who looks into a camera, not quite still.

    Args:
        num_frames: How long.
        frame_rate: Of the frames, in a second.
        width_px: Of the frames.
        generator: Draws all of it.
        manner: How; drawn where it is None.

    Raises:
        InputError: no frames, or a rate that is not above 0.
    """
    if num_frames < 1 or not frame_rate > 0:
        raise InputError(
            f"expected at least one frame and a rate above 0, got {num_frames} and {frame_rate}"
        )
    manner = manner or draw(Manner, generator)
    sway = manner.sway * width_px
    extent = Pose(
        manner.yaw_deg, manner.pitch_deg, manner.roll_deg, sway, 0.5 * sway, 1 + manner.sway
    )
    about = [Pose(yaw_deg=manner.looks_aside_deg)] * num_frames
    head = add_poses(about, hand_held(num_frames, frame_rate, extent, generator))
    shaken = hand_held(
        num_frames,
        frame_rate,
        Pose(x_px=manner.shake * width_px, y_px=0.8 * manner.shake * width_px),
        generator,
    )
    # Two more waves of the same kind: what the lips and the brows do.
    mimic = hand_held(num_frames, frame_rate, Pose(manner.smile, manner.brows), generator)
    return Acting(
        head,
        _blinks(num_frames, frame_rate, manner.blinks_hz, generator),
        tuple(pose.yaw_deg for pose in mimic),
        tuple(pose.pitch_deg for pose in mimic),
        np.array([(pose.x_px, pose.y_px) for pose in shaken]),
    )


def _blinks(
    num_frames: int, frame_rate: float, rate_hz: float, generator: np.random.Generator
) -> tuple[float, ...]:
    """Eyelids over time: blinks come as they like, but not one in another."""
    times = np.arange(num_frames) / frame_rate
    closed = np.zeros(num_frames)
    at = float(generator.exponential(1 / rate_hz)) - _BLINK_S[-1]
    while at < times[-1]:
        closed = np.maximum(closed, np.interp(times - at, _BLINK_S, _BLINK))
        at += _BLINK_S[-1] + float(generator.exponential(1 / rate_hz))
    return tuple(float(value) for value in closed)
