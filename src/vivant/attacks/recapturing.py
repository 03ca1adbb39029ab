"""Shows a bona fide picture or clip on paper or on a screen, and films it again.

What is simulated is what recordings of attacks were seen to have: a screen is brighter and bluer
than the room and hardly blurrier, with its pixels' stripes sampled by the camera; paper is darker
and flatter, with dots or grain; both end somewhere, have glass or gloss that mirrors, and are held
at a slight angle. Nothing here is the camera's own: that comes after it, to both classes alike
(`filming.py`), so that codec, noise and size give nothing away.

Lengths are in units of the usual crop, 1.3 times the face's longer side: a picture of the face
alone and a wider one look alike where they show the same. Light is linear, 0 black to 1 white.
"""

from typing import Literal, NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vivant.errors import InputError
from vivant.geometry.crop import CROP_SCALE
from vivant.records import FaceBox

__all__ = ["Medium", "recapture"]

Medium = Literal["paper", "screen"]

Light = Float[np.ndarray, "height width 3"]
Pixels = UInt8[np.ndarray, "height width 3"]

_CODES = np.arange(256) / 255
_TO_LIGHT = np.where(_CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4).astype(
    np.float32
)
_STEPS = np.arange(4096) / 4095
_TO_CODES = np.rint(
    255 * np.where(_STEPS <= 0.0031308, 12.92 * _STEPS, 1.055 * _STEPS ** (1 / 2.4) - 0.055)
).astype(np.uint8)
_TURN = 2 * np.pi
_USUAL_PX = 256  # Side of the usual crop that lengths in pixels were chosen at.
_SKIN = np.array([0.45, 0.26, 0.18], np.float32)
_DRIFT = 0.004  # How far a hand moves a corner from frame to frame, as a share of the side.


class _Scene(NamedTuple):
    """What is drawn once for all frames, and the size of things."""

    generator: np.random.Generator
    height: int
    width: int
    face: FaceBox
    behind: Light
    """Of the picture's size: what is behind the medium, and mirrored in it."""

    @property
    def unit(self) -> float:
        """Side of the usual crop, in pixels."""
        return CROP_SCALE * max(self.face.width_px, self.face.height_px)

    def chance(self, share: float) -> bool:
        """True in so many of the draws."""
        return bool(self.generator.random() < share)

    def uniform(self, low: float, high: float) -> float:
        """Evenly from low to high."""
        return float(self.generator.uniform(low, high))

    def log_uniform(self, low: float, high: float) -> float:
        """From low to high, evenly in the logarithm."""
        return float(np.exp(self.generator.uniform(np.log(low), np.log(high))))

    def cloud(self, per_crop: int) -> Float[np.ndarray, "height width 1"]:
        """A smooth random surface, -1 to 1, with so many knots over the usual crop."""
        knots = [
            max(2, min(64, round(per_crop * side / self.unit)))
            for side in (self.height, self.width)
        ]
        values = self.generator.uniform(-1, 1, knots).astype(np.float32)
        size = (self.width, self.height)
        return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_CUBIC))[..., None]

    def places(self) -> tuple[Float[np.ndarray, "height width"], Float[np.ndarray, "height width"]]:
        """(y, x) of each pixel."""
        y, x = np.mgrid[: self.height, : self.width].astype(np.float32)
        return y, x


def recapture(
    frames: UInt8[np.ndarray, "n height width 3"],
    face: FaceBox,
    background: UInt8[np.ndarray, "other_height other_width 3"],
    medium: Medium,
    generator: np.random.Generator,
) -> UInt8[np.ndarray, "n height width 3"]:
    """Show a picture or a clip on a medium, and film it again.

    What is drawn is drawn once; over the frames only the hand that holds the medium moves it a
    little. A clip on paper should be one frame, repeated.

    Args:
        frames: Bona fide, RGB, 0..255.
        face: In pixels of the frames.
        background: Another picture, RGB: what is behind the medium and what its surface mirrors.
        medium: What it is shown on.
        generator: Draws all parameters.

    Raises:
        InputError: wrong shape or type, no frame, or a face outside of them.
    """
    require_frames(frames, face)
    if background.dtype != np.uint8 or background.ndim != 3 or background.shape[2] != 3:
        raise InputError(
            "expected a uint8 background of shape (height, width, 3), got "
            f"{background.dtype} {background.shape}"
        )
    _, height, width, _ = frames.shape
    behind = to_light(_square(background, width, height))
    seed = int(generator.integers(2**62))
    moves = _hand(generator, len(frames))
    made = []
    for frame, move in zip(frames, moves, strict=True):
        # The same seed for each frame: what is drawn is the clip's.
        scene = _Scene(np.random.default_rng(seed), height, width, face, behind)
        made.append(_show(frame, scene, medium, move))
    return np.stack(made)


def to_light(pixels: Pixels) -> Light:
    """SRGB codes as linear light."""
    return np.asarray(cv2.LUT(pixels, _TO_LIGHT), np.float32)


def to_pixels(light: Light) -> Pixels:
    """Linear light as sRGB codes; what is brighter than white is white."""
    steps = (np.clip(light, 0, 1) * 4095 + 0.5).astype(np.uint16)
    return np.asarray(_TO_CODES[steps])


def require_frames(frames: np.ndarray, face: FaceBox) -> None:
    """Refuse what is no picture of a face.

    Raises:
        InputError: says what was expected and given.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or not frames.size:
        raise InputError(
            "expected uint8 frames of shape (n, height, width, 3), got "
            f"{frames.dtype} {frames.shape}"
        )
    _, height, width, _ = frames.shape
    sides = (face.width_px, face.height_px)
    if min(sides) <= 0 or not np.isfinite((*sides, face.x0, face.y0)).all():
        raise InputError(f"expected a face box with x0 < x1 and y0 < y1, got {face}")
    if face.x1 <= 0 or face.y1 <= 0 or face.x0 >= width or face.y0 >= height:
        raise InputError(f"the face box {face} is outside the frames of {width}x{height}")


def _hand(generator: np.random.Generator, num_frames: int) -> Float[np.ndarray, "n 4 2"]:
    """How far the medium's corners have moved in each frame, as shares of the picture's sides."""
    steps = generator.normal(0, _DRIFT, (num_frames, 1, 2)) + generator.normal(
        0, _DRIFT / 4, (num_frames, 4, 2)
    )
    steps[0] = 0
    return np.asarray(steps.cumsum(0).clip(-0.03, 0.03))


def _square(picture: Pixels, width: int, height: int) -> Pixels:
    """The middle of a picture at another size, not stretched."""
    scale = min(picture.shape[0] / height, picture.shape[1] / width)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    y, x = (picture.shape[0] - rows) // 2, (picture.shape[1] - columns) // 2
    middle = picture[y : y + rows, x : x + columns]
    return np.asarray(cv2.resize(middle, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _show(frame: Pixels, scene: _Scene, medium: Medium, move: Float[np.ndarray, "4 2"]) -> Pixels:
    """One frame of the medium."""
    shown = frame
    if scene.chance(0.5):
        shown = resample(shown, scene.generator, 0.4)
    if scene.chance(0.7):
        shown = compress(shown, int(scene.generator.integers(50, 97)))  # As it was stored.
    light = to_light(shown)
    light = _print(light, scene) if medium == "paper" else _display(light, scene)
    if scene.chance(0.4):
        light = _end(light, scene)
    light = _turn(light, scene, move)
    if scene.chance(0.5):
        light = _mirror(light, scene)
    if scene.chance(0.85):  # The second lens.
        sigma = scene.log_uniform(0.3, 1.6) * scene.unit / _USUAL_PX
        light = np.asarray(cv2.GaussianBlur(light, (0, 0), sigma))
    # A panel outshines the room, paper does not.
    gain = scene.log_uniform(0.55, 1.3) if medium == "paper" else scene.log_uniform(0.8, 2.2)
    before, after = (_mean_about_face(each, scene) for each in (to_light(frame), light))
    return to_pixels(light * (before * gain / max(after, 1e-3)))


def _mean_about_face(light: Light, scene: _Scene) -> float:
    """Mean light of the usual crop."""
    x, y = scene.face.centre
    half = scene.unit / 2
    rows = slice(max(0, int(y - half)), max(1, int(y + half)))
    columns = slice(max(0, int(x - half)), max(1, int(x + half)))
    piece = light[rows, columns]
    return float(piece.mean() if piece.size else light.mean())


def _print(light: Light, scene: _Scene) -> Light:
    """What ink and paper make of it: fewer colours, a grey black, a dull white, dots or grain."""
    grey = light.mean(2, keepdims=True)
    light = np.clip(grey + (light - grey) * scene.uniform(0.6, 1.05), 0, 1)
    light = light ** scene.log_uniform(0.8, 1.35)
    black, white = scene.log_uniform(0.005, 0.08), scene.uniform(0.7, 0.95)
    light = black + (white - black) * light
    light = light * np.array(
        [1 + scene.uniform(-0.15, 0.06), 1, 1 + scene.uniform(-0.08, 0.2)], np.float32
    )
    if scene.chance(0.05):
        light = np.repeat(light.mean(2, keepdims=True), 3, 2)
    if scene.chance(0.5):
        strength, pitch = scene.log_uniform(0.01, 0.25), scene.log_uniform(1.2, 5.0)
        light = (
            _dots(light, scene, strength, pitch)
            if scene.chance(0.6)
            else _grain(light, scene, strength)
        )
        if scene.chance(0.25):  # Passes of the print head.
            rows = np.arange(scene.height, dtype=np.float32)[:, None, None]
            bands = np.sin(_TURN * rows / scene.log_uniform(4, 30))
            light = light * (1 + scene.uniform(0, 0.06) * bands)
    bent = 1 + scene.uniform(0, 0.3) * scene.cloud(3)
    return np.clip(light * bent, 0, None)


def _dots(light: Light, scene: _Scene, strength: float, pitch: float) -> Light:
    """Clustered dots of each ink, at the printer's usual angles."""
    y, x = scene.places()
    base = scene.uniform(0, 90)
    light = light.copy()
    for channel, angle in enumerate((15, 75, 45)):
        turn = np.deg2rad(angle + base)
        u = (x * np.cos(turn) + y * np.sin(turn)) / pitch
        v = (-x * np.sin(turn) + y * np.cos(turn)) / pitch
        # Most where half of the paper is covered.
        room = np.sqrt(np.clip(light[..., channel] * (1 - light[..., channel]), 0, 1))
        screen = np.cos(_TURN * u) + np.cos(_TURN * v)
        light[..., channel] += strength * 0.5 * screen * room
    return light


def _grain(light: Light, scene: _Scene, strength: float) -> Light:
    """Ink that was sprayed, or silver: the same speckles in each frame."""
    fine = scene.generator.standard_normal((scene.height, scene.width, 3)).astype(np.float32)
    noise = np.asarray(cv2.GaussianBlur(fine, (0, 0), scene.log_uniform(0.4, 1.5)))
    noise /= noise.std() + 1e-6
    return np.asarray(light + strength * 0.35 * noise * np.sqrt(np.clip(light, 0, 1)))


def _display(light: Light, scene: _Scene) -> Light:
    """What a panel makes of it: another gamma, colours and white, its stripes, its refresh."""
    light = np.clip(light, 0, 1) ** scene.log_uniform(0.85, 1.5)
    grey = light.mean(2, keepdims=True)
    light = np.clip(grey + (light - grey) * scene.uniform(0.75, 1.35), 0, None)
    black = scene.log_uniform(0.002, 0.06)
    light = black + (1 - black) * light
    bluer = scene.uniform(-0.08, 0.35)
    red, blue = (scene.uniform(-0.06, 0.06) for _ in range(2))
    light = light * np.array([1 - 0.5 * bluer + red, 1, 1 + bluer + blue], np.float32)
    if scene.chance(0.8):
        light = _stripes(light, scene)
    if scene.chance(0.3):
        rows = np.arange(scene.height, dtype=np.float32)[:, None, None] / scene.unit
        phase = _TURN * (rows * scene.uniform(0.3, 3) + scene.uniform(0, 1))
        light = light * (1 - scene.uniform(0, 0.1) * (1 + np.sin(phase)))
    return np.clip(light, 0, None)


def _stripes(light: Light, scene: _Scene) -> Light:
    """The panel's red, green and blue stripes, as the camera samples them: moire.

    What is finer than the camera's pixels folds into coarse bands, which perspective bends.
    """
    y, x = scene.places()
    bends = scene.generator.uniform(-1, 1, 4) * 0.12 / max(scene.height, scene.width)
    x, y = (
        x + bends[0] * x * x + bends[1] * x * y,
        y + bends[2] * y * y + bends[3] * x * y,
    )
    frequency = scene.log_uniform(0.15, 2.5)  # Cycles a pixel.
    turn = np.deg2rad(scene.generator.normal(0, 8) + 90 * scene.generator.integers(0, 2))
    strength = scene.log_uniform(0.01, 0.3)
    light = light.copy()
    for across, along, share in ((1, 0, 1.0), (0, 1, 0.6), (1, 1, 0.3)):
        u = (across * np.cos(turn) - along * np.sin(turn)) * x
        v = (across * np.sin(turn) + along * np.cos(turn)) * y
        phase = _TURN * frequency * (u + v) + scene.uniform(0, _TURN)
        for channel in range(3):
            third = (channel - 1) * _TURN / 3 * across
            light[..., channel] *= 1 + strength * share * np.cos(phase + third)
    return light


def _end(light: Light, scene: _Scene) -> Light:
    """Where the medium ends: bezel or border, what is behind it, sometimes a thumb."""
    face = scene.face
    x, y = face.centre
    half = max(face.width_px, face.height_px) / 2
    left, up, right, down = (half * scene.log_uniform(1.05, 3.0) for _ in range(4))
    corners = np.array(
        [[x - left, y - up], [x + right, y - up], [x + right, y + down], [x - left, y + down]]
    )
    turn = cv2.getRotationMatrix2D((x, y), scene.generator.normal(0, 6), 1)
    corners = corners @ turn[:, :2].T + turn[:, 2]
    middle = corners.mean(0)
    reach = half * scene.log_uniform(0.03, 0.5) / np.maximum(np.abs(corners - middle), 1e-3)
    outer = middle + (corners - middle) * (1 + reach)
    inside, within = (_filled(each, scene) for each in (corners, outer))
    bezel = scene.generator.choice([0.01, 0.02, 0.05, 0.8, 0.9]) * scene.uniform(0.7, 1.0)
    behind = cv2.GaussianBlur(scene.behind, (0, 0), scene.log_uniform(0.5, 6))
    made = behind * (1 - within) + bezel * (within - inside).clip(0, 1) + light * inside
    if not scene.chance(0.25):
        return np.asarray(made, np.float32)
    edge = int(scene.generator.integers(0, 4))
    place = corners[edge] + (corners[(edge + 1) % 4] - corners[edge]) * scene.uniform(0.1, 0.9)
    size = half * scene.uniform(0.15, 0.4)
    shape = np.zeros((scene.height, scene.width), np.float32)
    axes = (int(2 * size), int(0.6 * size) + 1)
    angle = scene.uniform(0, 180)
    cv2.ellipse(shape, place.astype(int).tolist(), axes, angle, 0, 360, 1.0, -1, cv2.LINE_AA)
    thumb = cv2.GaussianBlur(shape, (0, 0), 1.2)[..., None]
    skin = _SKIN * scene.log_uniform(0.3, 1.3)
    return np.asarray(made * (1 - thumb) + skin * thumb, np.float32)


def _filled(
    corners: Float[np.ndarray, "4 2"], scene: _Scene
) -> Float[np.ndarray, "height width 1"]:
    """1 within a quadrangle, 0 outside."""
    mask = np.zeros((scene.height, scene.width), np.float32)
    cv2.fillConvexPoly(mask, corners.astype(np.int32), 1.0, cv2.LINE_AA)
    return mask[..., None]


def _turn(light: Light, scene: _Scene, move: Float[np.ndarray, "4 2"]) -> Light:
    """The medium is held at an angle, and its picture sampled anew."""
    size = np.array([scene.width, scene.height], np.float32)
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * size
    moved = corners + (scene.generator.uniform(-0.06, 0.06, (4, 2)) + move) * size
    turn = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    # A little nearer, so that the picture's own edges stay out of sight.
    nearer = np.array([[1.06, 0, -0.03 * scene.width], [0, 1.06, -0.03 * scene.height], [0, 0, 1]])
    return np.asarray(
        cv2.warpPerspective(
            light, nearer @ turn, (scene.width, scene.height), flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
    )  # fmt: skip


def _mirror(light: Light, scene: _Scene) -> Light:
    """What glass or gloss mirrors: a veil, a lamp, the room."""
    if scene.chance(0.5):
        veil = np.clip(scene.cloud(int(scene.generator.integers(2, 5))), 0, 1)
        light = light + scene.uniform(0, 0.12) * veil
    if scene.chance(0.25):
        y, x = scene.places()
        size = scene.log_uniform(0.04, 0.3) * scene.unit
        away_x = x - scene.uniform(0, scene.width)
        away_y = (y - scene.uniform(0, scene.height)) * scene.log_uniform(0.4, 2.5)
        lamp = np.exp(-(away_x**2 + away_y**2) / (2 * size * size))
        light = light + scene.uniform(0.05, 0.8) * lamp[..., None]
    if scene.chance(0.35):
        strength = scene.uniform(0.01, 0.12)
        sigma = scene.log_uniform(1.5, max(0.08 * scene.unit, 1.6))
        light = light + strength * cv2.GaussianBlur(scene.behind, (0, 0), sigma)[:, ::-1]
    return np.asarray(light, np.float32)


def resample(pixels: Pixels, generator: np.random.Generator, least: float) -> Pixels:
    """A picture made smaller, by `least` to 1, and large again.

    Args:
        pixels: RGB or BGR.
        generator: Draws the size and the interpolation.
        least: Smallest share of its side.
    """
    height, width = pixels.shape[:2]
    scale = float(np.exp(generator.uniform(np.log(least), 0)))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    how = int(generator.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    return np.asarray(cv2.resize(small, (width, height), interpolation=how), np.uint8)


def compress(pixels: Pixels, quality: int) -> Pixels:
    """As JPEG of this quality, 1..100, leaves it."""
    _, content = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    bgr = np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(bgr[..., ::-1])
