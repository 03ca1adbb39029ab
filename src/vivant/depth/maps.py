"""Depth maps that somebody made elsewhere, such as with PRNet: read by name instead of computed."""

import io
import math
import struct
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from vivant.errors import InputError

__all__ = ["DepthMaps"]

_TOLERANCE_MS = 5  # Tools round a frame's time up, down or to their own clock.
_MAX_BYTES = 64 * 2**20
_MAX_PIXELS = 4096 * 2304  # The largest frame that is decoded has no more.
_HEAD = struct.Struct(">8s4s4sIIBB")  # A PNG's signature, then its first chunk.
_ENDINGS = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".jpg", ".jpeg", ".png", ".webp"}
)


class DepthMaps:
    """A folder of depth maps of whole frames, as the paper had PRNet's.

    A map is a grey PNG of 8 bits at `<path of the presentation without its ending>/<time of the
    frame in ms>.png`, such as `Train_files/1_1_01_1/1033.png`, black for far and for the
    background, white for nearest. Its name may be off by 5 ms. It may be smaller than the frame,
    if of the same shape.

    Args:
        root: The folder.

    Raises:
        InputError: it is no folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise InputError(f"expected a folder of depth maps at {root}, found none")
        self._root = root

    def of(
        self, presentation_path: str, time_s: float, width_px: int, height_px: int
    ) -> UInt8[np.ndarray, "height width"] | None:
        """The map of one frame.

        Args:
            presentation_path: Relative to the data set's root, with slashes.
            time_s: The frame's time, >= 0.
            width_px: The frame's, upright.
            height_px: The frame's, upright.

        Returns:
            0 far .. 255 nearest, in the size in which it is stored. None where there is no map:
            such a frame has no depth and counts nothing. Zeros would call it an attack.

        Raises:
            InputError: the map is damaged, of another kind or shape, or black all over.
        """
        path = self._find(presentation_path, time_s)
        if path is None:
            return None
        found = _read(path)
        height, width = found.shape
        # One pixel of rounding on the shorter side.
        if abs(width * height_px - height * width_px) > max(width_px, height_px):
            raise InputError(
                f"{path}: expected a map in the shape of its frame, {width_px}x{height_px}, got "
                f"{width}x{height}: make it of the whole upright frame, not of the face"
            )
        if not found.any():
            raise InputError(
                f"{path}: the map is black all over, which means an attack: delete it if no face "
                "was found, then the frame counts nothing"
            )
        return found

    def _find(self, presentation_path: str, time_s: float) -> Path | None:
        """The map whose time is nearest, the earlier of two."""
        pure = PurePosixPath(presentation_path)
        if pure.is_absolute() or ".." in pure.parts or "\0" in presentation_path or not pure.parts:
            raise InputError(f"expected a path below the data set, got {presentation_path!r}")
        if not (math.isfinite(time_s) and time_s >= 0):
            raise InputError(f"expected a time of 0 seconds or more, got {time_s}")
        # A folder of pictures may have a dot in its name that begins no ending.
        folder = self._root / (pure.with_suffix("") if pure.suffix.lower() in _ENDINGS else pure)
        time_ms = 1000 * time_s
        near_ms = range(round(time_ms) - _TOLERANCE_MS, round(time_ms) + _TOLERANCE_MS + 1)
        for name in sorted(near_ms, key=lambda ms: abs(ms - time_ms)):
            path = folder / f"{name}.png"
            if path.is_file():
                return path
        return None


def _read(path: Path) -> UInt8[np.ndarray, "height width"]:
    """A grey PNG of 8 bits.

    Raises:
        InputError: it is none, or too large.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: expected a depth map, cannot be read: {error}") from error
    # Before a decoder sees it: the header alone can ask for all memory.
    head = _HEAD.unpack(data[: _HEAD.size]) if len(data) >= _HEAD.size else (b"",) * 7
    if head[0] != b"\x89PNG\r\n\x1a\n" or head[2] != b"IHDR":
        raise InputError(f"{path}: expected a PNG, got something else: write the map again")
    width, height, bits, kind = head[3:]
    if (bits, kind) != (8, 0):
        raise InputError(
            f"{path}: expected a grey PNG of 8 bits, got {bits} bits of colour type {kind}: write "
            "depth as one channel, 0 far to 255 nearest"
        )
    if width * height > _MAX_PIXELS or len(data) > _MAX_BYTES:
        raise InputError(
            f"{path}: expected at most {_MAX_PIXELS:,} pixels and {_MAX_BYTES:,} bytes, got "
            f"{width}x{height}: make the map smaller, in the shape of the frame"
        )
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            return np.array(picture, np.uint8)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{path}: the map is damaged: {error}; write it again") from error
