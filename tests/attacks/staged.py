"""A person's pictures and an instrument before a plain wall: what tests of PAI species film."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from vivant.attacks.camera import Camera, Filming
from vivant.attacks.light import Light
from vivant.attacks.pose import Pose
from vivant.attacks.simulate import species_by_name
from vivant.attacks.staging import Staging

WALL = np.full((400, 400, 3), 90, np.uint8)
# What it records of the wall is the wall: only the instrument is to be looked at.
CAMERA = Camera(exposure_speed=0.0, vignetting=0.0, contrast=0.0, sharpening=0.0)


def filmed(
    species: str,
    pictures: Sequence[np.ndarray],
    path: Sequence[Pose],
    meshes: np.ndarray | None = None,
    seed: int = 0,
    camera: Camera = CAMERA,
    light: Light | None = None,
    **look: Any,
) -> Iterator[np.ndarray]:
    """Frames of an instrument of that PAI species."""
    kind = species_by_name()[species]
    if meshes is None:
        meshes = np.repeat(_oval()[None], len(pictures), axis=0)
    staging = Staging(pictures, meshes, [WALL], path)
    generator = np.random.default_rng(seed)
    return kind.film(staging, Filming(camera, generator, light), kind.look(**look), generator)


@lru_cache
def _oval() -> np.ndarray:
    """Somewhere for a mesh to be, where nobody asks for the face."""
    angle = np.linspace(0, 2 * np.pi, 468)
    return np.stack([50 + 30 * np.cos(angle), 50 + 40 * np.sin(angle)], axis=1)
