"""From bytes to the frames that are looked at, in this process: sniff, decode, sample."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vivant.errors import MediaError, Refusal
from vivant.records import Frame
from vivant.video.decode import DecodedFrame, decode_video
from vivant.video.limits import VideoLimits
from vivant.video.sampling import check_interval, near_grid
from vivant.video.sniff import sniff
from vivant.video.source import check_size
from vivant.video.still import decode_still

__all__ = ["Media", "read_media"]


@dataclass(frozen=True, slots=True, eq=False)
class Media:
    """A file that is being decoded."""

    is_still: bool
    """A picture, not a video: it has one frame. Or pictures of no known rate: see `read_stills`."""
    frames: Iterator[Frame]
    """The frames that are looked at, about one interval apart. It may end in a MediaError."""


def read_media(
    data: bytes,
    interval_s: float,
    limits: VideoLimits,
    on_decoded: Callable[[int, int], None] = lambda num_frames, num_pixels: None,
) -> Media:
    """Open a video or a picture.

    Args:
        data: The whole file.
        interval_s: Time between the frames that are looked at, in seconds.
        limits: What is read.
        on_decoded: Called after each decoded frame, looked at or not, with the number of frames so
            far and the pixels of each.

    Raises:
        MediaError: with one of the codes of `Refusal`; from here or while the frames are taken.
        InputError: the interval is not positive.
    """
    check_interval(interval_s)
    check_size(data, limits)
    kind = sniff(data)
    if not kind.is_video:
        with _memory_errors_as_refusals():
            pixels = decode_still(data, kind, limits)
        return Media(True, iter([Frame(pixels, 0.0, 0)]))

    def counted() -> Iterator[DecodedFrame]:
        for num_frames, frame in enumerate(decode_video(data, kind, limits), start=1):
            on_decoded(num_frames, frame.picture.width * frame.picture.height)
            yield frame

    def chosen() -> Iterator[Frame]:
        with _memory_errors_as_refusals():
            for frame in near_grid(counted(), interval_s):
                yield Frame(frame.pixels(), frame.time_s, frame.number)

    return Media(False, chosen())


@contextmanager
def _memory_errors_as_refusals() -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise MediaError(
            Refusal.RESOURCE_LIMIT,
            "decoding needs more memory than there is, or than is allowed (max_memory_bytes)",
        ) from error
