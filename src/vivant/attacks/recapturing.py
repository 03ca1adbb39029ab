"""Shows a bona fide picture or clip on paper or on a screen, and films it again.

A screen is brighter and bluer than the room and hardly blurrier; paper is darker and flatter. Both
have a pattern of their own, an edge with something behind it, and a surface that mirrors; both are
held at a slight angle and seen through a second lens. So recordings of attacks were found to be.
Nothing here is the camera's own: `vivant.attacks.filming` comes after it, for both classes alike.

Lengths are shares of the usual crop, 1.3 times the face's longer side, so the same face looks the
same in a tight and in a wide picture. Patterns that are stated in pixels (dots, stripes, grain)
hold for a usual crop of 256 pixels or fewer, and grow with a larger one. Light is linear, 0..1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np
from jaxtyping import Float, Float32, Shaped, UInt8

from vivant.attacks.camera import to_light, to_pixels
from vivant.attacks.coding import as_jpeg, resample
from vivant.attacks.draws import Draws, Ranges, Sizes, require_frames
from vivant.attacks.surfaces import paper, screen
from vivant.errors import InputError
from vivant.records import FaceBox

__all__ = ["Medium", "RecaptureSettings", "draw_medium", "recapture"]

Medium = Literal["screen", "paper"]
Light: TypeAlias = Float32[np.ndarray, "height width 3"]
Mask: TypeAlias = Float32[np.ndarray, "height width"]
Matrix: TypeAlias = Float[np.ndarray, "3 3"]

_SKIN = np.array([0.45, 0.26, 0.18], np.float32)  # Linear RGB.
_BEZELS = (0.01, 0.02, 0.05, 0.8, 0.9)  # Reflectance: black and white phones, white borders.
_NEARER = 1.06  # Keeps the picture's own edges, turned, out of sight.
_DRIFT, _FARTHEST = 0.004, 0.03  # Of the usual crop: how far a hand drifts in a frame, and in all.
_SUBPIXEL_BITS = 4  # Of OpenCV's drawing.


@dataclass(frozen=True, slots=True)
class RecaptureSettings:
    """Which media are drawn how often."""

    screens_per_print: float = 4.0
    """Recaptured screens for one recaptured print; 0: only prints."""

    def __post_init__(self) -> None:
        if not 0 <= self.screens_per_print < np.inf:
            raise InputError(f"expected screens_per_print of 0 or more, got {self}")


def draw_medium(
    generator: np.random.Generator, settings: RecaptureSettings | None = None
) -> Medium:
    """Draw what a picture is shown on."""
    screens = (settings or RecaptureSettings()).screens_per_print
    return "screen" if generator.random() < screens / (1 + screens) else "paper"


def recapture(
    frames: Shaped[np.ndarray, "..."],
    face_box: FaceBox,
    background: Shaped[np.ndarray, "..."],
    medium: Medium,
    generator: np.random.Generator,
    ranges: Ranges = "all",
) -> UInt8[np.ndarray, "n height width 3"]:
    """Show a picture or a clip on a medium, and film it again.

    Parameters are drawn once. Over the frames a hand moves the medium a little and a screen's
    refresh bands walk; all else stays. Paper shows the middle frame all the time. The middle of the
    face stays where it is but for that hand.

    Args:
        frames: Bona fide, uint8, (n, height, width, 3), RGB, 0..255: a crop of the face or a whole
            picture.
        face_box: In pixels of the frames.
        background: Another picture, uint8, (height, width, 3), RGB, 0..255: what is behind the
            medium, and mirrored in it.
        medium: What the frames are shown on.
        generator: Draws all parameters; the same generator gives the same result.
        ranges: Which part of each parameter's range is drawn from: train on one half and test on
            the other to see what carries over.

    Returns:
        RGB, 0..255.

    Raises:
        InputError: wrong shape or type, no frame, a face box that is empty or outside of the
            frames, or no such medium.
    """
    sizes = require_frames(frames, face_box)
    is_rgb = background.ndim == 3 and background.shape[2] == 3
    if background.dtype != np.uint8 or not is_rgb or not background.size:
        raise InputError(
            "expected a uint8 background of shape (height, width, 3), got "
            f"{background.dtype} {background.shape}"
        )
    if medium not in ("screen", "paper"):
        raise InputError(f"expected the medium to be screen or paper, got {medium!r}")
    draws = Draws(generator, ranges)
    if medium == "paper":
        frames = np.repeat(frames[len(frames) // 2][None], len(frames), axis=0)
    shown = _stored(frames, draws, sizes)
    surface = (paper if medium == "paper" else screen)(draws, sizes)
    behind = _fitted(background, sizes)
    places = _places(draws, sizes, len(frames))
    end = _end(draws, sizes, behind) if draws.chance(0.4) else None
    mirrored = _mirrored(draws, sizes, behind) if draws.chance(0.5) else None
    blur = sizes.scale * draws.log_uniform(0.3, 1.6) if draws.chance(0.85) else None
    # A panel outshines the room, paper does not.
    gain = draws.log_uniform(0.55, 1.3) if medium == "paper" else draws.log_uniform(0.8, 2.2)
    wanted = gain * _mean_near_face(to_light(frames[0]), sizes)
    made, light, exposure = np.empty_like(frames), None, None
    for number, (pixels, place) in enumerate(zip(shown, places, strict=True)):
        if light is None or medium == "screen":
            light = surface(pixels, number)
        seen = _seen(light, place)
        if end is not None:
            seen = end(seen, place)
        if mirrored is not None:
            seen = np.asarray(cv2.add(seen, mirrored), np.float32)
        if blur is not None:  # The second lens.
            seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), blur), np.float32)
        if exposure is None:  # Set on the first frame, and left there.
            exposure = np.float32(wanted / max(_mean_near_face(seen, sizes), 1e-3))
        made[number] = to_pixels(seen * exposure)
    return made


def _stored(
    frames: UInt8[np.ndarray, "n height width 3"], draws: Draws, sizes: Sizes
) -> list[UInt8[np.ndarray, "height width 3"]]:
    """The frames in the size and the coding in which the attacker has them."""
    shown = list(frames)
    if draws.chance(0.5):
        state = draws.generator.bit_generator.state
        for number, pixels in enumerate(shown):
            draws.generator.bit_generator.state = state  # The same size for all.
            shown[number] = resample(pixels, draws, sizes, 0.4)
    if draws.chance(0.7):
        quality = int(draws.uniform(50, 97))
        shown = [as_jpeg(pixels, quality) for pixels in shown]
    return shown


def _fitted(
    background: UInt8[np.ndarray, "other_height other_width 3"], sizes: Sizes
) -> UInt8[np.ndarray, "height width 3"]:
    """The middle of another picture, in the size of this one, not stretched."""
    height, width, _ = background.shape
    shrink = min(height / sizes.height, width / sizes.width)
    rows, columns = (max(1, int(side * shrink)) for side in (sizes.height, sizes.width))
    top, left = (height - rows) // 2, (width - columns) // 2
    part = background[top : top + rows, left : left + columns]
    how = cv2.INTER_AREA if shrink > 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (sizes.width, sizes.height), interpolation=how), np.uint8)


def _places(draws: Draws, sizes: Sizes, num_frames: int) -> list[Matrix]:
    """Where the medium is held in each frame: from its own pixels to those of the picture."""
    size = np.array([sizes.width, sizes.height], np.float32)
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * size
    slant = np.array([[draws.uniform(-0.06, 0.06) for _ in range(2)] for _ in range(4)]) * size
    together = draws.generator.normal(0, _DRIFT, (num_frames, 1, 2))
    apart = draws.generator.normal(0, _DRIFT / 4, (num_frames, 4, 2))
    drift = together + apart
    drift[0] = 0
    drift = drift.cumsum(0).clip(-_FARTHEST, _FARTHEST) * sizes.unit_px
    middle = np.array(sizes.face.centre)
    held = cv2.getPerspectiveTransform(corners, (corners + slant).astype(np.float32))
    away = _moved(middle[None], held)[0]
    nearer = np.array(
        [
            [_NEARER, 0, middle[0] - _NEARER * away[0]],
            [0, _NEARER, middle[1] - _NEARER * away[1]],
            [0, 0, 1],
        ]
    )
    turns = (
        cv2.getPerspectiveTransform(corners, (corners + slant + each).astype(np.float32))
        for each in drift
    )
    return [np.asarray(nearer @ turn) for turn in turns]


def _moved(points: Float[np.ndarray, "n 2"], place: Matrix) -> Float[np.ndarray, "n 2"]:
    """Points of the medium as points of the picture."""
    found = cv2.perspectiveTransform(np.asarray(points, np.float64)[None], place)[0]
    return np.asarray(np.clip(found, -1e5, 1e5))


def _seen(light: Light, place: Matrix) -> Light:
    """The medium, held somewhere, sampled by the picture's pixels."""
    height, width, _ = light.shape
    return np.asarray(
        cv2.warpPerspective(
            light, place, (width, height), flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        ),
        np.float32,
    )  # fmt: skip


def _end(
    draws: Draws, sizes: Sizes, behind: UInt8[np.ndarray, "height width 3"]
) -> Callable[[Light, Matrix], Light]:
    """Where the medium ends: a bezel or a border, what is behind it, sometimes a thumb.

    Returns:
        Takes the medium as it is seen and where it is held, gives both in the picture.
    """
    half = max(sizes.face.width_px, sizes.face.height_px) / 2
    left, up, right, down = (half * draws.log_uniform(1.05, 3.0) for _ in range(4))
    inner = np.array([[-left, -up], [right, -up], [right, down], [-left, down]])
    angle = np.deg2rad(draws.normal(6))
    cos, sin = np.cos(angle), np.sin(angle)
    inner = inner @ np.array([[cos, -sin], [sin, cos]]) + sizes.face.centre
    middle = inner.mean(0)
    wide = half * draws.log_uniform(0.03, 0.5)
    outer = inner + (inner - middle) * wide / np.maximum(np.abs(inner - middle), 1e-3)
    bezel = np.float32(_BEZELS[draws.below(len(_BEZELS))] * draws.uniform(0.7, 1.0))
    sigma = sizes.fine * draws.log_uniform(0.5, 6)
    room = np.asarray(cv2.GaussianBlur(to_light(behind), (0, 0), sigma), np.float32)
    thumb = _thumb(draws, sizes, inner, half) if draws.chance(0.25) else None

    def lay(seen: Light, place: Matrix) -> Light:
        inside, within = (_filled(_moved(each, place), sizes)[..., None] for each in (inner, outer))
        made = room * (1 - within) + bezel * np.maximum(within - inside, 0) + seen * inside
        return np.asarray(made if thumb is None else thumb(made, place), np.float32)

    return lay


def _filled(corners: Float[np.ndarray, "4 2"], sizes: Sizes) -> Mask:
    """1 within a quadrangle, 0 outside, in between along its edges."""
    mask = np.zeros((sizes.height, sizes.width), np.uint8)  # Only of bytes are edges smoothed.
    at = np.rint(corners * 2**_SUBPIXEL_BITS).astype(np.int32)
    cv2.fillConvexPoly(mask, at, 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    return mask.astype(np.float32) / np.float32(255)


def _thumb(
    draws: Draws, sizes: Sizes, inner: Float[np.ndarray, "4 2"], half: float
) -> Callable[[Light, Matrix], Light]:
    """A thumb over one of the medium's edges."""
    size, edge, along = half * draws.uniform(0.15, 0.4), draws.below(4), draws.uniform(0.1, 0.9)
    angle, skin = draws.uniform(0, 180), _SKIN * np.float32(draws.log_uniform(0.3, 1.3))
    at = inner[edge] + (inner[(edge + 1) % 4] - inner[edge]) * along
    axes = np.array([2 * size, 0.6 * size + 1])

    def lay(seen: Light, place: Matrix) -> Light:
        mask = np.zeros((sizes.height, sizes.width), np.uint8)
        centre = np.rint(_moved(at[None], place)[0] * 2**_SUBPIXEL_BITS).astype(int).tolist()
        ends = np.rint(axes * 2**_SUBPIXEL_BITS).astype(int).tolist()
        cv2.ellipse(mask, centre, ends, angle, 0, 360, 255, -1, cv2.LINE_AA, _SUBPIXEL_BITS)
        filled = mask.astype(np.float32) / np.float32(255)
        cover = cv2.GaussianBlur(filled, (0, 0), 1.2 * sizes.fine)[..., None]
        round_off = 0.5 + 0.5 * cv2.GaussianBlur(filled, (0, 0), max(1.0, 0.4 * size))[..., None]
        return np.asarray(seen * (1 - cover) + skin * round_off * cover, np.float32)

    return lay


def _mirrored(draws: Draws, sizes: Sizes, behind: UInt8[np.ndarray, "height width 3"]) -> Light:
    """What glass or gloss mirrors, to be added: a veil, a lamp, the room."""
    added = np.zeros((sizes.height, sizes.width, 3), np.float32)
    if draws.chance(0.5):
        veil = draws.surface(sizes, 2 + draws.below(3))
        added += np.float32(draws.uniform(0, 0.12)) * np.clip(veil, 0, 1)[..., None]
    if draws.chance(0.25):
        # Somewhere about the face: far away in a wide picture it would change nothing.
        reach = 0.75 * sizes.unit_px
        (low_x, high_x), (low_y, high_y) = (
            (max(0.0, min(at - reach, side - 1.0)), min(float(side), max(at + reach, 1.0)))
            for at, side in zip(sizes.face.centre, (sizes.width, sizes.height), strict=True)
        )
        sigma, flat = draws.log_uniform(0.04, 0.3) * sizes.unit_px, draws.log_uniform(0.4, 2.5)
        x = np.arange(sizes.width) - draws.uniform(low_x, high_x)
        y = (np.arange(sizes.height) - draws.uniform(low_y, high_y)) * flat
        lamp = np.exp(-(y * y) / (2 * sigma**2))[:, None] * np.exp(-(x * x) / (2 * sigma**2))
        added += (draws.uniform(0.05, 0.8) * lamp[..., None]).astype(np.float32)
    if draws.chance(0.35):
        share = np.float32(draws.uniform(0.01, 0.12))
        sigma = draws.log_uniform(1.5 * sizes.fine, max(0.08 * sizes.unit_px, 1.6 * sizes.fine))
        added += share * cv2.GaussianBlur(to_light(behind), (0, 0), sigma)[:, ::-1]
    return added


def _mean_near_face(light: Light, sizes: Sizes) -> float:
    """Mean light of the usual crop, as far as it lies within the picture."""
    half = sizes.unit_px / 2
    columns, rows = (
        slice(max(0, min(int(at - half), side - 1)), max(1, int(np.ceil(at + half))))
        for at, side in zip(sizes.face.centre, (sizes.width, sizes.height), strict=True)
    )
    return float(light[rows, columns].mean())
