"""PAI species replay: a clip on a screen, held before the camera."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from vivant.attacks.camera import Camera, Filming, to_light
from vivant.attacks.gratings import seen_wave
from vivant.attacks.hand import Hands
from vivant.attacks.light import Light
from vivant.attacks.ranges import one_of, ranged
from vivant.attacks.recapture import (
    Places,
    Sheet,
    before_scene,
    lay_over,
    light_up,
    locate,
    project,
    three,
)
from vivant.attacks.species.species import Species
from vivant.attacks.staging import Staging

__all__ = ["screen_replay"]

_FINER = 1.25  # Pixels of the sheet for one of the frame, so that edges are sharp.
_MAX_SIDE_PX = 1600  # Of a sheet: one that reaches far beyond the frame is coarser.
_STRIPE = 1 / 3  # Of a pixel's width that each of its three stripes has.
_LINE = 0.75  # Of a pixel's height that gives light.
_WAVES = ((1, 0), (0, 1), (1, 1), (1, -1), (2, 0))  # Cycles per pixel of the screen, x and y.


@dataclass(frozen=True, slots=True)
class ScreenLook:
    """A phone, tablet or monitor with red, green and blue stripes in each pixel."""

    picture_cm: float = ranged(15.0, 10.0, 34.0, log=True)
    """Width of the picture on the panel."""
    ppi: float = ranged(132.0, 90.0, 300.0, log=True)
    """Pixels of the panel per inch."""
    letterbox: float = ranged(0.0, 0.0, 0.2)
    """Black bars above and below, as a share of the picture's height."""
    bezel_cm: float = ranged(0.6, 0.25, 2.0, log=True)
    """Black border at the sides; a little more above and below."""
    gamma: float = ranged(1.15, 1.0, 1.4)
    """Exponent of the screen's light against the picture's: above 1 is contrastier."""
    black: float = ranged(0.012, 0.002, 0.03)
    """Light of a black pixel, 0..1."""
    brightness: float = ranged(0.7, 0.38, 0.95)
    """Light of a white pixel against that of white paper in the room."""
    coolness: float = ranged(0.02, -0.08, 0.08)
    """Of white: share of blue that is more, and of red that is less."""
    falloff: float = ranged(0.7, 0.0, 3.0)
    """How fast it gets darker seen from the side: exponent of the cosine."""
    reflection: float = ranged(0.04, 0.0, 0.09)
    """Light of the room that the glass mirrors at most, 0..1."""
    band: float = ranged(0.05, 0.0, 0.12)
    """How much darker the band is that runs over the screen when it is refreshed, 0..1."""
    band_step: float = ranged(0.023, -0.06, 0.06)
    """How far the band moves from one frame to the next, as a share of the frame's height."""
    grip: str = one_of("thumbs", "unseen")
    """Whether the hands that hold it are seen."""


def screen_replay() -> Species:
    """A clip shown on a panel of pixels; moire comes of sampling them."""
    return Species("replay", ScreenLook, _film, moves=True)


def _film(
    staging: Staging, filming: Filming, look: ScreenLook, generator: np.random.Generator
) -> Iterator[UInt8[np.ndarray, "frame_height frame_width 3"]]:
    """Frames of a screen that shows one picture after the other, or one all the time."""
    rows, columns = staging.pictures[0].shape[:2]
    density = min(_FINER * staging.scale, _MAX_SIDE_PX / max(rows, columns))
    shown_size = (round(density * columns), round(density * rows))
    device, (x0, y0) = _device(shown_size, look)
    pitch = shown_size[0] / (look.picture_cm / 2.54 * look.ppi)  # In pixels of the sheet.
    area = (x0, y0, x0 + shown_size[0], y0 + shown_size[1])
    panel = (slice(area[1], area[3]), slice(area[0], area[2]), slice(0, 3))
    hands = None
    if look.grip == "thumbs":
        size = (device.shape[1] / density, device.shape[0] / density)
        width_cm = look.picture_cm + 2 * look.bezel_cm
        hands = Hands(size, staging.scale, width_cm, 0.03, staging.lens, generator)
    sheet = Sheet(device, density)
    window = _Window(generator)
    band_at = float(generator.uniform())
    for number, pose in enumerate(staging.path):
        if number == 0 or len(staging.pictures) > 1:
            device[panel] = _shown(staging.pictures[number], shown_size, pitch, look, filming.light)
        light = staging.behind(number)
        places = locate(pose, (device.shape[1], device.shape[0]), density, staging.lens)
        if places is None:
            yield filming.film(light)
            continue
        seen = project(sheet, places)
        screen = _seen_area(places, area, density / staging.scale)
        facing = -(places.rays * places.normals).sum(axis=-1)
        facing = facing / np.linalg.norm(places.rays, axis=-1)
        factor = places.spread(np.clip(facing, 0.05, 1) ** look.falloff)
        factor *= 1 - look.band * _band(places, len(light), band_at + number * look.band_step)
        light_up(seen, 1 + screen * (factor - 1))
        light[places.part] = before_scene(seen, light[places.part])
        # The lens blurs all of it before the sensor samples the stripes of what shines.
        light = filming.focus(light)
        stripes = moire(places, pitch, filming.camera)
        if stripes is not None:
            light[places.part] *= 1 + (stripes - 1) * three(screen)
        glare = screen * places.spread(look.reflection * window.light(places.mirrored()))
        light[places.part] += three(glare)
        if hands is not None:
            found = hands.seen(pose)
            if found is not None:  # They come after the lens, and are blurred by it like the rest.
                lay_over(light, (found[0], filming.focus(found[1])))
        yield filming.record(light)


def moire(
    places: Places, pitch: float, camera: Camera
) -> Float32[np.ndarray, "height width 3"] | None:
    """By how much the screen's stripes brighten or darken each pixel of the frame: about 1.

    Args:
        places: Where on the sheet that holds the screen the pixels look.
        pitch: Distance of the screen's pixels, in pixels of that sheet.
        camera: Its lens and aperture.

    Returns:
        A factor for red, green and blue; None where nothing of them is visible.
    """
    result: Float32[np.ndarray, "height width 3"] | None = None
    for along_x, along_y in _WAVES:
        # sinc is numpy's sin(pi t) / (pi t): the Fourier series of openings of that share.
        strength = 2 * float(np.sinc(along_x * _STRIPE) * np.sinc(along_y * _LINE))
        wave = seen_wave(places, (along_x / pitch, along_y / pitch), strength, camera)
        if wave is None:
            continue
        if result is None:
            result = np.ones((*places.columns.shape, 3), np.float32)
        cosine, sine = wave
        for channel, stripe in enumerate((-_STRIPE, 0.0, _STRIPE)):
            turn = 2 * np.pi * along_x * stripe
            result[..., channel] += np.float32(np.cos(turn)) * cosine
            if turn:
                result[..., channel] += np.float32(np.sin(turn)) * sine
    return result


def _device(
    shown_size: tuple[int, int], look: ScreenLook
) -> tuple[Float32[np.ndarray, "rows columns 4"], tuple[int, int]]:
    """A device that is switched off, and where on it the picture begins: (x, y)."""
    width, height = shown_size
    side = round(look.bezel_cm / look.picture_cm * width)
    end = round(1.4 * side) + round(look.letterbox * height)
    right, bottom = width + 2 * side - 1, height + 2 * end - 1
    cover = np.zeros((bottom + 1, right + 1), np.uint8)
    radius = min(round(0.6 / look.picture_cm * width), width // 4)
    cv2.rectangle(cover, (radius, 0), (right - radius, bottom), 255, -1)
    cv2.rectangle(cover, (0, radius), (right, bottom - radius), 255, -1)
    for x in (radius, right - radius):
        for y in (radius, bottom - radius):
            cv2.circle(cover, (x, y), radius, 255, -1, cv2.LINE_AA)
    light = np.zeros((*cover.shape, 4), np.float32)
    light[..., 3] = cover.astype(np.float32) / 255
    inside = cv2.erode(
        light[..., 3], np.ones((5, 5), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    # A black frame, and a lighter edge of metal.
    light[..., :3] = (0.012 * light[..., 3] + 0.2 * (light[..., 3] - inside))[..., None]
    return light, (side, end)


def _shown(
    picture: UInt8[np.ndarray, "height width 3"],
    size: tuple[int, int],
    pitch: float,
    look: ScreenLook,
    room: Light,
) -> Float32[np.ndarray, "rows columns 3"]:
    """The light of a picture on the screen, which has no more detail than the panel has pixels.

    The camera gives all that it sees the room's colour, which a screen's own light has not.
    """
    level = np.arange(256, dtype=np.uint8)
    curve = to_light(np.repeat(level[None, :, None], 3, axis=2))[0] ** np.float32(look.gamma)
    tint = np.array([(1 - look.coolness) / room.red, 1, (1 + look.coolness) / room.blue])
    curve = (look.black + (look.brightness - look.black) * curve) * tint
    if pitch > 1:
        panel = (max(round(size[0] / pitch), 1), max(round(size[1] / pitch), 1))
        picture = _resized(picture, panel)
    scaled = _resized(picture, size)
    return np.asarray(cv2.LUT(scaled, curve[None].astype(np.float32)), np.float32)


def _resized(
    picture: UInt8[np.ndarray, "_height _width 3"], size: tuple[int, int]
) -> UInt8[np.ndarray, "rows columns 3"]:
    shrinks = size[0] < picture.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=interpolation), np.uint8)


def _seen_area(
    places: Places, area: tuple[int, int, int, int], finer: float
) -> Float32[np.ndarray, "height width"]:
    """How much of each pixel of the frame the screen fills, 0..1.

    Args:
        places: Where the pixels look.
        area: x0 y0 x1 y1 of the screen on its sheet.
        finer: About how many pixels of the sheet a pixel of the frame is wide.
    """
    x0, y0, x1, y1 = (edge - 0.5 for edge in area)
    inside = np.minimum(places.columns - x0, x1 - places.columns)
    inside = np.minimum(inside, np.minimum(places.rows - y0, y1 - places.rows))
    return np.asarray(np.clip(inside / finer + 0.5, 0, 1), np.float32)


def _band(places: Places, height: int, at: float) -> Float32[np.ndarray, "height 1"]:
    """The dark band of a refresh, 0..1, with its middle at a share of the frame's height."""
    rows = np.arange(places.part[0].start, places.part[0].stop, dtype=np.float32)[:, None]
    waves = np.cos(2 * np.pi * (rows / height - np.float32(at)))
    return np.asarray(np.maximum(waves, 0) ** 4, np.float32)


class _Window:
    """A window behind the camera, that the glass mirrors: out of focus."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._middle = generator.uniform([-0.45, -0.6], [0.45, 0.1])
        self._half = generator.uniform([0.08, 0.1], [0.25, 0.3])
        self._edge = float(generator.uniform(0.015, 0.06))

    def light(
        self, directions: Float[np.ndarray, "rows columns 3"]
    ) -> Float[np.ndarray, "rows columns"]:
        """What comes from these directions, 0..1: little from the room, much from the window."""
        at = directions[..., :2] / np.maximum(-directions[..., 2:], 0.05)
        beyond = (np.abs(at - self._middle) - self._half) / self._edge
        through = 1 / (1 + np.exp(np.clip(beyond, -30, 30)))
        return np.asarray(0.15 + 0.85 * through[..., 0] * through[..., 1])
