"""Other people's shapes from one face: its mesh is moved, and the picture follows smoothly."""

import numpy as np
from jaxtyping import Float, Float32

from vivant.attacks.traits import Traits

__all__ = ["LEFT_EYE", "LIPS", "MOUTH", "RIGHT_EYE", "field", "reshape"]

LEFT_EYE = [33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7]
RIGHT_EYE = [263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249]
LIPS = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146]
"""Along their outer edge."""
MOUTH = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95]
"""Along the lips' inner edge."""
_BETWEEN = 10  # Of these lists, the first upper and the last lower ones: corners at 0 and 10.
_NOSE_TIP, _NOSE_WING, _FOREHEAD, _CHIN = 1, [129, 358], 10, 152
_BROWS = [105, 334]
_WIDE, _FINE = 0.09, 0.022  # How far a point takes what is near along: share of the face's width.
_HOLD = 0.15  # How strongly what is far from the face stays where it is.


def reshape(points: Float[np.ndarray, "468 3"], traits: Traits) -> Float[np.ndarray, "2 468 2"]:
    """How far each point of the mesh moves, (x, y) in pixels: at large, and in the mouth alone.

    Args:
        points: The portrait's mesh.
        traits: Whose face it becomes.
    """
    face = points[:, :2]
    low, high = face.min(axis=0), face.max(axis=0)
    width, height = high - low
    middle = (low + high) / 2
    side = (face[:, 0] - middle[0]) / (width / 2)  # -1..1
    level = (face[:, 1] - low[1]) / height  # 0 forehead, 1 chin
    move = np.zeros_like(face)

    def band(at: float, spread: float) -> Float[np.ndarray, " 468"]:
        return np.asarray(np.exp(-(((level - at) / spread) ** 2)))

    def near(centre: Float[np.ndarray, " 2"], spread: float) -> Float[np.ndarray, " 468"]:
        off = (face - centre) / (spread * width)
        return np.asarray(np.exp(-(off**2).sum(axis=1)))

    move[:, 0] += 0.09 * traits.jaw * side * width / 2 * band(0.82, 0.18)
    move[:, 0] += 0.06 * traits.cheeks * side * width / 2 * band(0.5, 0.14)
    move[:, 1] += 0.05 * traits.chin * height * np.clip((level - 0.72) / 0.28, 0, 1)
    move[:, 1] -= 0.05 * traits.forehead * height * np.clip((0.25 - level) / 0.25, 0, 1)
    tip, mouth = face[_NOSE_TIP], face[LIPS].mean(axis=0)
    wings = face[_NOSE_WING].mean(axis=0)
    move[:, 0] += 0.22 * traits.nose_width * (face[:, 0] - wings[0]) * near(wings, 0.17)
    move[:, 1] += 0.035 * traits.nose_length * height * near(tip, 0.14)
    for eye, direction in ((LEFT_EYE, -1), (RIGHT_EYE, 1)):
        centre = face[eye].mean(axis=0)
        move[:, 0] += 0.025 * traits.eye_distance * direction * width * near(centre, 0.16)
        move += 0.16 * traits.eye_size * (face - centre) * near(centre, 0.13)[:, None]
    for brow in _BROWS:
        move[:, 1] -= 0.025 * traits.brow_height * height * near(face[brow], 0.12)
    around = near(mouth, 0.22)
    move[:, 0] += (0.16 * traits.mouth_width - 0.12 * (1 - traits.smile)) * (
        (face[:, 0] - mouth[0]) * around
    )
    corners = near(face[LIPS[0]], 0.1) + near(face[LIPS[_BETWEEN]], 0.1)
    move[:, 1] += 0.02 * (1 - traits.smile) * height * corners
    return np.stack([move, _lips(face, traits)])


def field(
    points: Float[np.ndarray, "468 3"],
    moves: Float[np.ndarray, "2 468 2"],
    columns: Float32[np.ndarray, " width"],
    rows: Float32[np.ndarray, " height"],
) -> Float32[np.ndarray, "height width 2"]:
    """How far the pixels on a grid move: as the points near by do, and far away not at all.

    Args:
        points: The mesh before it moves.
        moves: From `reshape`.
        columns: x of the grid.
        rows: y of the grid.
    """
    width = float(np.ptp(points[:, 0]))
    result = np.zeros((len(rows), len(columns), 2), np.float32)
    for move, reach in zip(moves, (_WIDE, _FINE), strict=True):
        spread = reach * width
        across = np.exp(-((columns[:, None] - points[:, 0]) ** 2) / (2 * spread**2))
        down = np.exp(-((rows[:, None] - points[:, 1]) ** 2) / (2 * spread**2))
        # A Gaussian of both is the product: two sums over the points instead of one for each cell.
        across, down = across.astype(np.float32), down.astype(np.float32)
        weight = down @ across.T + np.float32(_HOLD)
        for axis in (0, 1):
            total = (down * move[:, axis].astype(np.float32)) @ across.T
            result[..., axis] += total / weight
    return result


def _lips(face: Float[np.ndarray, "468 2"], traits: Traits) -> Float[np.ndarray, "468 2"]:
    """Lips that close over the teeth, and get fuller or thinner."""
    move = np.zeros_like(face)
    shut = 1 - traits.smile
    inner, outer = face[MOUTH], face[LIPS]
    n = len(MOUTH)
    for i in range(n):
        other = (n - i) % n  # Of the other lip, at the same place.
        gap = (inner[other] - inner[i]) / 2
        # They meet, and overlap a little: else a line of teeth is left.
        move[MOUTH[i]] += 1.05 * shut * gap
        full = 0.35 * traits.lips * (outer[i] - inner[i])
        move[LIPS[i]] += 0.75 * shut * gap + full
    return move
