"""A clip that is a row of pictures, one file for each frame."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray

from vivant.errors import InputError, MediaError, Refusal
from vivant.records import Frame
from vivant.video.frames import Media, read_media
from vivant.video.isolation import DecoderPool
from vivant.video.limits import VideoLimits
from vivant.video.sampling import near_grid
from vivant.video.source import read_file

__all__ = ["read_pictures"]


@dataclass(frozen=True, slots=True)
class _Moment:
    """A picture that is not read yet."""

    path: Path
    time_s: float
    number: int


def read_pictures(
    paths: Sequence[Path],
    rate: float,
    interval_s: float,
    limits: VideoLimits,
    pool: DecoderPool | None,
) -> Media:
    """Open the frames of one clip; only those that are looked at are read.

    Args:
        paths: Pictures of one size, in the order of time.
        rate: Frames in a second: pictures do not say when they were taken.
        interval_s: Time between the frames that are looked at, in seconds.
        limits: What is read.
        pool: Decodes all of them in one process of its own; None: in this one.

    Raises:
        InputError: the rate is not positive.
        MediaError: while the frames are taken, with the picture's name.
    """
    if not rate > 0:
        raise InputError(f"expected a rate above 0 frames a second, got {rate}")
    moments = [_Moment(path, number / rate, number) for number, path in enumerate(paths)]

    def frames() -> Iterator[Frame]:
        size = None
        with _reader(limits, pool) as read:
            for moment in near_grid(moments, interval_s):
                try:
                    pixels = _picture(read_file(moment.path, limits), read)
                    size = size or pixels.shape
                    if pixels.shape != size:
                        raise MediaError(
                            Refusal.RESOLUTION_CHANGED,
                            f"expected a picture of {size[1]}x{size[0]} as before, got "
                            f"{pixels.shape[1]}x{pixels.shape[0]}",
                        )
                except MediaError as error:
                    raise MediaError(error.code, f"{moment.path.name}: {error}") from error
                yield Frame(pixels, moment.time_s, moment.number)

    return Media(False, frames())


def _picture(
    data: bytes, read: Callable[[bytes, float], Media]
) -> UInt8[ndarray, "height width 3"]:
    media = read(data, 1.0)
    pictures = list(media.frames)
    if not media.is_still:
        raise MediaError(Refusal.UNSUPPORTED_FORMAT, "expected a picture, got a video")
    return pictures[0].pixels


def _reader(
    limits: VideoLimits, pool: DecoderPool | None
) -> AbstractContextManager[Callable[[bytes, float], Media]]:
    return nullcontext(partial(read_media, limits=limits)) if pool is None else pool.hold()
