"""The one face that all synthetic people are made of: a portrait by NASA, in the public domain.

`astronaut.png` is the picture that scikit-image ships (Eileen Collins, NASA Great Images), and
`astronaut_mesh.csv` is FaceMesh's answer to it, as it is and mirrored, in pixels of `portrait`:
`scripts/write_portrait_mesh.py` writes it.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO, StringIO

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8
from PIL import Image

from vivant.attacks.camera import to_light
from vivant.attacks.layers import separate
from vivant.attacks.relief import face_mask

__all__ = ["CHIN", "Portrait", "cut", "polygon", "portrait"]

SIDE = 512
"""Of the square picture, in pixels: the astronaut's head, twice as large as filmed."""
_CUT = (slice(0, 256), slice(98, 354))  # Rows and columns of the astronaut.
_FOREHEAD, CHIN = 10, 152
_EARS, _EYES, _MOUTH, _JAW = [234, 454], [33, 263], [61, 291], [172, 397]


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A head without its neck, on nothing."""

    light: Float32[np.ndarray, "512 512 3"]
    """Linear RGB, 0..1, also where there is no head."""
    points: Float[np.ndarray, "468 3"]
    """FaceMesh, in pixels; z smaller is nearer."""
    cover: Float32[np.ndarray, "512 512"]
    """How much of each pixel is the head, 0..1."""
    skin: Float32[np.ndarray, "512 512"]
    """How much of each pixel is skin and not hair, 0..1: eyes, brows and lips count as skin."""


@cache
def portrait(mirrored: bool = False) -> Portrait:
    """The astronaut's head, taken apart once in a process.

    Args:
        mirrored: Left and right exchanged.
    """
    folder = files("vivant.attacks")
    rows = np.loadtxt(
        StringIO((folder / "astronaut_mesh.csv").read_text()), delimiter=",", skiprows=1
    )
    points = rows[:, 3:] if mirrored else rows[:, :3]
    pixels = cut()
    if mirrored:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    separated = separate(pixels, points).cover
    cover = separated * _head(points)
    return Portrait(to_light(pixels), points, cover, _skin(pixels, points, separated))


def cut() -> UInt8[np.ndarray, "512 512 3"]:
    """The astronaut's head and shoulders, RGB, 0..255."""
    with Image.open(BytesIO((files("vivant.attacks") / "astronaut.png").read_bytes())) as picture:
        pixels = np.asarray(picture.convert("RGB"))[_CUT]
    return np.asarray(cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


def polygon(
    corners: Float[np.ndarray, "n 2"], size: tuple[int, int], soft_px: float
) -> Float32[np.ndarray, "height width"]:
    """A filled outline with soft edges, 0..1.

    Args:
        corners: (x, y) in pixels.
        size: (width, height) of the mask.
        soft_px: Standard deviation of the edge's blur; 0 is a sharp one.
    """
    mask = np.zeros(size[::-1], np.uint8)
    cv2.fillPoly(mask, [np.rint(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    shape = mask.astype(np.float32) / 255
    return shape if soft_px == 0 else np.asarray(cv2.GaussianBlur(shape, (0, 0), soft_px))


def _head(points: Float[np.ndarray, "468 3"]) -> Float32[np.ndarray, "512 512"]:
    """Where head can be: all above the mouth, the face below, and nothing of the suit."""
    mouth = float(points[_MOUTH, 1].mean())
    mask = face_mask(points, SIDE, SIDE).astype(np.uint8)
    round_px = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    mask = np.asarray(cv2.dilate(mask, round_px), np.uint8)
    mask[: round(mouth - 0.04 * np.ptp(points[:, 1]))] = 1
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.5), np.float32)


def _skin(
    pixels: UInt8[np.ndarray, "512 512 3"],
    points: Float[np.ndarray, "468 3"],
    cover: Float32[np.ndarray, "512 512"],
) -> Float32[np.ndarray, "512 512"]:
    """Skin told from hair by its colour; below the brows, inside of the face, all is skin."""
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    face = face_mask(points, SIDE, SIDE)
    level = np.arange(SIDE)[:, None]
    eyes, mouth = (float(points[which, 1].mean()) for which in (_EYES, _MOUTH))
    cheeks = face & (level > eyes + 12) & (level < mouth - 25)
    hair = (cover > 0.98) & (level < points[_FOREHEAD, 1] - 8)
    odds = _distance(lab, hair) - _distance(lab, cheeks)
    by_colour = 1 / (1 + np.exp(np.clip(-odds / 2, -30, 30)))
    inner = cv2.erode(face.astype(np.uint8), np.ones((13, 13), np.uint8)) > 0
    # From the brows down; the mesh's sides are hair above the ears.
    sure = (inner & (level > eyes - 20)) | (level > mouth - 10)
    skin = np.where(sure, 1.0, by_colour).astype(np.float32)
    skin[(level < points[_FOREHEAD, 1] - 20).repeat(SIDE, axis=1)] = 0
    opened = cv2.morphologyEx(skin, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return np.asarray(cv2.GaussianBlur(opened, (0, 0), 2.0), np.float32)


def _distance(
    lab: Float32[np.ndarray, "512 512 3"], seed: Bool[np.ndarray, "512 512"]
) -> Float32[np.ndarray, "512 512"]:
    """-2 log of a Gaussian through the colours of some pixels."""
    values = lab[seed].astype(np.float64)
    spread = np.cov(values.T) + 4 * np.eye(3)
    off = lab - values.mean(axis=0)
    squares = np.einsum("hwi,ij,hwj->hw", off, np.linalg.inv(spread), off)
    return np.asarray(squares + np.linalg.slogdet(spread)[1], np.float32)
