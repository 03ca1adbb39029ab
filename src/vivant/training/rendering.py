"""Makes a view of a stored bona fide clip: recaptured or not, and filmed by another camera."""

import cv2
import numpy as np
from jaxtyping import UInt8

from vivant.attacks.draws import Ranges
from vivant.attacks.filming import film
from vivant.attacks.recapturing import Medium, recapture
from vivant.errors import DataError
from vivant.geometry.crop import crop_box, cut
from vivant.networks.config import CONTEXT_SIDE_PX
from vivant.preparation.clips import PreparedClip, RawClip, decode
from vivant.records import FaceBox

__all__ = ["MEDIA", "render"]

MEDIA: dict[str, Medium] = {"print": "paper", "replay": "screen"}
"""What each PAI species is shown on."""

_WIDEST = 2.6
"""Side of the piece that is recaptured, as a multiple of the face's longer side: what a wide crop
with its jitter may reach, and a margin for what is behind a medium."""
_WORK_PX = 448
"""Side of that piece at most, in pixels: a face of 172, as in the store."""


def render(
    clip: RawClip,
    scale: float,
    side_px: int,
    context_scale: float | None,
    *,
    species: str | None,
    background: RawClip | None,
    shift: tuple[float, float],
    camera: float,
    seed: int,
    ranges: Ranges = "all",
) -> PreparedClip:
    """One view of a clip: shown on a medium and filmed again, or only filmed.

    Both crops are cut from one picture after that, as a session cuts them from a frame.

    Args:
        clip: Bona fide.
        scale: Side of the crop as a multiple of the face's longer side.
        side_px: Of the crop, in pixels.
        context_scale: The same of the wider crop; None: there is none.
        species: Of the attack that is made of it, of `MEDIA`; None: none.
        background: Another clip, for what is behind the medium; needed for an attack.
        shift: Of the crop's middle (x, y), as a share of the face's longer side.
        camera: Strength of the camera that films it in the end; 0: none.
        seed: Of all that is drawn here.
        ranges: Which half of the recapture's parameters may be drawn.

    Returns:
        The depth is as stored, turned to zero for an attack (Eq. 1).

    Raises:
        DataError: a stored picture is damaged, or the face moves out of what is stored.
    """
    generator = np.random.default_rng(seed)
    frames, face = _pieces(clip)
    if species is not None:
        assert background is not None
        behind, _ = _pieces(background)
        frames = recapture(frames, face, behind[0], MEDIA[species], generator, ranges)
    if camera:
        frames = film(frames, face, generator, camera)
    longer = max(face.width_px, face.height_px)
    x, y = shift[0] * longer, shift[1] * longer
    moved = FaceBox(face.x0 + x, face.y0 + y, face.x1 + x, face.y1 + y)
    side = frames.shape[1]
    crop = crop_box(moved, side, side, scale)
    crops = np.stack([cut(frame, crop, side_px) for frame in frames])
    context = None
    if context_scale is not None:
        wide = crop_box(moved, side, side, context_scale)
        context = np.stack([cut(frame, wide, CONTEXT_SIDE_PX) for frame in frames])
    stored = decode(clip, scale, side_px)
    is_attack = species is not None
    depth = np.zeros_like(stored.depth) if is_attack else _moved(stored.depth, shift, scale)
    has_depth = np.ones_like(stored.has_depth) if is_attack else stored.has_depth
    return PreparedClip(clip.presentation, crops, depth, has_depth, context)


def _pieces(clip: RawClip) -> tuple[UInt8[np.ndarray, "n side side 3"], FaceBox]:
    """The same square of each frame, about the face, and the face's box in it."""
    region = clip.crop(_WIDEST)
    boxes = [square.within(region) for square in clip.squares]
    side = min(_WORK_PX, *(box.side_px for box in boxes))
    decoded = clip.pixels()
    frames = np.stack([cut(each, box, side) for each, box in zip(decoded, boxes, strict=True)])
    scale = side / region.side_px
    face = clip.face
    edges = (face.x0 - region.x, face.y0 - region.y, face.x1 - region.x, face.y1 - region.y)
    box = FaceBox(*(edge * scale for edge in edges))
    if box.x1 <= 0 or box.y1 <= 0 or box.x0 >= side or box.y0 >= side:
        raise DataError(f"{clip.presentation.path}: the face moves out of what is stored")
    return frames, box


def _moved(
    depth: UInt8[np.ndarray, "n side side"], shift: tuple[float, float], scale: float
) -> UInt8[np.ndarray, "n side side"]:
    """Depth maps of a crop whose middle lies elsewhere."""
    if shift == (0.0, 0.0):
        return depth
    side = depth.shape[1]
    x, y = (-each / scale * side for each in shift)
    move = np.array([[1, 0, x], [0, 1, y]])
    return np.stack([cv2.warpAffine(each, move, (side, side)) for each in depth])
