"""PAI species print: a picture on paper, held before the camera by a hand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from vivant.attacks.camera import Camera, film, to_light
from vivant.attacks.hand import hold
from vivant.attacks.pose import Pose
from vivant.attacks.recapture import Sheet, before_scene, homography, project
from vivant.errors import InputError

__all__ = ["PrintLook", "flat_print"]

_DENSITY = 2.0  # Pixels of the sheet for one of the frame: dots of the print need them.
_ANGLES_DEG = (15.0, 75.0, 45.0)  # Of the dots of the three inks, as printers turn them.


@dataclass(frozen=True, slots=True)
class PrintLook:
    """A colour print on plain or coated paper."""

    width: float = 0.54
    """Of the sheet, as a share of the frame's width."""
    margin: float = 0.04
    """White border, as a share of the sheet's width."""
    blackest: float = 0.035
    """Light that the darkest print gives back, 0..1."""
    whitest: float = 0.8
    """Light that the bare paper gives back, 0..1."""
    saturation: float = 0.78
    """Of the inks: 1 is that of the picture."""
    ink_blur_px: float = 0.7
    """How far ink runs: standard deviation in pixels of the frame."""
    dot_px: float = 1.6
    """Distance of the dots of one ink, in pixels of the frame."""
    dot_strength: float = 0.3
    """Of the dots against the mean, 0..1."""
    fibres: float = 0.025
    """Unevenness of the paper: standard deviation, as a share of its light."""
    sheen: float = 0.06
    """Light of a lamp that the paper mirrors at most, 0..1."""


def flat_print(
    pictures: Sequence[UInt8[np.ndarray, "_height _width 3"]],
    scene: UInt8[np.ndarray, "frame_height frame_width 3"],
    path: Sequence[Pose],
    camera: Camera,
    generator: np.random.Generator,
    look: PrintLook | None = None,
) -> Iterator[UInt8[np.ndarray, "frame_height frame_width 3"]]:
    """Frames of a print that is moved before a camera.

    Args:
        pictures: What is printed: one picture, RGB, 0..255.
        scene: What the camera sees behind the sheet, RGB, 0..255; of the size of the frames.
        path: Where the sheet is, frame by frame.
        camera: What films it.
        generator: Draws paper, hand and noise.
        look: Of the print.

    Raises:
        InputError: not one picture.
    """
    if len(pictures) != 1:
        raise InputError(f"expected one picture to print, got {len(pictures)}")
    look = look or PrintLook()
    height, width = scene.shape[:2]
    sheet = _print(pictures[0], round(look.width * width * _DENSITY), look, generator)
    behind = to_light(scene)
    size = (sheet.light.shape[1], sheet.light.shape[0])
    lamp = generator.uniform(-0.5, 0.5, 2)
    for pose in path:
        to_frame = homography(pose, size, sheet.density, (width, height))
        seen = project(sheet, to_frame, (width, height))
        seen[..., :3] += (look.sheen * seen[..., 3] * _sheen(lamp, pose, width, height))[..., None]
        yield film(before_scene(seen, behind), camera, generator)


def _print(
    picture: UInt8[np.ndarray, "height width 3"],
    width: int,
    look: PrintLook,
    generator: np.random.Generator,
) -> Sheet:
    """The printed sheet, with room about it for the hand."""
    margin = round(look.margin * width)
    inner = width - 2 * margin
    shape = (inner, round(inner * picture.shape[0] / picture.shape[1]))
    large = cv2.resize(picture, shape, interpolation=cv2.INTER_CUBIC)
    ink = to_light(np.asarray(large, np.uint8))
    ink = np.asarray(cv2.GaussianBlur(ink, (0, 0), look.ink_blur_px * _DENSITY), np.float32)
    grey = ink @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    ink = grey[..., None] + np.float32(look.saturation) * (ink - grey[..., None])
    white = (1.0, 1.0, 1.0)
    paper = cv2.copyMakeBorder(
        _halftone(ink, look), margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=white
    )
    paper = look.blackest + (look.whitest - look.blackest) * np.clip(paper, 0, 1)
    rows = len(paper)
    fibres = cv2.GaussianBlur(generator.standard_normal((rows, width), np.float32), (0, 0), 1.0)
    paper = paper * (1 + look.fibres / float(fibres.std()) * fibres)[..., None]
    light = np.dstack([paper, np.ones((rows, width), np.float32)])
    held, _ = hold(light, 0.08, generator)
    return Sheet(held, _DENSITY)


def _halftone(
    ink: Float32[np.ndarray, "rows columns 3"], look: PrintLook
) -> Float32[np.ndarray, "rows columns 3"]:
    """Dots instead of tones: strongest half-way between paper and full ink."""
    rows, columns = ink.shape[:2]
    x, y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
    period = look.dot_px * _DENSITY
    result = ink.copy()
    for channel, angle in enumerate(np.radians(_ANGLES_DEG).tolist()):
        along = (np.cos(angle) * x + np.sin(angle) * y) * np.float32(2 * np.pi / period)
        across = (np.cos(angle) * y - np.sin(angle) * x) * np.float32(2 * np.pi / period)
        tone = np.clip(ink[..., channel], 0, 1)
        swing = look.dot_strength * 4 * tone * (1 - tone)
        result[..., channel] += swing * (np.cos(along) + np.cos(across)) / 2 * 0.5
    return result


def _sheen(
    lamp: Float[np.ndarray, " 2"], pose: Pose, width: int, height: int
) -> Float32[np.ndarray, "{height} {width}"]:
    """A lamp mirrored in paper: a wide spot that runs when the sheet is turned."""
    # Turned by a degree, a mirror sends light two degrees aside: the spot crosses half a sheet.
    x = 0.5 + lamp[0] + pose.yaw_deg / 15
    y = 0.3 + lamp[1] - pose.pitch_deg / 15
    columns = (np.arange(width) / width - x) / 0.45
    rows = (np.arange(height) / height - y) / 0.4
    spot = np.exp(-0.5 * rows[:, None] ** 2) * np.exp(-0.5 * columns[None] ** 2)
    return np.asarray(spot, np.float32)
