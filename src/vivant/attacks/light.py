"""The light that a person is seen in: from everywhere, and from one side."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from vivant.attacks.ranges import ranged
from vivant.errors import InputError

__all__ = ["Light", "shading"]

_SHINE = 0.05  # Light that skin mirrors at most, whatever its tone: about twice Fresnel's 2.8 %.
_POLISH = 12  # Exponent of the mirrored light: skin is no mirror.


@dataclass(frozen=True, slots=True)
class Light:
    """Of a room, as it falls on a face."""

    level: float = ranged(1.0, 0.3, 1.3, log=True)
    """Strength, against a well-lit room."""
    red: float = ranged(1.0, 0.93, 1.1)
    """Of the light's colour, against green, after what a camera balances."""
    blue: float = ranged(1.0, 0.87, 1.08)
    key: float = ranged(0.4, 0.1, 0.8)
    """Share of the light that comes from one side, 0..1."""
    yaw_deg: float = ranged(0.0, -65.0, 65.0)
    """Where that comes from: 0 is the camera's place, positive is from the right of the picture."""
    pitch_deg: float = ranged(25.0, -10.0, 60.0)
    """Positive is from above."""

    def __post_init__(self) -> None:
        if not (self.level > 0 and self.red > 0 and self.blue > 0 and 0 <= self.key <= 1):
            raise InputError(
                f"expected a level and colours above 0 and a key light in 0..1, got {self}"
            )

    def direction(self) -> tuple[float, float, float]:
        """Towards the light: x to the right, y down, z away from the camera; of length 1.

        >>> Light(yaw_deg=0.0, pitch_deg=0.0).direction()
        (0.0, 0.0, -1.0)
        """
        yaw, pitch = np.radians([self.yaw_deg, self.pitch_deg])
        x, y = float(np.sin(yaw) * np.cos(pitch)), float(-np.sin(pitch)) + 0.0
        return x, y, float(-np.cos(yaw) * np.cos(pitch))


def shading(
    normals: Float32[np.ndarray, "height width 3"], light: Light
) -> tuple[Float32[np.ndarray, "height width"], Float32[np.ndarray, "height width"]]:
    """How much light falls on a surface, and how much it mirrors; level and colour are left out.

    What faces half-way between camera and light is as bright in each light, so a face has about
    the same brightness whatever its light's direction.

    Args:
        normals: Which way the surface faces; z < 0 is towards the camera; of length 1.
        light: What falls on it.

    Returns:
        A factor for the surface's own light, 1 at most as a rule, and light to be added.
    """
    towards = np.array(light.direction(), np.float32)
    halfway = towards + np.array([0, 0, -1], np.float32)
    halfway /= max(float(np.linalg.norm(halfway)), 1e-6)
    lambert = np.maximum(normals @ towards, 0)
    best = max(float(halfway @ towards), 0.2)
    # What looks down gets less from the sky, ceiling and walls.
    around = 1 + np.float32(0.25) * -normals[..., 1]
    factor = np.float32(1 - light.key) * around + np.float32(light.key / best) * lambert
    shine = np.float32(_SHINE * light.key) * np.maximum(normals @ halfway, 0) ** _POLISH
    return np.asarray(factor, np.float32), np.asarray(shine, np.float32)
