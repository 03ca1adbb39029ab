"""Patterns that repeat on a surface, finer than a camera's pixels, as the camera sees them.

A screen's stripes and a print's dots are Fourier series. Lens and pixel leave a part of each wave
that is known from its frequency there; sampling folds what is left into coarse bands: moire. So no
finer picture has to be made to average over, and no moire has to be painted.
"""

import numpy as np
from jaxtyping import Float, Float32

from vivant.attacks.camera import Camera
from vivant.attacks.recapture import Places

__all__ = ["INVISIBLE", "seen_wave"]

INVISIBLE = 0.003
"""A wave that leaves less than that share of the light is under the noise."""


def seen_wave(
    places: Places,
    frequency: tuple[float, float],
    strength: float,
    camera: Camera,
) -> tuple[Float32[np.ndarray, "height width"], Float32[np.ndarray, "height width"]] | None:
    """A wave on a sheet, sampled at the middle of each pixel: cosine and sine.

    Args:
        places: Where on the sheet the pixels look.
        frequency: Of the wave: cycles for a pixel of the sheet, along its columns and rows.
        strength: Of the wave before lens and pixel take their part.
        camera: Its lens and aperture.

    Returns:
        strength times what is left, times cosine and sine of the phase; None where it is
        `INVISIBLE`.
    """
    phase = places.coarse @ np.array(frequency)  # (coarse_rows, coarse_columns), in cycles.
    height, width = places.columns.shape
    steps = ((height - 1) / (phase.shape[0] - 1), (width - 1) / (phase.shape[1] - 1))
    down, across = (np.gradient(phase, step, axis=axis) for axis, step in enumerate(steps))
    left = strength * _left_over(across, down, camera)
    if np.abs(left).max() < INVISIBLE:
        return None
    share = places.spread(left)
    angle = np.float32(frequency[0]) * places.columns
    angle += np.float32(frequency[1]) * places.rows
    angle -= np.floor(angle)
    angle *= np.float32(2 * np.pi)
    return share * np.cos(angle), share * np.sin(angle)


def _left_over(
    across: Float[np.ndarray, "rows columns"],
    down: Float[np.ndarray, "rows columns"],
    camera: Camera,
) -> Float[np.ndarray, "rows columns"]:
    """What lens and pixel leave of a wave of these cycles per pixel of the frame, -1..1."""
    lens = np.exp(-2 * (np.pi * camera.defocus_px) ** 2 * (across**2 + down**2))
    return np.asarray(lens * np.sinc(across * camera.aperture) * np.sinc(down * camera.aperture))
