"""A picture of a person taken apart: the person with soft edges, and what lies behind."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from vivant.attacks.relief import face_mask

__all__ = ["Layers", "separate"]

_SIDE = 320  # Longer side at which the person is told from the background.
_ROUNDS = 6
_FOREHEAD, _CHIN = 10, 152


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """person + (1 - cover) * background is the picture."""

    person: Float32[np.ndarray, "height width 3"]
    """RGB times cover, about 0..255."""
    cover: Float32[np.ndarray, "height width"]
    """How much of each pixel is the person, 0..1."""
    background: Float32[np.ndarray, "height width 3"]
    """RGB, 0..255; behind the person it is made up from what is around."""


def separate(
    pixels: UInt8[np.ndarray, "height width 3"], points: Float[np.ndarray, "468 3"]
) -> Layers:
    """Tell a person from the background (GrabCut, started from the face's mesh).

    Args:
        pixels: RGB, 0..255.
        points: The mesh in pixels of the picture.
    """
    height, width, _ = pixels.shape
    shrink = min(1.0, _SIDE / max(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    mask = _first_guess(points * shrink, *size)
    cv2.setRNGSeed(0)  # GrabCut draws from OpenCV's own generator: the same picture, the same mask.
    colours = np.zeros((1, 65), np.float64), np.zeros((1, 65), np.float64)
    cv2.grabCut(small, mask, (0, 0, *size), *colours, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    person = _largest_part(np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8))
    rough = cv2.resize(person.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    cover = _follow_edges(np.asarray(rough, np.float32), pixels, round(3 / shrink))
    background = _fill_behind(pixels, cover, float(np.ptp(points[:, 0])))
    lifted = pixels.astype(np.float32) - (1 - cover[..., None]) * background
    return Layers(np.asarray(lifted, np.float32), cover, background)


def _first_guess(
    points: Float[np.ndarray, "468 3"], width: int, height: int
) -> UInt8[np.ndarray, "{height} {width}"]:
    """Where a person may be: a head about the face, shoulders below it."""
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    face_width, face_height = high - low
    middle = float(low[0] + high[0]) / 2
    chin = float(points[_CHIN, 1])
    mask = np.full((height, width), cv2.GC_BGD, np.uint8)

    def shape(value: int, half_width: float, top: float, shoulder: float, slope: float) -> None:
        centre = (round(middle), round(float(low[1] + high[1]) / 2 - 0.15 * face_height))
        axes = (round(half_width * face_width), round(top * face_height))
        cv2.ellipse(mask, centre, axes, 0, 0, 360, value, -1)
        y = chin + shoulder * face_height
        reach = half_width * face_width
        corners = [
            (middle - 0.4 * face_width, chin - 0.2 * face_height),
            (middle + 0.4 * face_width, chin - 0.2 * face_height),
            (middle + reach, y),
            (middle + reach + slope * face_width, y + slope * face_height),
            (middle + reach + slope * face_width, height + y),
            (middle - reach - slope * face_width, height + y),
            (middle - reach - slope * face_width, y + slope * face_height),
            (middle - reach, y),
        ]
        cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], value)

    shape(cv2.GC_PR_BGD, 1.2, 1.35, -0.2, 2.0)
    shape(cv2.GC_PR_FGD, 0.75, 0.95, 0.3, 0.8)
    inner = face_mask(points, width, height).astype(np.uint8)
    mask[cv2.erode(inner, np.ones((3, 3), np.uint8)) > 0] = cv2.GC_FGD
    return mask


def _largest_part(mask: UInt8[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width"]:
    """The largest connected part, its holes filled, its outline without hairs."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(opened)
    if len(stats) > 1:
        opened = (labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    outlines, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(opened)
    cv2.drawContours(filled, outlines, -1, 1, -1)
    return filled


def _follow_edges(
    rough: Float32[np.ndarray, "height width"],
    pixels: UInt8[np.ndarray, "height width 3"],
    radius: int,
) -> Float32[np.ndarray, "height width"]:
    """The mask made to follow the picture's edges (guided filter, He et al. 2010)."""
    guide = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    window = (2 * radius + 1, 2 * radius + 1)

    def mean(values: Float32[np.ndarray, "height width"]) -> Float32[np.ndarray, "height width"]:
        return np.asarray(cv2.blur(values, window, borderType=cv2.BORDER_REPLICATE), np.float32)

    mean_guide, mean_mask = mean(guide), mean(rough)
    slope = (mean(guide * rough) - mean_guide * mean_mask) / (
        mean(guide * guide) - mean_guide**2 + 5e-4
    )
    offset = mean_mask - slope * mean_guide
    cover = mean(slope) * guide + mean(offset)
    # Far from the outline the mask is right; a guided filter leaves a veil there.
    return np.asarray(np.clip((cover - 0.1) / 0.8, 0, 1), np.float32)


def _fill_behind(
    pixels: UInt8[np.ndarray, "height width 3"],
    cover: Float32[np.ndarray, "height width"],
    face_width: float,
) -> Float32[np.ndarray, "height width 3"]:
    """The background, carried on behind the person from all sides: near pixels count most."""
    seen = np.where(cover < 0.02, np.float32(1), np.float32(0))
    seen = np.asarray(cv2.erode(seen, np.ones((5, 5), np.uint8)), np.float32)
    filled = pixels.astype(np.float32)
    total, weight = np.zeros_like(filled), np.zeros_like(seen)
    for sigma, trust in ((0.03, 1.0), (0.08, 1e-2), (0.25, 1e-4), (1.0, 1e-7)):
        spread = sigma * face_width
        shrink = min(1.0, 4 / spread)
        colour = _blurred(filled * seen[..., None], spread, shrink)
        share = _blurred(seen, spread, shrink)
        total += trust * colour
        weight += trust * share
    behind = total / np.maximum(weight, 1e-12)[..., None]
    return np.asarray(np.where(seen[..., None] > 0, filled, behind), np.float32)


def _blurred(
    values: Float32[np.ndarray, "height width *channels"], sigma: float, shrink: float
) -> Float32[np.ndarray, "height width *channels"]:
    """A Gaussian blur, wide ones on a smaller picture."""
    height, width = values.shape[:2]
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), sigma * shrink, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
