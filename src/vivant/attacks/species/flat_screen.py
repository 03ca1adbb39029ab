"""PAI species replay: pictures on a screen, held before the camera."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from vivant.attacks.camera import Camera, focus, record, to_light
from vivant.attacks.hand import hold
from vivant.attacks.pose import Pose
from vivant.attacks.recapture import Sheet, before_scene, homography, project
from vivant.errors import InputError

__all__ = ["ScreenLook", "flat_screen"]

_DENSITY = 1.5  # Pixels of the sheet for one of the frame, so that edges are sharp.
_STRIPE = 1 / 3  # Of a pixel's width that each of its three stripes has.
_LINE = 0.75  # Of a pixel's height that gives light.
_WAVES = ((1, 0), (0, 1), (1, 1), (1, -1), (2, 0))  # Cycles per pixel of the screen, x and y.
_INVISIBLE = 0.003  # A wave that leaves less than that is under the noise.


@dataclass(frozen=True, slots=True)
class ScreenLook:
    """A phone or tablet with red, green and blue stripes in each pixel."""

    width: float = 0.54
    """Of the device, as a share of the frame's width."""
    bezel: float = 0.04
    """Black border, as a share of the device's width."""
    pixel_px: float = 1.13
    """Distance of the screen's pixels, in pixels of the frame at scale 1. About 1 or 1/2 gives
    wide bands of moire, in between fine ones."""
    gamma: float = 1.12
    """Exponent of the screen's light against the picture's: above 1 is contrastier."""
    black: float = 0.012
    """Light of a black pixel, 0..1."""
    brightness: float = 0.9
    """Light of a white pixel, 0..1: 1 is as much as the camera records."""
    tint: tuple[float, float, float] = (0.93, 1.0, 1.1)
    """Of white: a screen is bluer than a room."""
    reflection: float = 0.05
    """Light of the room that the glass mirrors at most, 0..1."""
    band: float = 0.05
    """How much darker the band is that runs over the screen when it is refreshed, 0..1."""
    band_step: float = 0.023
    """How far the band moves from one frame to the next, as a share of the frame's height."""


def flat_screen(
    pictures: Sequence[UInt8[np.ndarray, "_height _width 3"]],
    scene: UInt8[np.ndarray, "frame_height frame_width 3"],
    path: Sequence[Pose],
    camera: Camera,
    generator: np.random.Generator,
    look: ScreenLook | None = None,
) -> Iterator[UInt8[np.ndarray, "frame_height frame_width 3"]]:
    """Frames of a screen that is moved before a camera.

    Args:
        pictures: What is shown, RGB, 0..255, all of one size: one for each frame, or one for all.
        scene: What the camera sees behind the device, RGB, 0..255; of the size of the frames.
        path: Where the device is, frame by frame.
        camera: What films it.
        generator: Draws reflections and noise.
        look: Of the screen.

    Raises:
        InputError: neither one picture nor one for each frame, or of several sizes.
    """
    if len(pictures) not in (1, len(path)):
        raise InputError(
            f"expected one picture or {len(path)}, one for each frame, got {len(pictures)}"
        )
    if len({picture.shape for picture in pictures}) > 1:
        raise InputError("expected pictures of one size, as a screen shows them")
    look = look or ScreenLook()
    height, width = scene.shape[:2]
    size = (width, height)
    behind = to_light(scene)
    mirrored = _mirrored(width, height, generator)
    start = float(generator.uniform())
    device, area = _device(pictures[0].shape[:2], round(look.width * width * _DENSITY), look)
    held, added = hold(device, 0.8 * look.bezel, generator)
    x0, y0, x1, y1 = (edge + added for edge in area)
    sheet = Sheet(held, _DENSITY)
    for number, pose in enumerate(path):
        if number == 0 or len(pictures) > 1:
            held[y0:y1, x0:x1, :3] = _shown(pictures[number], (x1 - x0, y1 - y0), look)
        to_frame = homography(pose, (held.shape[1], held.shape[0]), _DENSITY, size)
        seen = project(sheet, to_frame, size)
        screen = _seen_area(to_frame, (x0, y0, x1, y1), size)
        seen[..., :3] *= 1 - look.band * screen * _band(height, start + number * look.band_step)
        # The lens blurs all of it before the sensor samples the stripes of what shines.
        light = focus(before_scene(seen, behind), camera)
        left, top, columns, rows = cv2.boundingRect(np.rint(screen * 255).astype(np.uint8))
        within = (slice(top, top + rows), slice(left, left + columns))
        to_screen = np.linalg.inv(to_frame) @ np.array([[1, 0, left], [0, 1, top], [0, 0, 1]])
        stripes = moire(to_screen, look.pixel_px * _DENSITY, camera, (columns, rows))
        stripes -= 1
        stripes *= screen[within]
        stripes += 1
        light[within] *= stripes
        light[within] += look.reflection * (screen * _glare(mirrored, pose))[within]
        yield record(light, camera, generator)


def moire(
    to_screen: Float[np.ndarray, "3 3"],
    pitch: float,
    camera: Camera,
    frame_size: tuple[int, int],
) -> Float32[np.ndarray, "height width 3"]:
    """By how much the screen's stripes brighten or darken each pixel of the frame: about 1.

    A screen's light is its picture times stripes that repeat: a Fourier series. Lens and pixel
    leave a part of each wave that is known from its frequency there; sampling folds what is left
    into coarse bands. So no finer picture has to be made to average over.

    Args:
        to_screen: From pixels of the frame to pixels of the sheet that holds the screen.
        pitch: Distance of the screen's pixels, in pixels of that sheet.
        camera: Its lens and aperture.
        frame_size: (width, height) in pixels.

    Returns:
        A factor for red, green and blue.
    """
    width, height = frame_size
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    across, down = _places(to_screen, pitch, x, y)
    # A wave's frequency changes slowly over the frame: known on a grid, it is known everywhere.
    grid_x, grid_y = (np.linspace(0, n - 1, 16, dtype=np.float32) for n in (width, height))
    here = _places(to_screen, pitch, grid_x, grid_y[:, None])
    right = _places(to_screen, pitch, grid_x + 1, grid_y[:, None])
    below = _places(to_screen, pitch, grid_x, grid_y[:, None] + 1)
    result = np.ones((height, width, 3), np.float32)
    for along_x, along_y in _WAVES:
        frequency_x, frequency_y = (
            along_x * (moved[0] - here[0]) + along_y * (moved[1] - here[1])
            for moved in (right, below)
        )
        # sinc is numpy's sin(pi t) / (pi t): the Fourier series of openings of that share.
        strength = 2 * np.sinc(along_x * _STRIPE) * np.sinc(along_y * _LINE)
        left = np.float32(strength) * _left_over(frequency_x, frequency_y, camera)
        if np.abs(left).max() < _INVISIBLE:
            continue
        share = cv2.warpAffine(  # Corner on corner.
            left,
            np.array([[(width - 1) / 15, 0, 0], [0, (height - 1) / 15, 0]]),
            frame_size,
            borderMode=cv2.BORDER_REPLICATE,
        )
        angle = along_x * across + along_y * down
        angle -= np.floor(angle)
        angle *= np.float32(2 * np.pi)
        cosine, sine = share * np.cos(angle), share * np.sin(angle)
        for channel, stripe in enumerate((-_STRIPE, 0.0, _STRIPE)):
            turn = 2 * np.pi * along_x * stripe
            result[..., channel] += np.float32(np.cos(turn)) * cosine
            if turn:
                result[..., channel] += np.float32(np.sin(turn)) * sine
    return result


def _places(
    to_screen: Float[np.ndarray, "3 3"],
    pitch: float,
    x: Float32[np.ndarray, " columns"],
    y: Float32[np.ndarray, "rows 1"],
) -> tuple[Float32[np.ndarray, "rows columns"], Float32[np.ndarray, "rows columns"]]:
    """Where pixels of the frame lie on the screen: (x, y) in pixels of the screen."""
    (a, b, c), (d, e, f), (g, h, i) = to_screen.astype(np.float32)
    scale = 1 / ((g * x + h * y + i) * np.float32(pitch))
    return (a * x + (b * y + c)) * scale, (d * x + (e * y + f)) * scale


def _left_over(
    across: Float32[np.ndarray, "rows columns"],
    down: Float32[np.ndarray, "rows columns"],
    camera: Camera,
) -> Float32[np.ndarray, "rows columns"]:
    """What lens and pixel leave of a wave of these cycles per pixel of the frame, -1..1."""
    aperture = np.float32(camera.aperture)
    lens = np.exp(-2 * (np.pi * camera.defocus_px) ** 2 * (across**2 + down**2))
    return np.asarray(lens * np.sinc(across * aperture) * np.sinc(down * aperture), np.float32)


def _device(
    picture_shape: tuple[int, int], width: int, look: ScreenLook
) -> tuple[Float32[np.ndarray, "rows columns 4"], tuple[int, int, int, int]]:
    """A device that is switched off, and where on it the screen is: x0 y0 x1 y1."""
    side = round(look.bezel * width)
    end = round(1.6 * look.bezel * width)
    inner = width - 2 * side
    inner_height = round(inner * picture_shape[0] / picture_shape[1])
    right, bottom = width - 1, inner_height + 2 * end - 1
    cover = np.zeros((bottom + 1, width), np.uint8)
    radius = round(0.05 * width)
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
    return light, (side, end, side + inner, end + inner_height)


def _seen_area(
    to_frame: Float[np.ndarray, "3 3"],
    area: tuple[int, int, int, int],
    frame_size: tuple[int, int],
) -> Float32[np.ndarray, "height width 1"]:
    """How much of each pixel of the frame the screen fills, 0..1."""
    x0, y0, x1, y1 = (edge - 0.5 for edge in area)
    corners = np.array([[[x0, y0], [x1, y0], [x1, y1], [x0, y1]]])
    seen = cv2.perspectiveTransform(corners, to_frame)
    mask = np.zeros(frame_size[::-1], np.uint8)
    cv2.fillConvexPoly(mask, np.rint(seen * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    return mask[..., None].astype(np.float32) / 255


def _band(height: int, at: float) -> Float32[np.ndarray, "{height} 1 1"]:
    """The dark band of a refresh, 0..1, with its middle at a share of the frame's height."""
    rows = np.arange(height, dtype=np.float32)[:, None, None] / height
    return np.asarray(np.maximum(np.cos(2 * np.pi * (rows - at)), 0) ** 4, np.float32)


def _glare(
    mirrored: Float32[np.ndarray, "height width"], pose: Pose
) -> Float32[np.ndarray, "height width 1"]:
    """What the glass mirrors: it runs fast when the device is turned."""
    shift = np.array([[1, 0, 12 * pose.yaw_deg], [0, 1, -12 * pose.pitch_deg]])
    size = mirrored.shape[::-1]
    moved = cv2.warpAffine(mirrored, shift, size, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)[..., None]


def _shown(
    picture: UInt8[np.ndarray, "height width 3"], size: tuple[int, int], look: ScreenLook
) -> Float32[np.ndarray, "rows columns 3"]:
    """The light of a picture on the screen."""
    level = np.arange(256, dtype=np.uint8)
    curve = to_light(np.repeat(level[None, :, None], 3, axis=2))[0] ** np.float32(look.gamma)
    curve = (look.black + (look.brightness - look.black) * curve) * np.array(look.tint)
    interpolation = cv2.INTER_AREA if size[0] < picture.shape[1] else cv2.INTER_CUBIC
    scaled = np.asarray(cv2.resize(picture, size, interpolation=interpolation), np.uint8)
    return np.asarray(
        np.stack([curve[scaled[..., c], c] for c in range(3)], axis=-1), dtype=np.float32
    )


def _mirrored(
    width: int, height: int, generator: np.random.Generator
) -> Float32[np.ndarray, "{height} {width}"]:
    """A window that the glass mirrors, out of focus, 0..1."""
    light = np.full((height, width), 0.15, np.float32)
    middle = generator.uniform([0.15, 0.1], [0.85, 0.5]) * (width, height)
    half = generator.uniform([0.08, 0.1], [0.16, 0.2]) * (width, height)
    angle = float(generator.uniform(-20, 20))
    corners = cv2.boxPoints((middle.tolist(), (2 * half).tolist(), angle))
    cv2.fillPoly(light, [np.rint(corners).astype(np.int32)], 1.0)
    return np.asarray(cv2.GaussianBlur(light, (0, 0), 0.03 * width), np.float32)
