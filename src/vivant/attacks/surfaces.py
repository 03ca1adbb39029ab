"""What paper and a panel make of a picture that they show: tone, colours and their own pattern."""

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from vivant.attacks.draws import Draws, Sizes

__all__ = ["Surface", "paper", "screen"]

Light: TypeAlias = Float32[np.ndarray, "height width 3"]
Surface: TypeAlias = Callable[[UInt8[np.ndarray, "height width 3"], int], Light]
"""Takes a picture (sRGB, 0..255) and the number of the frame, gives the light that leaves the
surface: linear RGB, 0 black, 1 the white of the picture."""

_TURN = 2 * np.pi


def paper(draws: Draws, sizes: Sizes) -> Surface:
    """A print: ink has fewer colours and a grey black, paper a dull white; dots, grain, bends.

    Args:
        draws: All parameters, here and now: the surface that is returned draws nothing.
        sizes: Of the pictures.
    """
    gamut, gamma = draws.uniform(0.6, 1.05), draws.log_uniform(0.8, 1.35)
    black, white = draws.log_uniform(0.005, 0.08), draws.uniform(0.7, 0.95)
    tint = np.array([1 + draws.uniform(-0.15, 0.06), 1, 1 + draws.uniform(-0.08, 0.2)])
    ink = np.eye(3)
    if draws.chance(0.05):  # Printed without colours.
        ink, tint = np.full((3, 3), 1 / 3), np.full(3, tint.mean())
    ink = tint[:, None] * (white - black) * ink
    pattern = _print_pattern(draws, sizes) if draws.chance(0.5) else None
    bend = 1 + np.float32(draws.uniform(0, 0.3)) * draws.surface(sizes, 3)

    def show(pixels: UInt8[np.ndarray, "height width 3"], _number: int) -> Light:
        light = np.clip(_mixed(_light(pixels, 1.0), _saturation(gamut)), 0, 1)
        light = _mixed(np.asarray(cv2.pow(light, gamma), np.float32), ink, black * tint)
        if pattern is not None:
            light = pattern(light)
        return _times(np.maximum(light, 0), np.maximum(bend, 0))

    return show


def screen(draws: Draws, sizes: Sizes) -> Surface:
    """A panel: its gamma, colours, black level, bluer white, stripes and refresh.

    Args:
        draws: All parameters, here and now: the surface that is returned draws nothing.
        sizes: Of the pictures.
    """
    gamma, colours = draws.log_uniform(0.85, 1.5), draws.uniform(0.75, 1.35)
    black, bluer = draws.log_uniform(0.002, 0.06), draws.uniform(-0.08, 0.35)
    red, blue = (draws.uniform(-0.06, 0.06) for _ in range(2))
    white = np.array([1 - 0.5 * bluer + red, 1, 1 + bluer + blue])
    panel = white[:, None] * (1 - black) * _saturation(colours)
    floor = (white * black).astype(np.float32)
    stripes = _stripes(draws, sizes) if draws.chance(0.8) else None
    refresh = _refresh(draws, sizes) if draws.chance(0.3) else None

    def show(pixels: UInt8[np.ndarray, "height width 3"], number: int) -> Light:
        mixed = _mixed(_light(pixels, gamma), panel, floor)
        light = np.asarray(np.maximum(mixed, floor), np.float32)
        if stripes is not None:
            light = np.asarray(cv2.multiply(light, stripes), np.float32)
        if refresh is not None:
            light = np.asarray(light * refresh(number), np.float32)
        return light

    return show


def _light(pixels: UInt8[np.ndarray, "height width 3"], gamma: float) -> Light:
    """Linear light of sRGB pixels, to a power."""
    codes = np.arange(256) / 255
    light = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
    return np.asarray(cv2.LUT(pixels, (light**gamma).astype(np.float32)), np.float32)


def _saturation(amount: float) -> np.ndarray:
    """The matrix that moves colours away from their grey (above 1), or towards it."""
    return np.asarray(amount * np.eye(3) + (1 - amount) / 3)


def _mixed(light: Light, matrix: np.ndarray, offset: np.ndarray | None = None) -> Light:
    """A matrix times each pixel's colour, and an offset."""
    added = np.zeros(3) if offset is None else offset
    whole = np.column_stack([matrix, added]).astype(np.float32)
    return np.asarray(cv2.transform(light, whole), np.float32)


def _times(light: Light, factor: Float32[np.ndarray, "height width"]) -> Light:
    """Each colour times the same factor."""
    return np.asarray(cv2.multiply(light, cv2.merge([factor] * 3)), np.float32)


def _wave(
    sizes: Sizes, across: float, down: float, phase: float = 0.0
) -> tuple[Float32[np.ndarray, "height width"], Float32[np.ndarray, "height width"]]:
    """Cosine and sine of a plane wave, of so many cycles a pixel along x and along y."""
    x = np.arange(sizes.width, dtype=np.float32)[None, :]
    y = np.arange(sizes.height, dtype=np.float32)[:, None]
    return _cosine_and_sine(x * np.float32(across) + y * np.float32(down) + np.float32(phase))


def _cosine_and_sine(
    cycles: Float32[np.ndarray, "height width"],
) -> tuple[Float32[np.ndarray, "height width"], Float32[np.ndarray, "height width"]]:
    cycles = cycles - np.floor(cycles)
    cosine, sine = cv2.polarToCart(np.ones_like(cycles), cycles * np.float32(_TURN))
    return np.asarray(cosine, np.float32), np.asarray(sine, np.float32)


def _print_pattern(draws: Draws, sizes: Sizes) -> Callable[[Light], Light]:
    """Clustered dots or grain, and sometimes the passes of a print head."""
    strength, pitch = draws.log_uniform(0.01, 0.25), sizes.fine * draws.log_uniform(1.2, 5.0)
    is_dots = draws.chance(0.6)
    if is_dots:  # Each ink has its own angle: 15, 75 and 45 degrees.
        base = draws.uniform(0, 90)
        channels = []
        for angle in np.deg2rad([15 + base, 75 + base, 45 + base]):
            cos, sin = np.cos(angle) / pitch, np.sin(angle) / pitch
            channels.append(_wave(sizes, cos, sin)[0] + _wave(sizes, -sin, cos)[0])
        field = np.float32(0.5 * strength) * np.dstack(channels)
    else:
        field = np.float32(0.35 * strength) * draws.grain(sizes, draws.log_uniform(0.4, 1.5))
    passes = None
    if draws.chance(0.25):
        depth, length = draws.uniform(0, 0.06), sizes.fine * draws.log_uniform(4, 30)
        rows = np.arange(sizes.height, dtype=np.float32)[:, None, None]
        passes = 1 + np.float32(depth) * np.sin(np.float32(_TURN / length) * rows)

    def lay(light: Light) -> Light:
        covered = np.clip(light, 0, 1)
        # Dots are strongest where they cover half of the paper.
        room = covered * (1 - covered) if is_dots else covered
        light = light + field * np.sqrt(room)
        return light if passes is None else light * passes

    return lay


def _stripes(draws: Draws, sizes: Sizes) -> Light:
    """The panel's red, green and blue stripes as the camera samples them: a factor of the light.

    What is finer than two pixels folds into coarse bands (moire); the panel's angle and the lens
    bend them.
    """
    x = np.arange(sizes.width, dtype=np.float32)[None, :] - sizes.face.centre[0]
    y = np.arange(sizes.height, dtype=np.float32)[:, None] - sizes.face.centre[1]
    reach = max(sizes.unit_px, max(sizes.height, sizes.width) / 2)
    bends = [np.float32(draws.uniform(-1, 1) * 0.12 / reach) for _ in range(4)]
    bent_x = np.asarray(x + bends[0] * x * x + bends[1] * x * y, np.float32)
    bent_y = np.asarray(y + bends[2] * y * y + bends[3] * x * y, np.float32)
    cycles = draws.log_uniform(0.15, 2.5) / sizes.fine  # A pixel.
    turn = np.deg2rad(draws.normal(8) + 90 * draws.below(2))
    strength = draws.log_uniform(0.01, 0.3)
    factors = [np.ones((sizes.height, sizes.width), np.float32) for _ in range(3)]
    for right, down, share in ((1, 0, 1.0), (0, 1, 0.6), (1, 1, 0.3)):
        along_x = cycles * (right * np.cos(turn) - down * np.sin(turn))
        along_y = cycles * (right * np.sin(turn) + down * np.cos(turn))
        phase = draws.uniform(0, 1)
        wave = np.float32(along_x) * bent_x + np.float32(along_y) * bent_y + np.float32(phase)
        cosine, sine = _cosine_and_sine(np.asarray(wave, np.float32))
        for channel in range(3):
            third = (channel - 1) * _TURN / 3 * right  # The three colours lie side by side.
            seen = np.float32(np.cos(third)) * cosine - np.float32(np.sin(third)) * sine
            factors[channel] *= 1 + np.float32(strength * share) * seen
    return np.asarray(cv2.merge(factors), np.float32)


def _refresh(draws: Draws, sizes: Sizes) -> Callable[[int], Float32[np.ndarray, "height 1 1"]]:
    """Dark bands that walk over the panel: a factor of the light of a frame."""
    bands, phase = draws.uniform(0.3, 3), draws.uniform(0, 1)
    depth, walk = draws.uniform(0, 0.1), draws.uniform(-0.1, 0.1)
    rows = np.arange(sizes.height, dtype=np.float32)[:, None, None] / np.float32(sizes.unit_px)

    def factor(number: int) -> Float32[np.ndarray, "height 1 1"]:
        cycles = rows * bands + phase + walk * number
        return np.asarray(1 - depth * (1 + np.sin(_TURN * cycles)), np.float32)

    return factor
