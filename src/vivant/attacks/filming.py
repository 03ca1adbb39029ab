"""Another camera before pictures of both classes: exposure, colours, lens, noise, coding.

It does the same to bona fide clips and to attacks, by the same laws, so that nothing of it tells
the classes apart. What is drawn is drawn once a clip; noise is fresh in each frame, and the hand
that holds the camera moves it a little.
"""

import cv2
import numpy as np
from jaxtyping import Float, Shaped, UInt8

from vivant.attacks.recapturing import compress, require_frames, resample
from vivant.errors import InputError
from vivant.geometry.crop import CROP_SCALE
from vivant.records import FaceBox

__all__ = ["film"]

_USUAL_PX = 256  # Side of the usual crop that lengths in pixels were chosen at.
_SHAKE = 0.004  # Of the usual crop's side, from frame to frame.


def film(
    frames: Shaped[np.ndarray, "..."],
    face: FaceBox,
    generator: np.random.Generator,
    strength: float = 0.4,
) -> UInt8[np.ndarray, "n height width 3"]:
    """Film a picture or a clip with a camera that is drawn.

    Args:
        frames: uint8, (n, height, width, 3), RGB, 0..255, of either class.
        face: In pixels of the frames: for the size of things.
        generator: Draws.
        strength: How often anything is changed, 0 (never) to 1. Between 0.4 and 1 the experiments
            saw no difference.

    Raises:
        InputError: wrong shape, type or strength, or a face outside the frames.
    """
    require_frames(frames, face)
    if not 0 <= strength <= 1:
        raise InputError(f"expected a strength of 0 to 1, got {strength}")
    if strength == 0:
        return frames
    unit = CROP_SCALE * max(face.width_px, face.height_px)
    seed = int(generator.integers(2**62))
    shakes = _shake(generator, len(frames), unit)
    made = []
    for frame, shake in zip(frames, shakes, strict=True):
        # The same seed for each frame: the camera is the clip's. Noise is not.
        made.append(_take(frame, unit, np.random.default_rng(seed), generator, strength, shake))
    return np.stack(made)


def _shake(
    generator: np.random.Generator, num_frames: int, unit: float
) -> Float[np.ndarray, "n 2"]:
    """Where the camera has moved to in each frame, in pixels."""
    steps = generator.normal(0, _SHAKE * unit, (num_frames, 2))
    steps[0] = 0
    return np.asarray(steps.cumsum(0).clip(-0.03 * unit, 0.03 * unit))


def _take(
    frame: UInt8[np.ndarray, "height width 3"],
    unit: float,
    drawn: np.random.Generator,
    fresh: np.random.Generator,
    strength: float,
    shake: Float[np.ndarray, " 2"],
) -> UInt8[np.ndarray, "height width 3"]:
    """One frame.

    Args:
        frame: RGB.
        unit: Side of the usual crop, in pixels.
        drawn: At its start, so that all frames draw the same.
        fresh: Goes on from frame to frame.
        strength: As for `film`.
        shake: Of this frame, (x, y) in pixels.
    """
    height, width = frame.shape[:2]
    shown = frame
    if shake.any():
        move = np.array([[1, 0, shake[0]], [0, 1, shake[1]]])
        shown = np.asarray(
            cv2.warpAffine(shown, move, (width, height), borderMode=cv2.BORDER_REFLECT_101)
        )
    if _chance(drawn, 0.5 * strength):
        shown = resample(shown, drawn, 0.35)
    if _chance(drawn, 0.4 * strength):
        shown = np.asarray(
            cv2.GaussianBlur(shown, (0, 0), _log_uniform(drawn, 0.3, 1.6) * unit / _USUAL_PX)
        )
    if _chance(drawn, 0.15 * strength):
        shown = _blur_by_motion(shown, drawn)
    light = shown.astype(np.float32) / 255
    if _chance(drawn, 0.8 * strength):
        light = _develop(light, drawn)
    if _chance(drawn, 0.15 * strength):
        knots = max(2, min(64, round(2 * width / unit)))
        coarse = drawn.uniform(-1, 1, (knots, knots)).astype(np.float32)
        shade = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        light = light * (1 + drawn.uniform(0, 0.35) * shade[..., None])
    if _chance(drawn, 0.5 * strength):
        light = light + _noise(light.shape, drawn, fresh)
    shown = np.clip(light * 255 + 0.5, 0, 255).astype(np.uint8)
    if _chance(drawn, 0.4 * strength):
        amount = drawn.uniform(0, 1.2)
        soft = cv2.GaussianBlur(shown, (0, 0), 1.0)
        shown = np.asarray(cv2.addWeighted(shown, 1 + amount, soft, -amount, 0))
    if _chance(drawn, 0.6 * strength):
        shown = compress(shown, int(drawn.integers(35, 97)))
    return np.asarray(shown, np.uint8)


def _develop(light: np.ndarray, drawn: np.random.Generator) -> np.ndarray:
    """White balance, exposure, colours, gamma, a curve and a grey black."""
    balance = np.exp(drawn.normal(0, 0.08, 3)).astype(np.float32)
    light = light * balance * _log_uniform(drawn, 0.67, 1.42)
    grey = light.mean(2, keepdims=True)
    light = np.clip(grey + (light - grey) * drawn.uniform(0.5, 1.4), 0, 1)
    light = light ** _log_uniform(drawn, 0.7, 1.42)
    curve, black = drawn.uniform(-0.25, 0.4), drawn.uniform(0, 0.08)
    light = (1 - curve) * light + curve * light * light * (3 - 2 * light)
    return np.asarray(light * (1 - black) + black, np.float32)


def _blur_by_motion(shown: np.ndarray, drawn: np.random.Generator) -> np.ndarray:
    """Along a line of 3 to 7 pixels."""
    length = int(drawn.integers(3, 8))
    line = np.zeros((length, length), np.float32)
    line[length // 2] = 1 / length
    middle = (length / 2 - 0.5, length / 2 - 0.5)
    turn = cv2.getRotationMatrix2D(middle, drawn.uniform(0, 180), 1)
    return np.asarray(cv2.filter2D(shown, -1, cv2.warpAffine(line, turn, (length, length))))


def _noise(
    shape: tuple[int, ...], drawn: np.random.Generator, fresh: np.random.Generator
) -> np.ndarray:
    """The sensor's, fine or, where it was smoothed away, coarse."""
    noise = fresh.standard_normal(shape).astype(np.float32)
    if _chance(drawn, 0.5):
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), _log_uniform(drawn, 0.4, 1.2)))
        noise /= noise.std() + 1e-6
    return np.asarray(_log_uniform(drawn, 0.004, 0.06) * noise)


def _chance(generator: np.random.Generator, share: float) -> bool:
    return bool(generator.random() < share)


def _log_uniform(generator: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))
