"""Videos on disk: the codec follows from the name's ending, as data sets have it."""

from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.codec import UnknownCodecError
from av.error import FFmpegError
from av.video.stream import VideoStream
from jaxtyping import UInt8

from vivant.errors import InputError, OutputError
from vivant.files import put_in_place, unfinished_path

__all__ = ["write_video"]

# By the ending: muxer, encoder, pixel format. AVI has no place for H.264's reordered frames.
_FORMATS = {
    ".mp4": ("mp4", "libx264", "yuv420p"),
    ".mov": ("mov", "libx264", "yuv420p"),
    ".avi": ("avi", "mpeg4", "yuv420p"),
}
_PIXEL_FORMATS = {"mjpeg": "yuvj420p"}


def write_video(
    path: Path,
    frames: Iterable[UInt8[np.ndarray, "height width 3"]],
    frame_rate: float,
    crf: int,
    codec: str | None = None,
) -> int:
    """Encode frames as a video: H.264 in .mp4 and .mov, MPEG-4 in .avi.

    The file is there when it is whole, and not before. The same frames give the same bytes with the
    same FFmpeg.

    Args:
        path: Its ending says what is written.
        frames: RGB, 0..255, all of one size, with even sides.
        frame_rate: In a second.
        crf: How much is thrown away, on H.264's scale: 0..51, 18 is good, 30 is poor. The scale of
            MPEG-4 and MJPEG, 2..31, is taken from it.
        codec: Another encoder of FFmpeg, such as `mjpeg` for .avi.

    Returns:
        How many frames there were.

    Raises:
        InputError: an ending or a codec that cannot be written, or no frames, or a size that is not
            even or changes.
        OutputError: the file cannot be written.
    """
    if path.suffix.lower() not in _FORMATS:
        raise InputError(
            f"expected a video's name ending in {', '.join(_FORMATS)}, got {path.name!r}"
        )
    if not (0 <= crf <= 51 and frame_rate > 0):
        raise InputError(f"expected a crf in 0..51 and a rate above 0, got {crf}, {frame_rate}")
    muxer, usual, pixel_format = _FORMATS[path.suffix.lower()]
    codec = codec or usual
    if not _is_encoder(codec):
        raise InputError(f"expected an encoder of videos that FFmpeg has, got {codec!r}")
    pixel_format = _PIXEL_FORMATS.get(codec, pixel_format)
    unfinished = unfinished_path(path)
    try:
        count = _encode(unfinished, frames, muxer, codec, pixel_format, frame_rate, crf)
        put_in_place(unfinished, path)
    except (FFmpegError, OSError) as error:
        raise OutputError(f"{path} cannot be written: {error}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
    return count


def _encode(
    path: Path,
    frames: Iterable[UInt8[np.ndarray, "_height _width 3"]],
    muxer: str,
    codec: str,
    pixel_format: str,
    frame_rate: float,
    crf: int,
) -> int:
    count = 0
    size: tuple[int, int] | None = None
    # Without the muxer's version and the date, the same frames are the same bytes.
    with av.open(path, "w", format=muxer, options={"fflags": "+bitexact"}) as target:
        rate = Fraction(frame_rate).limit_denominator(1001)
        stream = target.add_stream(codec, rate=rate, options=_options(codec, crf))
        assert isinstance(stream, VideoStream)
        stream.pix_fmt = pixel_format
        stream.codec_context.thread_count = 1  # Threads would share the work, and the bits, anew.
        for pixels in frames:
            height, width = pixels.shape[:2]
            if size is None:
                stream.width, stream.height = size = (width, height)
            if size != (width, height) or width % 2 or height % 2:
                raise InputError(
                    f"expected frames of one size with even sides, got {width}x{height} after "
                    f"{count} of {size[0]}x{size[1]}"
                )
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            target.mux(stream.encode(picture.reformat(format=pixel_format, threads=1)))
            count += 1
        if size is None:
            raise InputError("expected at least one frame, got none")
        target.mux(stream.encode(None))
    return count


def _is_encoder(codec: str) -> bool:
    try:
        return av.Codec(codec, "w").type == "video"
    except UnknownCodecError:
        return False


def _options(codec: str, crf: int) -> dict[str, str]:
    """Of the encoder: how much it throws away."""
    if codec.startswith("libx26"):
        options = {"crf": str(crf), "preset": "fast", "threads": "1"}
        if codec == "libx264":
            # With AVX-512 and its macroblock tree x264 writes other bytes each time.
            options["x264-params"] = "mbtree=0"
        return options
    scale = min(max(round((crf - 10) / 3), 2), 31)  # 18 is about 3, 30 about 7.
    return {"qmin": str(scale), "qmax": str(scale), "threads": "1"}
