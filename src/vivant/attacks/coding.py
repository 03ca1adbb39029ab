"""What is lost when pictures are stored: pixels, JPEG, H.264."""

from fractions import Fraction

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from jaxtyping import UInt8

from vivant.attacks.draws import Draws, Sizes

__all__ = ["as_jpeg", "as_video", "resample"]


def resample(
    pixels: UInt8[np.ndarray, "height width 3"], draws: Draws, sizes: Sizes, least: float
) -> UInt8[np.ndarray, "height width 3"]:
    """A picture that is made smaller and then as large as before.

    Args:
        pixels: RGB, 0..255.
        draws: How small it becomes, and how it is enlarged.
        sizes: Of the picture.
        least: The smallest side, as a share of its own where the usual crop has 256 pixels or
            fewer; of a larger picture accordingly less.
    """
    share = draws.log_uniform(least / sizes.fine, 1.0)
    how = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[draws.below(2)]
    size = (max(1, round(sizes.width * share)), max(1, round(sizes.height * share)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (sizes.width, sizes.height), interpolation=how), np.uint8)


def as_jpeg(
    pixels: UInt8[np.ndarray, "height width 3"], quality: int
) -> UInt8[np.ndarray, "height width 3"]:
    """What JPEG leaves of a picture.

    Args:
        pixels: RGB, 0..255.
        quality: 1..100.
    """
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def as_video(
    frames: UInt8[np.ndarray, "n height width 3"], crf: int
) -> UInt8[np.ndarray, "n height width 3"]:
    """What H.264 leaves of a clip.

    The same frames give the same result with the same FFmpeg.

    Args:
        frames: RGB, 0..255, 30 a second.
        crf: 0..51; the higher, the more is lost.
    """
    _, height, width, _ = frames.shape
    even = ((0, 0), (0, height % 2), (0, width % 2), (0, 0))
    padded = np.pad(frames, even, mode="edge")
    coder, decoder = av.CodecContext.create("libx264", "w"), av.CodecContext.create("h264", "r")
    assert isinstance(coder, VideoCodecContext)
    assert isinstance(decoder, VideoCodecContext)
    coder.height, coder.width = padded.shape[1:3]
    coder.pix_fmt, coder.framerate, coder.thread_count = "yuv420p", Fraction(30), 1
    # With AVX-512 and its macroblock tree x264 writes other bytes each time.
    coder.options = {"crf": str(crf), "preset": "veryfast", "x264-params": "mbtree=0"}
    decoder.thread_count = 1
    pictures = (av.VideoFrame.from_ndarray(each, format="rgb24") for each in padded)
    packets = [packet for each in (*pictures, None) for packet in coder.encode(each)]
    decoded = [frame for each in (*packets, None) for frame in decoder.decode(each)]
    pixels = np.stack([each.to_ndarray(format="rgb24") for each in decoded])
    return np.ascontiguousarray(pixels[:, :height, :width])
