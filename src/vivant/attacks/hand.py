"""Two hands that hold a sheet or a device at its lower corners: thumbs before it, arms below."""

import cv2
import numpy as np
from jaxtyping import Float, Float32

from vivant.attacks.pose import Pose
from vivant.attacks.recapture import Lens, Places, Sheet, locate, project

__all__ = ["Hands"]

_THUMB_CM = 0.95  # Radius of its tip.
_KNUCKLE, _WRIST = 1.5, 3.3  # Radius further down, against the tip's: so a wrist is 6 cm wide.
_SKIN = np.array([[0.62, 0.38, 0.28], [0.42, 0.23, 0.15], [0.14, 0.07, 0.045]])  # Linear RGB.
_ELBOW = 0.75  # Where the arms leave the frame, from the middle: share of what is held.
_PAST = 0.8  # So far from its middle, in heights and widths of the frame, they are out of sight.


class Hands:
    """Hands that move with what they hold.

    Args:
        size: (width, height) of what is held, in pixels of the picture it shows.
        scale: Pixels of the frame for one of the picture, about.
        width_cm: Of what is held.
        reach: How far the thumbs' tips come in from the lower edge, as a share of the width.
        lens: The camera's, and the frame's size.
        generator: Draws skin, sleeves, and how each thumb lies.
    """

    def __init__(
        self,
        size: tuple[float, float],
        scale: float,
        width_cm: float,
        reach: float,
        lens: Lens,
        generator: np.random.Generator,
    ) -> None:
        width, height = size[0] * scale, size[1] * scale  # From here on in pixels of the frame.
        radius = _THUMB_CM / width_cm * width
        half_height = _PAST * lens.height
        half_width = min(_ELBOW * width + (_WRIST + 1) * radius, _PAST * lens.width)
        shape = (round(2 * half_height), round(2 * half_width), 4)
        light = np.zeros(shape, np.float32)
        tone = generator.uniform(0, len(_SKIN) - 1)
        skin = np.array([np.interp(tone, range(len(_SKIN)), part) for part in _SKIN.T])
        sleeve = generator.uniform(0.01, 0.35) * generator.uniform(0.5, 1, 3)
        cuff = float(generator.uniform(11, 30))
        for side in (-1, 1):
            inwards, deeper = generator.uniform([-0.03, -0.03], [0.05, 0.03])
            x = half_width + side * (0.41 - inwards) * width
            y = half_height + height / 2 - (reach + deeper) * width + radius
            elbow = max(2 * half_height, y + 6 * radius)
            root = np.array([half_width + side * _ELBOW * width, elbow])
            _lay_arm(light, np.array([x, y]), root, radius, cuff, (skin, sleeve), generator)
        self._sheet = Sheet(light, scale)
        self._lens = lens

    def seen(self, pose: Pose) -> tuple[Places, Float32[np.ndarray, "height width 4"]] | None:
        """The hands as a part of the frame sees them; None where no part does.

        Args:
            pose: Of what they hold; at scale 1 a pixel of the picture is one of the frame.
        """
        height, width, _ = self._sheet.light.shape
        places = locate(pose, (width, height), self._sheet.density, self._lens)
        return None if places is None else (places, project(self._sheet, places))


def _lay_arm(
    light: Float32[np.ndarray, "rows columns 4"],
    tip: Float[np.ndarray, " 2"],
    root: Float[np.ndarray, " 2"],
    radius: float,
    cuff: float,
    colours: tuple[Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]],
    generator: np.random.Generator,
) -> None:
    """Draw a thumb with its nail, and behind it wrist, sleeve and arm; and a shadow about it."""
    skin, sleeve = colours
    rows, columns = light.shape[:2]
    x = np.arange(columns, dtype=np.float32)[None] - np.float32(tip[0])
    y = np.arange(rows, dtype=np.float32)[:, None] - np.float32(tip[1])
    along = ((root - tip) / np.linalg.norm(root - tip)).astype(np.float32)
    far = np.asarray(x * along[0] + y * along[1], np.float32)
    side = np.asarray(y * along[0] - x * along[1], np.float32)
    down = np.asarray(far / radius, np.float32)
    grown = 1 + (_KNUCKLE - 1) * np.clip(down / 4, 0, 1)
    grown += (_WRIST - _KNUCKLE) * _smooth((down - 3.5) / 7) + 0.02 * np.clip(down - 12, 0, 40)
    is_sleeve = _smooth((down - cuff) * (radius / 2))
    wide = np.asarray(radius * (grown + 0.35 * is_sleeve), np.float32)
    distance = np.hypot(side, np.minimum(far, 0)) / wide  # 1 at the outline.
    cover = np.clip((1 - distance) * wide / 2, 0, 1)
    roundness = np.sqrt(np.clip(1 - distance**2, 0.02, 1))
    lit = np.clip(0.4 + 0.6 * roundness + 0.12 * side / wide, 0.1, 1.2)
    grain = cv2.GaussianBlur(generator.standard_normal((rows, columns), np.float32), (0, 0), 3)
    folds = cv2.GaussianBlur(grain, (0, 0), max(0.5 * radius, 1.0))
    folds = np.asarray(0.25 / max(float(folds.std()), 1e-6) * folds, np.float32)
    colour = (skin * (lit * (1 + 0.4 * grain))[..., None]).astype(np.float32)
    nail = np.hypot(side / (0.6 * radius), (far + 0.1 * radius) / (0.75 * radius))
    is_nail = np.clip((1 - nail) * radius / 4, 0, 1)[..., None]
    colour += is_nail * (0.1 * colour + 0.03)
    cloth = sleeve * (lit * (1 + folds).clip(0.3, 2))[..., None]
    colour += is_sleeve[..., None] * (cloth - colour)
    near = 0.4 * np.clip(1.5 - distance, 0, 0.5) / 0.5 * np.clip(1 - (down - 2) / 2, 0, 1)
    shadow = near * (1 - cover)  # On what is held: it takes light and gives none.
    np.multiply(light, (1 - cover)[..., None], out=light)
    light[..., 3] += np.maximum(shadow - light[..., 3], 0)
    light[..., :3] += cover[..., None] * colour
    light[..., 3] = np.maximum(light[..., 3], cover)


def _smooth(share: Float32[np.ndarray, "rows columns"]) -> Float32[np.ndarray, "rows columns"]:
    """From 0 below 0 to 1 above 1, without a bend."""
    share = np.clip(share, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)
