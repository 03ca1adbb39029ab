"""Rooms that people are filmed in: drawn, from sharp to far out of focus."""

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from vivant.attacks.wardrobe import grain
from vivant.errors import UnknownNameError

__all__ = ["ROOMS", "room"]

Picture = Float32[np.ndarray, "height width 3"]


def room(
    kind: str, size: tuple[int, int], defocus: float, generator: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """A room with nobody in it.

    Args:
        kind: One of `ROOMS`.
        size: (width, height) in pixels.
        defocus: Standard deviation of the blur, as a share of the width: 0 is sharp.
        generator: Draws what is in it.

    Returns:
        RGB, 0..255.

    Raises:
        UnknownNameError: no such kind.
    """
    if kind not in ROOMS:
        raise UnknownNameError("kind of room", kind, ROOMS)
    width, height = size
    picture = ROOMS[kind](width, height, generator)
    # Some side is nearer to the light.
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    slope_x, slope_y = generator.uniform([-0.22, -0.12], [0.22, 0.12])
    picture *= (1 + slope_x * x + slope_y * y)[..., None].astype(np.float32)
    if defocus > 0:
        # In light and not in pixels: lamps out of focus are bright discs.
        linear = np.clip(picture / 255, 0, 1.1) ** 2.2
        soft = cv2.GaussianBlur(linear.astype(np.float32), (0, 0), defocus * width)
        picture = np.asarray(255 * soft ** (1 / 2.2), np.float32)
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def _paint(low: float, high: float, generator: np.random.Generator) -> Float[np.ndarray, " 3"]:
    """A muted colour."""
    value = generator.uniform(low, high)
    return np.asarray(value * (1 + generator.uniform(-0.1, 0.1, 3)))


def _surface(
    width: int, height: int, colour: Float[np.ndarray, " 3"], generator: np.random.Generator
) -> Picture:
    """A painted wall: not quite even."""
    plaster = 1 + 0.02 * grain((width, height), (0.12 * width, 0.12 * width), generator)
    plaster += 0.012 * grain((width, height), (1.2, 1.2), generator)
    return np.asarray(plaster[..., None] * colour, np.float32)


def _box(
    picture: Picture, x0: float, y0: float, x1: float, y1: float, colour: Float[np.ndarray, " 3"]
) -> None:
    start, end = (round(x0), round(y0)), (round(x1), round(y1))
    cv2.rectangle(picture, start, end, colour.tolist(), -1, cv2.LINE_AA)


def _wall(width: int, height: int, generator: np.random.Generator) -> Picture:
    """A wall with frames on it."""
    picture = _surface(width, height, _paint(120.0, 225.0, generator), generator)
    for _ in range(int(generator.integers(1, 5))):
        x, y = generator.uniform([0, 0], [0.9 * width, 0.55 * height])
        wide, tall = generator.uniform(0.12, 0.32, 2) * width
        _box(picture, x, y, x + wide, y + tall, _paint(20.0, 120.0, generator))
        inner = 0.07 * wide
        _box(
            picture, x + inner, y + inner, x + wide - inner, y + tall - inner,
            _paint(110.0, 240.0, generator),
        )  # fmt: skip
        for _ in range(4):
            at = generator.uniform([x + 2 * inner, y + 2 * inner], [x + wide - inner, y + tall])
            radius = round(float(generator.uniform(0.05, 0.2)) * wide)
            place = (round(float(at[0])), round(float(min(at[1], y + tall - 2 * inner))))
            cv2.circle(
                picture,
                place,
                min(radius, round(inner * 2)),
                _paint(30.0, 220.0, generator).tolist(),
                -1,
            )
    return picture


def _shelf(width: int, height: int, generator: np.random.Generator) -> Picture:
    """Books."""
    picture = _surface(width, height, _paint(40.0, 110.0, generator), generator)
    wood = _paint(60.0, 150.0, generator) * [1.15, 0.95, 0.75]
    rows = int(generator.integers(3, 6))
    step = height / rows
    for row in range(rows + 1):
        x, bottom = -float(generator.uniform(0, 10)), (row + 1) * step - 0.06 * step
        while x < width:
            wide = float(generator.uniform(0.02, 0.07)) * width
            top = bottom - float(generator.uniform(0.55, 0.88)) * step
            if generator.uniform() < 0.88:
                colour = _paint(40.0, 200.0, generator) * generator.uniform(0.5, 1.3, 3)
                _box(picture, x, top, x + wide - 1, bottom, colour)
                _box(picture, x, top + 0.12 * step, x + wide - 1, top + 0.17 * step, colour * 1.4)
            x += wide
        _box(picture, 0.0, bottom, float(width), bottom + 0.08 * step, wood)
    return picture


def _window(width: int, height: int, generator: np.random.Generator) -> Picture:
    """A window beside a wall, the day behind it."""
    picture = _surface(width, height, _paint(95.0, 175.0, generator), generator)
    left = float(generator.uniform(-0.2, 0.55)) * width
    right = left + float(generator.uniform(0.4, 0.7)) * width
    top, bottom = generator.uniform([0.0, 0.5], [0.1, 0.8]) * height
    frame = _paint(170.0, 235.0, generator)
    _box(picture, left - 8, top - 8, right + 8, bottom + 8, frame)
    sky = np.linspace(1.1, 0.9, max(round(bottom - top), 1))
    x0, x1 = max(round(left), 0), min(round(right), width)
    y0 = round(top)
    outside = sky[:, None, None] * np.array([215, 230, 245])
    hills = 0.5 + 0.15 * np.sin(np.arange(x0, x1) / width * generator.uniform(4, 12))
    is_hill = np.arange(len(sky))[:, None] > hills[None] * len(sky)
    green = _paint(70.0, 130.0, generator) * [0.8, 1.1, 0.7]
    view = np.where(is_hill[..., None], green, outside)[: height - y0]
    picture[y0 : y0 + len(view), x0:x1] = view
    for share in np.linspace(0, 1, int(generator.integers(2, 4)) + 1)[1:-1]:
        _box(picture, left + share * (right - left) - 4, top, left + share * (right - left) + 4,
             bottom, frame)  # fmt: skip
    if generator.uniform() < 0.5:  # Blinds.
        for y in np.arange(top, bottom, 0.03 * height):
            _box(picture, left, y, right, y + 0.012 * height, frame * 0.95)
    return picture


def _bricks(width: int, height: int, generator: np.random.Generator) -> Picture:
    """A wall of bricks or tiles."""
    tall = float(generator.uniform(0.03, 0.09)) * height
    wide = tall * float(generator.uniform(1.0, 2.8))
    offset = 0.5 * wide if generator.uniform() < 0.7 else 0.0
    base = _paint(90.0, 190.0, generator) * generator.uniform([0.95, 0.85, 0.75], [1.3, 1.0, 1.0])
    picture = _surface(width, height, _paint(110.0, 200.0, generator), generator)
    for row in range(int(height / tall) + 1):
        for column in range(-1, int(width / wide) + 1):
            x, y = column * wide + (row % 2) * offset, row * tall
            colour = base * generator.uniform(0.82, 1.12)
            _box(picture, x + 1, y + 1, x + wide - 2, y + tall - 2, colour)
    return picture * (1 + 0.05 * grain((width, height), (1.5, 1.5), generator))[..., None]


def _curtain(width: int, height: int, generator: np.random.Generator) -> Picture:
    """Cloth in folds, from above to below."""
    x = np.arange(width) / width
    phase = x * generator.uniform(8, 26) * 2 * np.pi
    phase = phase + generator.uniform(0.5, 2.5) * np.sin(2 * np.pi * x * generator.uniform(1, 3))
    fold = 1 + 0.25 * np.sin(phase) + 0.08 * np.sin(2.3 * phase + 1)
    picture = np.ones((height, 1, 1)) * fold[None, :, None] * _paint(70.0, 190.0, generator)
    weave = 1 + 0.04 * grain((width, height), (0.7, 3.0), generator)
    return np.asarray(picture * weave[..., None], np.float32)


def _plants(width: int, height: int, generator: np.random.Generator) -> Picture:
    """Leaves before a wall or the sky."""
    picture = _surface(width, height, _paint(120.0, 230.0, generator), generator)
    for _ in range(int(generator.integers(90, 220))):
        x, y = generator.uniform([0, 0.1 * height], [width, height])
        long, thin = generator.uniform([0.04, 0.01], [0.13, 0.035]) * width
        green = _paint(35.0, 140.0, generator) * [0.75, 1.15, 0.55]
        cv2.ellipse(
            picture, (round(float(x)), round(float(y))),
            (round(float(long)), round(float(thin)) + 1),
            float(generator.uniform(0, 180)), 0, 360, green.tolist(), -1, cv2.LINE_AA,
        )  # fmt: skip
    return picture


def _office(width: int, height: int, generator: np.random.Generator) -> Picture:
    """A door, a board, ceiling lights, a desk's edge."""
    picture = _surface(width, height, _paint(130.0, 210.0, generator), generator)
    horizon = float(generator.uniform(0.08, 0.16)) * height
    _box(picture, 0.0, 0.0, float(width), horizon, _paint(190.0, 235.0, generator))
    for x in np.arange(generator.uniform(0, 0.2) * width, width, 0.35 * width):
        _box(picture, x, 0.3 * horizon, x + 0.18 * width, 0.6 * horizon, np.full(3, 275.0))
    door = float(generator.uniform(-0.1, 0.75)) * width
    _box(
        picture,
        door,
        0.2 * height,
        door + 0.3 * width,
        float(height),
        _paint(70.0, 170.0, generator),
    )
    _box(picture, door + 0.03 * width, 0.6 * height, door + 0.07 * width, 0.62 * height,
         _paint(180.0, 230.0, generator))  # fmt: skip
    board = (door + 0.4 * width) % width
    _box(
        picture,
        board,
        0.22 * height,
        board + 0.4 * width,
        0.5 * height,
        _paint(200.0, 245.0, generator),
    )
    for _ in range(8):
        x, y = generator.uniform([board, 0.25 * height], [board + 0.35 * width, 0.48 * height])
        end = (round(float(x + generator.uniform(10, 70))), round(float(y)))
        cv2.line(
            picture,
            (round(float(x)), round(float(y))),
            end,
            _paint(30.0, 120.0, generator).tolist(),
            2,
        )
    _box(picture, 0.0, 0.86 * height, float(width), float(height), _paint(60.0, 130.0, generator))
    return picture


def _panelling(width: int, height: int, generator: np.random.Generator) -> Picture:
    """Wooden boards."""
    wood = _paint(80.0, 170.0, generator) * [1.2, 0.95, 0.7]
    rings = 0.12 * grain((width, height), (2.0, 0.25 * height), generator)
    rings += 0.05 * grain((width, height), (0.8, 0.1 * height), generator)
    picture = (1 + rings)[..., None] * wood
    step = float(generator.uniform(0.08, 0.2)) * width
    for number, x in enumerate(np.arange(-step * generator.uniform(), width, step)):
        part = slice(max(round(x), 0), max(round(x + step), 0))
        picture[:, part] *= float(generator.uniform(0.85, 1.12)) if number >= 0 else 1.0
        picture[:, max(round(x), 0) : max(round(x) + 2, 0)] *= 0.55
    return np.asarray(picture, np.float32)


ROOMS: dict[str, Callable[[int, int, np.random.Generator], Picture]] = {
    "wall": _wall,
    "shelf": _shelf,
    "window": _window,
    "bricks": _bricks,
    "curtain": _curtain,
    "plants": _plants,
    "office": _office,
    "panelling": _panelling,
}
"""What a room is like."""
