"""Media for tests, made on the spot: videos, pictures, and the odd ones of the input policy.

`video` is the builder of sound clips; what is damaged, forged or hostile is made from them by
`forgery`. Nothing is kept in files, nothing is licensed.
"""

import io
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np

# A display matrix (a, b, c, d) for each EXIF orientation: (x, y) is shown at (ax + cy, bx + dy).
MATRICES: dict[int, tuple[int, int, int, int]] = {
    1: (1, 0, 0, 1),  # upright
    2: (-1, 0, 0, 1),  # mirrored
    3: (-1, 0, 0, -1),  # half a turn
    4: (1, 0, 0, -1),  # upside down
    5: (0, 1, 1, 0),  # mirrored on the falling diagonal
    6: (0, 1, -1, 0),  # a quarter turn clockwise
    7: (0, -1, -1, 0),  # mirrored on the rising diagonal
    8: (0, -1, 1, 0),  # a quarter turn counter-clockwise
}
_TICKS = 90_000  # Times in a file are counted in these parts of a second.


def video(
    frames: Sequence[np.ndarray],
    rate: float = 30,
    codec: str = "mpeg4",
    container: str = "mp4",
    *,
    times: Sequence[float] | None = None,
    rotation: int = 0,
    matrix: tuple[int, int, int, int] | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    sound: bool = False,
) -> bytes:
    """A video of these frames.

    Args:
        frames: (height, width, 3), RGB, 0..255; all of one size, with even sides.
        rate: Frames a second.
        codec: An encoder of FFmpeg: mpeg4, mjpeg, libx264, libx265, libvpx, libvpx-vp9, ffv1, ...
        container: A muxer of FFmpeg: mp4, mov, matroska, webm, avi, ...
        times: When each frame is shown, in seconds, instead of a constant rate.
        rotation: Degrees by which a player has to turn the frames clockwise: 0, 90, 180, 270.
        matrix: The display matrix itself, such as those of `MATRICES`; mp4 and mov keep any.
        options: Of the encoder.
        container_options: Of the muxer.
        sound: Whether a track of AAC comes along (mp4, mov, matroska).
    """
    file = io.BytesIO()
    height, width, _ = frames[0].shape
    with av.open(file, "w", format=container, options=container_options or {}) as target:
        exact_rate = Fraction(rate).limit_denominator(1000)
        stream = target.add_stream(codec, rate=exact_rate, options=_quick(codec) | (options or {}))
        stream.width, stream.height, stream.pix_fmt = width, height, _pixel_format(codec)
        # MPEG-4 counts in at most 16 bits, and AVI in frames.
        time_base = 1 / exact_rate if times is None else Fraction(1, _ticks(codec))
        stream.codec_context.time_base = time_base
        turn = matrix or MATRICES[{0: 1, 90: 6, 180: 3, 270: 8}[rotation]]
        if turn != MATRICES[1]:
            a, b, c, d = (value * 2**16 for value in turn)
            stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 2**30])
        track = target.add_stream("aac", rate=48_000) if sound else None
        for index, pixels in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            picture = picture.reformat(format=stream.pix_fmt, threads=1)
            picture.pts = index if times is None else round(times[index] / time_base)
            picture.time_base = time_base
            target.mux(stream.encode(picture))
        target.mux(stream.encode(None))
        if track is not None:
            for start in range(0, 48_000, 1024):
                target.mux(track.encode(_silence(start)))
            target.mux(track.encode(None))
    return file.getvalue()


def sound(container: str = "mp4", codec: str = "aac", seconds: float = 1.0) -> bytes:
    """Sound without a picture."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as target:
        track = target.add_stream(codec, rate=48_000)
        for start in range(0, round(48_000 * seconds), 1024):
            samples = _silence(start)
            if track.format.name != samples.format.name:
                samples = av.AudioFrame.from_ndarray(
                    np.zeros((1, 1024), np.int16), format="s16", layout="mono"
                )
                samples.sample_rate, samples.pts = 48_000, start
            target.mux(track.encode(samples))
        target.mux(track.encode(None))
    return file.getvalue()


def pattern(index: int = 0, width: int = 96, height: int = 64) -> np.ndarray:
    """A frame without symmetry whose brightness and colours say which one it is."""
    y, x = np.mgrid[0:height, 0:width]
    red = 200 * x / width + index % 50
    green = 200 * y / height + 50 * (index % 2)
    blue = np.where((x < width // 3) & (y < height // 2), 220, 40) + index % 16
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def patterns(count: int, width: int = 96, height: int = 64) -> list[np.ndarray]:
    return [pattern(index, width, height) for index in range(count)]


@lru_cache
def clip(codec: str = "mpeg4", container: str = "mp4", count: int = 20, rate: float = 10) -> bytes:
    """A short sound clip of `pattern`s, 96x64; made once."""
    return video(patterns(count), rate, codec, container)


def remux(data: bytes, times: Iterable[int], time_base: Fraction, container: str) -> bytes:
    """The packets of a video, over and over, at other times: long clips that cost no encoding."""
    file = io.BytesIO()
    with av.open(io.BytesIO(data)) as source, av.open(file, "w", format=container) as target:
        packets = [packet for packet in source.demux(video=0) if packet.size]
        stream = target.add_stream_from_template(source.streams.video[0])
        contents = [bytes(packet) for packet in packets]
        for index, time in enumerate(times):
            packet = av.Packet(contents[index % len(contents)])
            packet.stream, packet.time_base = stream, time_base
            packet.pts = packet.dts = time
            packet.is_keyframe = packets[index % len(packets)].is_keyframe
            target.mux(packet)
    return file.getvalue()


def _quick(codec: str) -> dict[str, str]:
    """Options that make an encoder fast, and its streams simple."""
    return {
        "libx264": {"preset": "ultrafast", "threads": "1"},
        "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:pools=1"},
        "libvpx": {"deadline": "realtime", "cpu-used": "8", "threads": "1"},
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "threads": "1"},
        "libsvtav1": {"preset": "12", "svtav1-params": "lp=1"},
        "mpeg4": {"qscale": "3", "flags": "+qscale", "global_quality": "354"},
        "mjpeg": {"flags": "+qscale", "global_quality": "354"},
    }.get(codec, {})


def _pixel_format(codec: str) -> str:
    return {"mjpeg": "yuvj420p", "ffv1": "yuv420p", "gif": "rgb8", "apng": "rgb24"}.get(
        codec, "yuv420p"
    )


def _ticks(codec: str) -> int:
    return 1000 if codec == "mpeg4" else _TICKS


def _silence(start: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(
        np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
    )
    frame.sample_rate, frame.pts = 48_000, start
    return frame
