"""Decodes one picture's bytes, in this process. `isolation` does it in another."""

import io
import struct
import warnings
import zlib

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from vivant.errors import MediaError, Refusal
from vivant.video.decode import check_frame_size
from vivant.video.limits import VideoLimits
from vivant.video.sniff import MediaKind

__all__ = ["decode_still"]

# What Pillow raises over damaged files, its readers differing in this.
_DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, struct.error, KeyError, IndexError, TypeError,
    AttributeError, OverflowError, ZeroDivisionError, AssertionError, RuntimeError, zlib.error,
)  # fmt: skip


def decode_still(
    data: bytes, kind: MediaKind, limits: VideoLimits
) -> UInt8[np.ndarray, "height width 3"]:
    """The picture, upright by its EXIF orientation: RGB, 0..255.

    16-bit pictures are scaled, not clipped. Wholly opaque alpha is dropped.

    Args:
        data: The whole file.
        kind: What `sniff` said of it.
        limits: What is read.

    Raises:
        MediaError: CORRUPT_MEDIA, TOO_SMALL, TOO_MANY_PIXELS, ANIMATED_IMAGE, UNSUPPORTED_FORMAT.
    """
    still_limits = limits.model_copy(
        update={"max_side_px": limits.max_still_side_px, "max_pixels": limits.max_still_pixels}
    )
    try:
        with warnings.catch_warnings():
            # Pillow warns of a bomb, and of much that is harmless: our own limits come first.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=[kind.name.upper()]) as picture:
                check_frame_size(*picture.size, still_limits)
                # A JPEG never moves: what follows in it is a camera's depth, preview or other eye.
                if kind.name != "jpeg" and getattr(picture, "is_animated", False):
                    raise MediaError(
                        Refusal.ANIMATED_IMAGE,
                        "the picture is an animation: expected a still, or a video",
                    )
                picture.load()
                upright = ImageOps.exif_transpose(picture)
                return _rgb(upright)
    except MediaError:
        raise
    except Image.DecompressionBombError as error:
        raise MediaError(Refusal.TOO_MANY_PIXELS, str(error)) from error
    except UnidentifiedImageError as error:  # Its text names an object of ours.
        raise MediaError(
            Refusal.CORRUPT_MEDIA, f"the picture is damaged: no {kind.name.upper()} can be read"
        ) from error
    except _DAMAGE as error:
        raise MediaError(
            Refusal.CORRUPT_MEDIA, f"the picture is damaged or cut off: {error}"
        ) from error


def _rgb(picture: Image.Image) -> UInt8[np.ndarray, "height width 3"]:
    is_deep = picture.mode.startswith("I")  # 16 bits, which Pillow would clip to white.
    if picture.has_transparency_data:
        # Of 16 bits Pillow cannot say where they are transparent.
        rgba = None if is_deep else picture.convert("RGBA")
        if rgba is None or np.asarray(rgba.getchannel("A")).min() < 255:
            raise MediaError(
                Refusal.UNSUPPORTED_FORMAT,
                "the picture is transparent in places: what lies behind it is not known",
            )
        picture = rgba
    if is_deep:
        grey = (np.asarray(picture).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.array(picture.convert("RGB"))
