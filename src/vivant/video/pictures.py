"""A clip that is a row of pictures, one file or one piece of memory for each frame."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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

__all__ = ["PictureReader", "picture_reader", "read_pictures"]

PictureReader = Callable[[bytes], UInt8[ndarray, "height width 3"]]
"""The bytes of a picture in, RGB out, 0..255, upright; raises a MediaError."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """A picture that is not read yet."""

    picture: Path | bytes
    time_s: float
    number: int

    @property
    def name(self) -> str:
        """For errors."""
        return (
            f"picture {self.number + 1}" if isinstance(self.picture, bytes) else self.picture.name
        )


def read_pictures(
    pictures: Sequence[Path | bytes],
    rate: float,
    interval_s: float,
    limits: VideoLimits,
    pool: DecoderPool | None,
) -> Media:
    """Open the frames of one clip; only those that are looked at are read.

    Args:
        pictures: Of one size, in the order of time; files, or their content.
        rate: Frames in a second: pictures do not say when they were taken.
        interval_s: Time between the frames that are looked at, in seconds.
        limits: What is read.
        pool: Decodes all of them in one process of its own; None: in this one.

    Raises:
        InputError: the rate is not positive.
        MediaError: EMPTY_INPUT; and while the frames are taken, with the picture's name.
    """
    if not rate > 0:
        raise InputError(f"expected a rate above 0 frames a second, got {rate}")
    if not pictures:
        raise MediaError(Refusal.EMPTY_INPUT, "expected the frames of one clip, got none")
    moments = [_Moment(one, number / rate, number) for number, one in enumerate(pictures)]

    def frames() -> Iterator[Frame]:
        size = None
        with picture_reader(limits, pool) as read:
            for moment in near_grid(moments, interval_s):
                try:
                    one = moment.picture
                    pixels = read(one if isinstance(one, bytes) else read_file(one, limits))
                    size = size or pixels.shape
                    if pixels.shape != size:
                        raise MediaError(
                            Refusal.RESOLUTION_CHANGED,
                            f"expected a picture of {size[1]}x{size[0]} as before, got "
                            f"{pixels.shape[1]}x{pixels.shape[0]}",
                        )
                except MediaError as error:
                    raise MediaError(error.code, f"{moment.name}: {error}") from error
                yield Frame(pixels, moment.time_s, moment.number)

    return Media(False, frames())


@contextmanager
def picture_reader(limits: VideoLimits, pool: DecoderPool | None) -> Iterator[PictureReader]:
    """Decodes pictures of one sender, one after the other.

    Args:
        limits: What is read.
        pool: Gives one process for all of them; None: in this process.
    """
    if pool is None:
        yield partial(_picture, partial(read_media, limits=limits))
        return
    with pool.hold() as read:
        yield partial(_picture, read)


def _picture(
    read: Callable[[bytes, float], Media], data: bytes
) -> UInt8[ndarray, "height width 3"]:
    media = read(data, 1.0)
    pictures = list(media.frames)
    if not media.is_still:
        raise MediaError(Refusal.UNSUPPORTED_FORMAT, "expected a picture, got a video")
    return pictures[0].pixels
