"""What a file is, by its content. Names and endings are never asked: they are the sender's."""

from dataclasses import dataclass
from typing import Literal

from vivant.errors import MediaError, Refusal

__all__ = ["MediaKind", "sniff"]

_HEIF_BRANDS = {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis"}
_EBML = b"\x1a\x45\xdf\xa3"


@dataclass(frozen=True, slots=True)
class MediaKind:
    """A container that is read."""

    name: Literal["mp4", "matroska", "avi", "jpeg", "png", "webp"]
    is_video: bool


def sniff(data: bytes) -> MediaKind:
    """The kind of a file.

    Args:
        data: The file's content, or its first 64 bytes at least.

    Raises:
        MediaError: EMPTY_INPUT, or UNSUPPORTED_FORMAT with what to do about it.
    """
    if not data:
        raise MediaError(Refusal.EMPTY_INPUT, "the file is empty: 0 bytes")
    if data[4:8] == b"ftyp":
        return _iso_media(data)
    if data[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip"):  # QuickTime before `ftyp`.
        return MediaKind("mp4", is_video=True)
    if data.startswith(_EBML):
        return MediaKind("matroska", is_video=True)
    if data.startswith(b"RIFF"):
        if data[8:12] == b"AVI ":
            return MediaKind("avi", is_video=True)
        if data[8:12] == b"WEBP":
            return MediaKind("webp", is_video=False)
    if data.startswith(b"\xff\xd8\xff"):
        return MediaKind("jpeg", is_video=False)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return MediaKind("png", is_video=False)
    if data.startswith((b"GIF87a", b"GIF89a")):
        raise MediaError(
            Refusal.ANIMATED_IMAGE,
            "the file is a GIF: expected a video (MP4, Matroska, WebM, AVI) or a still picture "
            "(JPEG, PNG, WebP)",
        )
    raise MediaError(
        Refusal.UNSUPPORTED_FORMAT,
        "the content is none that is read: expected a video (MP4, Matroska, WebM, AVI) or a still "
        f"picture (JPEG, PNG, WebP), got a file that begins with {data[:8].hex(' ')}",
    )


def _iso_media(data: bytes) -> MediaKind:
    """MP4 and QuickTime, but not the pictures that come in the same boxes."""
    size = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12]} | {data[at : at + 4] for at in range(16, size, 4)}
    if data[8:12] in _HEIF_BRANDS or brands & {b"heic", b"avif"}:
        raise MediaError(
            Refusal.UNSUPPORTED_FORMAT,
            "the file is an HEIC or AVIF picture, which is not read: save it as JPEG or PNG "
            "(phones have a setting for it: 'most compatible')",
        )
    return MediaKind("mp4", is_video=True)
