"""Films with a camera of this machine, or takes a stream from one in the network.

Unlike a file, a stream is trusted as far as its owner is: whoever starts `vivant` names the camera.
Never hand a user's text to `open_stream`.
"""

import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import av
from av.container import InputContainer

from vivant.errors import InputError, MediaError, Refusal
from vivant.records import Frame
from vivant.video.decode import DecodedFrame, check_frame_size, check_same_size
from vivant.video.display import IDENTITY
from vivant.video.frames import Media
from vivant.video.limits import VideoLimits
from vivant.video.sampling import near_grid

__all__ = ["open_camera", "open_stream"]

_OPEN_S, _READ_S = 10.0, 5.0  # How long to wait for a stream's start, and for its next packet.


def open_camera(index: int, seconds: float, interval_s: float, limits: VideoLimits) -> Media:
    """Film with a camera of this machine.

    Args:
        index: 0 is the first camera.
        seconds: How long.
        interval_s: Time between the frames that are looked at.
        limits: `max_seconds` and the sizes of frames hold here too.

    Raises:
        MediaError: NOT_A_FILE where there is no such camera, or it may not be used.
        InputError: negative index, or too many seconds.
    """
    if index < 0:
        raise InputError(f"expected a camera's number, 0 or more, got {index}")
    name, device = {
        "linux": (f"/dev/video{index}", "v4l2"),
        "darwin": (str(index), "avfoundation"),
    }.get(sys.platform, (f"video={index}", "dshow"))
    return _film(name, device, {}, seconds, interval_s, limits)


def open_stream(url: str, seconds: float, interval_s: float, limits: VideoLimits) -> Media:
    """Take a camera's stream from the network, by RTSP over TCP.

    Args:
        url: `rtsp://host/path`, with user and password if the camera asks for them.
        seconds: How long.
        interval_s: Time between the frames that are looked at.
        limits: `max_seconds` and the sizes of frames hold here too.

    Raises:
        InputError: not an RTSP address, or too many seconds.
        MediaError: NOT_A_FILE where nothing answers.
    """
    if urlsplit(url).scheme not in ("rtsp", "rtsps") or "\0" in url:
        raise InputError("expected an address that begins with rtsp:// or rtsps://")
    options = {"rtsp_transport": "tcp", "protocol_whitelist": "rtsp,rtsps,rtp,tcp,tls,crypto"}
    return _film(url, "rtsp", options, seconds, interval_s, limits)


def _film(
    name: str,
    device: str,
    options: dict[str, str],
    seconds: float,
    interval_s: float,
    limits: VideoLimits,
) -> Media:
    if not 0 < seconds <= limits.max_seconds:
        raise InputError(
            f"expected more than 0 and at most {limits.max_seconds:g} seconds (max_seconds), got "
            f"{seconds:g}"
        )
    try:
        container = av.open(
            name, mode="r", format=device, container_options=options, timeout=(_OPEN_S, _READ_S)
        )
    except (av.error.FFmpegError, ValueError) as error:
        # Without the address, and without the error that names it: it may hold a password.
        reason = getattr(error, "strerror", None) or "this build of FFmpeg cannot open it"
        raise MediaError(Refusal.NOT_A_FILE, f"the camera does not answer: {reason}") from None
    frames = near_grid(_pictures(container, seconds, limits), interval_s)
    return Media(False, (Frame(frame.pixels(), frame.time_s) for frame in frames))


def _pictures(
    container: InputContainer, seconds: float, limits: VideoLimits
) -> Iterator[DecodedFrame]:
    with container:
        if not container.streams.video:
            raise MediaError(Refusal.NO_VIDEO_STREAM, "the camera sends no picture")
        first_s: float | None = None
        last_s = -1.0
        size = (0, 0)
        try:
            for picture in container.decode(video=0):
                if picture.pts is None or picture.is_corrupt:
                    continue
                if first_s is None:
                    check_frame_size(picture.width, picture.height, limits)
                    first_s, size = picture.time, (picture.width, picture.height)
                check_same_size(picture, size)
                time_s = picture.time - first_s
                if time_s >= seconds:
                    return
                if time_s > last_s:
                    last_s = time_s
                    yield DecodedFrame(time_s, picture, IDENTITY)
        except av.error.FFmpegError:
            # Without the error: it may name the address, and that a password.
            raise MediaError(Refusal.CORRUPT_MEDIA, "the camera's stream broke off") from None
        if first_s is None:
            raise MediaError(Refusal.CORRUPT_MEDIA, "the camera gave no frame")
