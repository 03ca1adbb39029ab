"""What a camera makes of light: lens, sensor noise, exposure. The same for bona fide and attack.

Light is linear, 0..1, 1 is the brightest that the camera records; pixels are sRGB, 0..255.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from vivant.errors import InputError

__all__ = ["Camera", "film", "focus", "record", "to_light", "to_pixels"]

_STEPS = 4095  # Light is brought to this many steps before its curve is looked up.


@dataclass(frozen=True, slots=True)
class Camera:
    """A phone's front camera or a webcam in a room."""

    defocus_px: float = 0.4
    """Standard deviation of the lens's blur, in pixels of the frame."""
    aperture: float = 0.6
    """Share of a pixel's width that gathers light, 0..1: the less, the more moire."""
    shot_noise: float = 0.012
    """Standard deviation of the noise of full light that light itself has, 0..1."""
    read_noise: float = 0.002
    """Standard deviation of the noise in the dark, 0..1 of full light."""
    gain: float = 1.0
    """By which the light is multiplied: exposure."""

    def __post_init__(self) -> None:
        numbers = (self.defocus_px, self.shot_noise, self.read_noise, self.gain)
        if not (min(numbers) >= 0 and 0 < self.aperture <= 1 and np.isfinite(numbers).all()):
            raise InputError(
                f"expected blur, noise and gain of at least 0 and an aperture in 0..1, got {self}"
            )


def film(
    light: Float32[np.ndarray, "height width 3"], camera: Camera, generator: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """What a camera makes of a scene: `focus`, then `record`.

    Args:
        light: RGB, linear, 0..1.
        camera: Lens and sensor.
        generator: Draws the noise.

    Returns:
        RGB, 0..255.
    """
    return record(focus(light, camera), camera, generator)


def focus(
    light: Float32[np.ndarray, "height width channels"], camera: Camera
) -> Float32[np.ndarray, "height width channels"]:
    """What the lens throws on the sensor: the scene, a little blurred."""
    if camera.defocus_px == 0:
        return light
    return np.asarray(cv2.GaussianBlur(light, (0, 0), camera.defocus_px), np.float32)


def record(
    light: Float32[np.ndarray, "height width 3"], camera: Camera, generator: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """What the sensor makes of the light on it: exposure, noise, pixels."""
    light = light * np.float32(camera.gain)
    spread = np.maximum(light, 0)
    spread *= np.float32(camera.shot_noise**2)
    spread += np.float32(camera.read_noise**2)
    np.sqrt(spread, out=spread)
    spread *= generator.standard_normal(light.shape, np.float32)
    spread += light
    return to_pixels(spread)


def to_light(
    pixels: UInt8[np.ndarray, "height width 3"],
) -> Float32[np.ndarray, "height width 3"]:
    """Linear light of sRGB pixels."""
    return np.asarray(_curves()[0][pixels], np.float32)


def to_pixels(
    light: Float32[np.ndarray, "height width 3"],
) -> UInt8[np.ndarray, "height width 3"]:
    """Pixels (sRGB) of linear light; what is beyond 0..1 is cut off."""
    steps = light * np.float32(_STEPS)
    steps += np.float32(0.5)
    np.clip(steps, 0, _STEPS, out=steps)
    return np.asarray(_curves()[1][steps.astype(np.uint16)], np.uint8)


@cache
def _curves() -> tuple[Float32[np.ndarray, "256"], UInt8[np.ndarray, "4096"]]:
    """The sRGB curve (IEC 61966-2-1) forth and back."""
    value = np.arange(256) / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    step = np.arange(_STEPS + 1) / _STEPS
    shown = np.where(step <= 0.0031308, step * 12.92, 1.055 * step ** (1 / 2.4) - 0.055)
    return light.astype(np.float32), np.rint(255 * shown).astype(np.uint8)
