"""Puts another camera before pictures of both classes: light, lens, sensor, coding, a hand.

It does the same to bona fide clips and to attacks, by the same laws, so that nothing of it tells
the classes apart. `vivant.attacks.recapturing` makes the attacks before it.

Lengths are stated for a usual crop (1.3 times the face's longer side) of 256 pixels. Blur follows
the crop's size; what is a pixel wide (noise, sharpening, motion) grows only with a larger one.
"""

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Float, Float32, Shaped, UInt8

from vivant.attacks.coding import as_jpeg, as_video, resample
from vivant.attacks.draws import Draws, Sizes, require_frames
from vivant.errors import InputError
from vivant.records import FaceBox

__all__ = ["film"]

Pixels: TypeAlias = UInt8[np.ndarray, "height width 3"]
Values: TypeAlias = Float32[np.ndarray, "height width 3"]
"""SRGB, 0..1."""

_STEP, _FARTHEST = 0.004, 0.03  # Of the usual crop: how far a hand moves in a frame, and in all.
_ZOOM_STEP = 0.003  # From frame to frame.


def film(
    frames: Shaped[np.ndarray, "..."],
    face_box: FaceBox,
    generator: np.random.Generator,
    strength: float = 0.4,
) -> UInt8[np.ndarray, "n height width 3"]:
    """Film a picture or a clip with a camera that is drawn.

    The camera is drawn once. Noise is drawn for each frame, and in a clip a hand moves the camera
    a little from frame to frame.

    Args:
        frames: Of either class, uint8, (n, height, width, 3), RGB, 0..255.
        face_box: In pixels of the frames.
        generator: Draws the camera and its noise; the same generator gives the same result.
        strength: How likely each change is, 0..1; 0 leaves the frames as they are.

    Returns:
        RGB, 0..255.

    Raises:
        InputError: wrong shape, type or strength, no frame, or a face box that is empty or outside
            of the frames.
    """
    sizes = require_frames(frames, face_box)
    if not 0 <= strength <= 1:
        raise InputError(f"expected a strength of 0 to 1, got {strength}")
    if strength == 0:
        return frames.copy()
    draws = Draws(generator)
    lens, sensor = _lens(draws, sizes, strength), _sensor(draws, sizes, strength)
    sharpening = draws.uniform(0, 1.2) if draws.chance(0.4 * strength) else None
    is_coded, quality = draws.chance(0.6 * strength), draws.uniform(0, 1)
    is_video = draws.chance(0.5) and len(frames) > 1
    made = np.empty_like(frames)
    for number, hand in enumerate(_hand(draws, sizes, len(frames))):
        pixels = sensor(lens(_moved(frames[number], hand)))
        if sharpening is not None:
            soft = cv2.GaussianBlur(pixels, (0, 0), sizes.fine)
            pixels = np.asarray(
                cv2.addWeighted(pixels, 1 + sharpening, soft, -sharpening, 0), np.uint8
            )
        if is_coded and not is_video:
            pixels = as_jpeg(pixels, int(35 + 62 * quality))
        made[number] = pixels
    return as_video(made, round(36 - 18 * quality)) if is_coded and is_video else made


def _hand(draws: Draws, sizes: Sizes, num_frames: int) -> list[Float[np.ndarray, "2 3"]]:
    """Where the picture moves to in each frame, as a hand moves a camera: shift and zoom."""
    shift = draws.generator.normal(0, _STEP, (num_frames, 2))
    zoom = draws.generator.normal(0, _ZOOM_STEP, num_frames)
    shift[0] = zoom[0] = 0
    shift = shift.cumsum(0).clip(-_FARTHEST, _FARTHEST) * sizes.unit_px
    scale = np.exp(zoom.cumsum().clip(-_FARTHEST, _FARTHEST))
    middle = np.array(sizes.face.centre)
    moved = middle - scale[:, None] * middle + shift
    return [
        np.array([[size, 0, x], [0, size, y]])
        for size, (x, y) in zip(scale.tolist(), moved.tolist(), strict=True)
    ]


def _moved(pixels: Pixels, hand: Float[np.ndarray, "2 3"]) -> Pixels:
    """A picture, shifted and zoomed; beyond its edges it is mirrored."""
    if np.array_equal(hand, np.eye(2, 3)):
        return pixels
    height, width, _ = pixels.shape
    # OpenCV never returns where it should mirror a single pixel.
    border = cv2.BORDER_REFLECT_101 if min(height, width) > 1 else cv2.BORDER_REPLICATE
    moved = cv2.warpAffine(pixels, hand, (width, height), flags=cv2.INTER_CUBIC, borderMode=border)
    return np.asarray(moved, np.uint8)


def _lens(draws: Draws, sizes: Sizes, strength: float) -> Callable[[Pixels], Pixels]:
    """Fewer pixels, a lens out of focus, motion."""
    steps: list[Callable[[Pixels], Pixels]] = []
    if draws.chance(0.5 * strength):
        seed = int(draws.generator.integers(2**62))

        def resize(pixels: Pixels) -> Pixels:
            return resample(pixels, Draws(np.random.default_rng(seed)), sizes, 0.35)

        steps.append(resize)
    if draws.chance(0.4 * strength):
        sigma = sizes.scale * draws.log_uniform(0.3, 1.6)
        steps.append(lambda pixels: np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8))
    if draws.chance(0.15 * strength):
        kernel = _motion(draws, sizes)
        steps.append(lambda pixels: np.asarray(cv2.filter2D(pixels, -1, kernel), np.uint8))

    def see(pixels: Pixels) -> Pixels:
        for step in steps:
            pixels = step(pixels)
        return pixels

    return see


def _motion(draws: Draws, sizes: Sizes) -> Float32[np.ndarray, "side side"]:
    """The kernel of a motion in some direction, 3 to 7 pixels long."""
    length = max(3, round((3 + draws.below(5)) * sizes.fine))
    line = np.zeros((length, length), np.float32)
    line[length // 2] = 1 / length
    middle = (length / 2 - 0.5, length / 2 - 0.5)
    turn = cv2.getRotationMatrix2D(middle, draws.uniform(0, 180), 1)
    return np.asarray(cv2.warpAffine(line, turn, (length, length)), np.float32)


def _sensor(draws: Draws, sizes: Sizes, strength: float) -> Callable[[Pixels], Pixels]:
    """Exposure and colours, uneven light, noise."""
    develop = _development(draws) if draws.chance(0.8 * strength) else None
    shade = None
    if draws.chance(0.15 * strength):
        surface = 1 + np.float32(draws.uniform(0, 0.35)) * draws.surface(sizes, 2)
        shade = cv2.merge([np.asarray(surface, np.float32)] * 3)
    noise = sigma = None
    if draws.chance(0.5 * strength):
        noise = np.float32(draws.log_uniform(0.004, 0.06))
        sigma = draws.log_uniform(0.4, 1.2) if draws.chance(0.5) else None

    def record(pixels: Pixels) -> Pixels:
        if develop is None and shade is None and noise is None:
            return pixels
        values = pixels.astype(np.float32) / np.float32(255)
        if develop is not None:
            values = develop(values)
        if shade is not None:
            values = np.asarray(cv2.multiply(values, shade), np.float32)
        if noise is not None:
            values = values + noise * draws.grain(sizes, sigma)
        return np.asarray(np.clip(values * 255 + 0.5, 0, 255), np.uint8)

    return record


def _development(draws: Draws) -> Callable[[Values], Values]:
    """White balance, exposure, saturation, gamma, an S curve and a grey black."""
    balance = np.exp([draws.normal(0.08) for _ in range(3)]) * draws.log_uniform(0.67, 1.42)
    saturation, gamma = draws.uniform(0.5, 1.4), draws.log_uniform(0.7, 1.42)
    curve, black = np.float32(draws.uniform(-0.25, 0.4)), np.float32(draws.uniform(0, 0.08))
    colours = (saturation * np.eye(3) + (1 - saturation) / 3) * balance
    mixing = np.column_stack([colours, np.zeros(3)]).astype(np.float32)

    def develop(values: Values) -> Values:
        values = np.clip(np.asarray(cv2.transform(values, mixing), np.float32), 0, 1)
        values = np.asarray(cv2.pow(values, gamma), np.float32)
        values = (1 - curve) * values + curve * values * values * (3 - 2 * values)
        return np.asarray(values * (1 - black) + black, np.float32)

    return develop
