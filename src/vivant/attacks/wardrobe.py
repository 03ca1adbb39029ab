"""What is drawn about a synthetic person's face: neck and shirt, and glasses."""

import colorsys

import cv2
import numpy as np
from jaxtyping import Float, Float32

from vivant.attacks.shape import LEFT_EYE, RIGHT_EYE
from vivant.attacks.traits import Traits

__all__ = ["glasses", "grain", "torso"]

_CHIN, _EARS, _NOSE = 152, [234, 454], 6  # The nose's root, between the eyes.


def grain(
    size: tuple[int, int], spread_px: tuple[float, float], generator: np.random.Generator
) -> Float32[np.ndarray, "height width"]:
    """Noise with a standard deviation of 1.

    Args:
        size: (width, height).
        spread_px: How coarse it is, across and down.
        generator: Draws it.
    """
    width, height = size
    # Coarse noise is drawn small and enlarged: it is the same and takes a part of the time.
    shrink = max(1, int(min(spread_px) / 2))
    small = generator.standard_normal((height // shrink + 1, width // shrink + 1), np.float32)
    across, down = (max(spread / shrink, 0.3) for spread in spread_px)
    soft = cv2.GaussianBlur(small, (0, 0), across, sigmaY=down)
    noise = cv2.resize(soft, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(noise / max(float(noise.std()), 1e-6), np.float32)


def torso(
    points: Float[np.ndarray, "468 3"],
    traits: Traits,
    skin: Float[np.ndarray, " 3"],
    size: tuple[int, int],
    generator: np.random.Generator,
) -> Float32[np.ndarray, "height width 4"]:
    """Neck, shoulders and a shirt.

    Args:
        points: The face's mesh.
        traits: Whose they are.
        skin: Its light, linear RGB.
        size: (width, height) in pixels.
        generator: Draws folds.

    Returns:
        Linear RGB times cover, and cover.
    """
    width, height = size
    face = float(np.ptp(points[:, 0]))
    chin_x, chin = (float(value) for value in points[_CHIN, :2])
    middle = (chin_x + float(points[_EARS, 0].mean())) / 2
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    side, below = (x - middle) / face, (y - chin) / face
    collar_at = {"turtle": 0.12}.get(traits.collar, 0.3)

    neck_half = 0.34 + 0.05 * np.clip(below, 0, 1) ** 2
    neck_cover = np.clip((neck_half - np.abs(side)) * face / 2, 0, 1) * (below > -0.6)
    roundness = np.sqrt(np.clip(1 - (side / 0.5) ** 2, 0.1, 1))
    shadow = 1 - 0.5 * np.exp(-(((below + 0.05) / 0.16) ** 2)) * np.exp(-((side / 0.33) ** 2))
    light = skin * (0.85 * roundness * shadow)[..., None]
    light *= (1 + 0.03 * grain(size, (1.0, 1.0), generator))[..., None]

    # Shoulders: from the collar outwards and down, rounded.
    reach = np.clip((np.abs(side) - 0.3) / 1.05, 0, 1.4)
    top = collar_at - 0.06 + 0.42 * reach**1.7 + 0.05 * np.clip(reach, 0, 0.3)
    neckline = collar_at + 0.1 * np.sqrt(np.clip(1 - (side / 0.34) ** 2, 0, 1))
    if traits.collar in ("v", "shirt"):
        neckline = collar_at + np.clip(0.5 - 1.45 * np.abs(side), 0, 1)
    top = np.where(np.abs(side) < 0.33, np.maximum(top, neckline), top)
    shirt_cover = np.clip((below - top) * face / 2, 0, 1) * (np.abs(side) < 1.38)
    shirt_cover = cv2.GaussianBlur(shirt_cover.astype(np.float32), (0, 0), 1.0)

    shirt = _cloth(side, below, traits)
    folds = 0.12 * grain(size, (0.05 * face, 0.22 * face), generator)
    folds += 0.03 * grain(size, (1.0, 1.0), generator)
    edge = np.exp(-(((below - top) / 0.025) ** 2))  # A hem, and the shadow beside it.
    round_body = np.sqrt(np.clip(1 - (side / 1.6) ** 2, 0.15, 1))
    shirt *= np.clip((0.9 + folds) * (1 - 0.35 * edge) * round_body, 0.05, 2)[..., None]
    if traits.collar == "shirt":
        flap = np.abs(below - neckline - 0.02 + 0.25 * np.abs(side)) < 0.09
        flap = cv2.GaussianBlur((flap & (np.abs(side) < 0.45)).astype(np.float32), (0, 0), 1.5)
        shirt *= (1 + 0.25 * flap)[..., None]

    result = np.empty((height, width, 4), np.float32)
    cover = neck_cover + (1 - neck_cover) * shirt_cover
    result[..., :3] = light * (neck_cover * (1 - shirt_cover))[..., None]
    result[..., :3] += shirt * shirt_cover[..., None]
    result[..., 3] = cover
    return result


def _cloth(
    side: Float32[np.ndarray, "height width"],
    below: Float32[np.ndarray, "height width"],
    traits: Traits,
) -> Float32[np.ndarray, "height width 3"]:
    """The shirt's light: a colour, or two in a pattern."""
    hue = traits.shirt_hue_deg / 360

    def colour(value: float, turned: float) -> Float[np.ndarray, " 3"]:
        pixel = colorsys.hsv_to_rgb((hue + turned) % 1, traits.shirt_saturation, value)
        return np.array(pixel) ** 2.2 * 0.8

    one = colour(traits.shirt_value, 0.0)
    other = colour((traits.shirt_value + 0.45) % 0.9 + 0.1, 0.12)
    period = 0.1 + 0.06 * (traits.seed % 7) / 3

    def wave(along: Float32[np.ndarray, "height width"]) -> Float32[np.ndarray, "height width"]:
        return np.asarray(np.clip(6 * np.sin(2 * np.pi * along / period) + 0.5, 0, 1), np.float32)

    share = np.zeros_like(side)
    if traits.pattern in ("stripes", "checks"):
        share += wave(below)
    if traits.pattern in ("bars", "checks"):
        share += wave(side)
    share /= 2 if traits.pattern == "checks" else 1
    return np.asarray(one + share[..., None] * (other - one), np.float32)


def glasses(
    points: Float[np.ndarray, "468 3"], shape: str, size: tuple[int, int]
) -> Float32[np.ndarray, "height width"]:
    """How much of each pixel a frame of glasses covers, 0..1.

    Args:
        points: The face's mesh.
        shape: round or square.
        size: (width, height) in pixels.
    """
    face = float(np.ptp(points[:, 0]))
    mask = np.zeros(size[::-1], np.uint8)
    thick = max(2, round(0.022 * face))
    centres = [points[eye, :2].mean(axis=0) for eye in (LEFT_EYE, RIGHT_EYE)]
    radius = 0.19 * face
    angle = np.linspace(0, 2 * np.pi, 48)
    # A superellipse: 2 is round, 5 nearly a rectangle.
    power, squeeze = (2, 0.95) if shape == "round" else (5, 0.7)
    outline = np.stack(
        [
            np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** (2 / power),
            squeeze * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** (2 / power),
        ],
        axis=1,
    )

    def line(corners: Float[np.ndarray, "n 2"], width: int) -> None:
        places = np.rint(corners * 16).astype(np.int32)
        cv2.polylines(mask, [places], False, 255, width, cv2.LINE_AA, 4)

    root = points[_NOSE, :2]
    for centre, ear, direction in zip(centres, _EARS, (-1, 1), strict=True):
        line(centre + radius * outline, thick)
        inner = centre - (direction * radius, 0.02 * face)
        line(np.stack([inner, root - (0, 0.01 * face)]), thick)
        outer = np.add(centre, (direction * radius, -0.05 * face))
        line(np.stack([outer, (points[ear, 0], centre[1] - 0.06 * face)]), thick)
    return np.asarray(mask.astype(np.float32) / 255, np.float32)
