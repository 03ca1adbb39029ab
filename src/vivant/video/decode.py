"""Decodes a video's bytes, frame by frame, in this process. `isolation` does it in another.

The options given to FFmpeg keep it from opening anything but the bytes it was handed: no protocol,
no container but the one that the content showed, no codec beyond a few.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from jaxtyping import UInt8

from vivant.errors import MediaError, Refusal
from vivant.video.display import IDENTITY, Orientation, orient, read_matrix
from vivant.video.isobmff import check_boxes
from vivant.video.limits import VideoLimits
from vivant.video.sniff import MediaKind

__all__ = ["DecodedFrame", "check_frame_size", "check_same_size", "decode_video"]

_DEMUXERS = {"mp4": "mov", "matroska": "matroska", "avi": "avi"}
_CODECS = {"h264", "hevc", "vp8", "vp9", "av1", "mjpeg", "mpeg4"}
# FFmpeg names decoders, and more than one reads AV1.
_DECODERS = "h264,hevc,vp8,libvpx,vp9,libvpx-vp9,av1,libdav1d,mjpeg,mpeg4"


@dataclass(frozen=True, slots=True, eq=False)
class DecodedFrame:
    """A frame that is decoded but not yet RGB: most are never asked for their pixels."""

    time_s: float
    """Seconds from the first frame."""
    picture: av.VideoFrame
    orientation: Orientation
    number: int | None = None
    """How many sound frames of the file came before it."""

    def pixels(self) -> UInt8[np.ndarray, "height width 3"]:
        """RGB, 0..255, upright."""
        # One thread: else swscale starts a pool of threads for each frame.
        rgb = self.picture.reformat(format="rgb24", threads=1).to_ndarray()
        return orient(rgb, self.orientation)


def decode_video(data: bytes, kind: MediaKind, limits: VideoLimits) -> Iterator[DecodedFrame]:
    """The sound frames of a video in the order of time.

    Damaged frames are left out. Whether there were too many is known at the end only, so the
    refusal may come after the last frame: take no decision before the iterator ends.

    Args:
        data: The whole file.
        kind: What `sniff` said of it.
        limits: What is read.

    Raises:
        MediaError: with one of the codes of `Refusal`.
    """
    if kind.name == "mp4":
        check_boxes(data, limits)
    try:
        with _open(data, kind, limits) as container:
            stream = _picture_stream(container, limits)
            yield from _frames(container, stream, limits)
    except av.error.MemoryError as error:
        raise MemoryError from error
    except av.error.FFmpegError as error:
        raise MediaError(
            Refusal.CORRUPT_MEDIA, f"the file is damaged or cut off: {error.strerror}"
        ) from error
    except MediaError:
        raise
    except ValueError as error:
        # PyAV's own: of a header without tracks, or that leads before the file's beginning.
        raise MediaError(Refusal.CORRUPT_MEDIA, "the file is damaged or cut off") from error


def check_frame_size(width: int, height: int, limits: VideoLimits) -> None:
    """Refuse frames that are too small or too large.

    Raises:
        MediaError: TOO_SMALL, TOO_MANY_PIXELS.
    """
    if min(width, height) < limits.min_side_px:
        raise MediaError(
            Refusal.TOO_SMALL,
            f"expected sides of at least {limits.min_side_px} pixels (min_side_px), got "
            f"{width}x{height}",
        )
    if max(width, height) > limits.max_side_px or width * height > limits.max_pixels:
        raise MediaError(
            Refusal.TOO_MANY_PIXELS,
            f"expected at most {limits.max_side_px} pixels a side (max_side_px) and "
            f"{limits.max_pixels:,} in all (max_pixels), got {width}x{height}",
        )


def check_same_size(picture: av.VideoFrame, size: tuple[int, int]) -> None:
    """Refuse a frame of another size, (width, height), than those before it.

    Raises:
        MediaError: RESOLUTION_CHANGED.
    """
    if (picture.width, picture.height) != size:
        raise MediaError(
            Refusal.RESOLUTION_CHANGED,
            f"expected frames of one size, got {size[0]}x{size[1]} and then "
            f"{picture.width}x{picture.height}",
        )


def _open(data: bytes, kind: MediaKind, limits: VideoLimits) -> InputContainer:
    demuxer = _DEMUXERS[kind.name]
    per_stream = {"max_pixels": str(limits.max_pixels), "threads": "1"}
    container = av.open(  # type: ignore[call-overload]  # stream_options are dicts, not strings
        io.BytesIO(data),  # Nameless: FFmpeg draws conclusions from names.
        mode="r",
        format=demuxer,
        container_options={
            "format_whitelist": {"mov": "mov,mp4,m4a,3gp,3g2,mj2", "matroska": "matroska,webm"}.get(
                demuxer, demuxer
            ),
            "protocol_whitelist": "none",
            "codec_whitelist": _DECODERS,
            # One more than is allowed, so that too many are seen and not cut off.
            "max_streams": str(limits.max_streams + 1),
            "probesize": "5242880",
            "analyzeduration": "2000000",
            "max_probe_packets": "200",
            "max_index_size": "1048576",
            **({"enable_drefs": "0", "use_absolute_path": "0"} if demuxer == "mov" else {}),
        },
        # Stops the probe from painting a forged 8k frame before anybody asked its size.
        stream_options=[per_stream] * (limits.max_streams + 1),
        metadata_errors="replace",  # A title that is no UTF-8 is nobody's fault.
    )
    assert isinstance(container, InputContainer)
    return container


def _picture_stream(container: InputContainer, limits: VideoLimits) -> VideoStream:
    """The stream to decode, once its header is found to be within the limits."""
    if len(container.streams) > limits.max_streams:
        raise MediaError(
            Refusal.TOO_MANY_STREAMS,
            f"expected at most {limits.max_streams} tracks (max_streams), got more",
        )
    streams = [s for s in container.streams.video if not s.disposition & _COVER]
    if not streams:
        raise MediaError(Refusal.NO_VIDEO_STREAM, "the file has no picture track")
    stream = streams[0]
    codec = stream.codec_context
    # PyAV types it as always there; for a codec that FFmpeg was not built with it is not.
    name = getattr(getattr(codec, "codec", None), "canonical_name", None)
    if name not in _CODECS:
        raise MediaError(
            Refusal.UNSUPPORTED_FORMAT,
            f"expected a video coded as {', '.join(sorted(_CODECS))}, got {name or 'none known'}",
        )
    if not codec.width or not codec.height:
        raise MediaError(Refusal.CORRUPT_MEDIA, "the header does not say how large the frames are")
    check_frame_size(codec.width, codec.height, limits)
    declared_s = max(
        float((container.duration or 0) / av.time_base),
        float((stream.duration or 0) * (stream.time_base or 0)),
    )
    if declared_s > limits.max_seconds:
        raise _too_long(declared_s, limits)
    _check_count(stream.frames, codec.width * codec.height, limits)
    codec.options = {"max_pixels": str(limits.max_pixels)}  # A later frame may claim more.
    codec.thread_type = "NONE"
    codec.thread_count = 1
    return stream


_COVER = av.stream.Disposition.attached_pic


def _frames(
    container: InputContainer, stream: VideoStream, limits: VideoLimits
) -> Iterator[DecodedFrame]:
    num_sound, num_corrupt = 0, 0
    size: tuple[int, int] | None = None
    first_s, last_s = 0.0, -1.0
    orientation = IDENTITY
    for pictures in _decoded(container, stream):
        if pictures is None:
            num_corrupt += 1
            continue
        for picture in pictures:
            size = size or (picture.width, picture.height)
            check_same_size(picture, size)
            _check_count(num_sound + num_corrupt + 1, size[0] * size[1], limits)
            time_s = _time(picture, stream, num_sound + num_corrupt)
            if not num_sound:
                check_frame_size(*size, limits)
                orientation = _orientation(picture)
                first_s = time_s
            # A frame that shows no later than the one before it has a damaged time.
            if picture.is_corrupt or time_s - first_s <= last_s:
                num_corrupt += 1
                continue
            num_sound += 1
            last_s = time_s - first_s
            if last_s > limits.max_seconds:
                raise _too_long(last_s, limits)
            yield DecodedFrame(last_s, picture, orientation, num_sound - 1)
    _check_corrupt(num_sound, num_corrupt, limits)


def _orientation(picture: av.VideoFrame) -> Orientation:
    """How the container wants its frames shown.

    Asked of one frame only: PyAV ties a frame whose side data were looked at into a circle, and
    hundreds of frames would wait for the garbage collector.
    """
    try:
        matrix = picture.side_data["DISPLAYMATRIX"]  # type: ignore[typeddict-item]
    except KeyError:
        return IDENTITY
    return read_matrix(bytes(matrix))


def _decoded(
    container: InputContainer, stream: VideoStream
) -> Iterator[list[av.VideoFrame] | None]:
    """What each packet gave; None where it could not be decoded."""
    for packet in container.demux(stream):
        try:
            yield packet.decode()
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError:
            yield None


def _time(picture: av.VideoFrame, stream: VideoStream, index: int) -> float:
    """A frame's time; by the declared rate where the container gives frames no times."""
    if picture.pts is not None and picture.time_base:
        return float(picture.pts * picture.time_base)
    rate = stream.average_rate
    if not rate:
        raise MediaError(Refusal.CORRUPT_MEDIA, "neither times nor a frame rate are in the file")
    return float(index / rate)


def _check_count(num_frames: int, num_pixels: int, limits: VideoLimits) -> None:
    allowed = min(limits.max_frames, limits.max_total_pixels // max(num_pixels, 1))
    if num_frames > allowed:
        raise MediaError(
            Refusal.TOO_MANY_FRAMES,
            f"expected at most {allowed} frames of this size (max_frames, max_total_pixels), got "
            f"{num_frames} or more: send a shorter video",
        )


def _check_corrupt(num_sound: int, num_corrupt: int, limits: VideoLimits) -> None:
    num_frames = num_sound + num_corrupt
    allowed = max(limits.min_corrupt_frames, limits.max_corrupt_share * num_frames)
    if not num_sound or num_corrupt > allowed:
        raise MediaError(
            Refusal.CORRUPT_MEDIA,
            f"expected at most {allowed:.0f} damaged frames of {num_frames} "
            f"(max_corrupt_share), got {num_corrupt}"
            if num_frames
            else "the picture track has no frame that can be decoded",
        )


def _too_long(seconds: float, limits: VideoLimits) -> MediaError:
    return MediaError(
        Refusal.TOO_LONG,
        f"expected at most {limits.max_seconds:g} seconds (max_seconds), got {seconds:.1f}: "
        "2 to 10 seconds are enough",
    )
