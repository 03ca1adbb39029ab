"""A clip that is a row of pictures, one file or one piece of memory for each frame."""

from collections.abc import Callable, Iterable, Iterator, Sequence
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

__all__ = ["PictureReader", "picture_reader", "read_pictures", "read_stills"]

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
    numbers: Sequence[int] | None = None,
) -> Media:
    """Open the frames of one clip; only those that are looked at are read.

    Args:
        pictures: Of one size, in the order of time; files, or their content.
        rate: Frames in a second: pictures do not say when they were taken.
        interval_s: Time between the frames that are looked at, in seconds.
        limits: What is read.
        pool: Decodes all of them in one process of its own; None: in this one.
        numbers: Which of the camera's frames each picture is, from 0, ascending; None: all of
            them, one after the other.

    Raises:
        InputError: the rate is not positive.
        MediaError: EMPTY_INPUT, TOO_LONG; and while the frames are taken, with the picture's name.
    """
    if not rate > 0:
        raise InputError(f"expected a rate above 0 frames a second, got {rate}")
    if not pictures:
        raise MediaError(Refusal.EMPTY_INPUT, "expected the frames of one clip, got none")
    if numbers is None:
        numbers = range(len(pictures))
    elif numbers[-1] / rate > limits.max_seconds:
        # Between two numbers may lie any time, and every interval of it is gone through.
        raise MediaError(
            Refusal.TOO_LONG,
            f"expected pictures of at most {limits.max_seconds:g} s (max_seconds), got numbers "
            f"{numbers[-1]} apart, {numbers[-1] / rate:.0f} s at {rate:g} frames a second",
        )
    moments = [
        _Moment(one, frame / rate, place)
        for place, (one, frame) in enumerate(zip(pictures, numbers, strict=True))
    ]
    return Media(False, _frames(near_grid(moments, interval_s), limits, pool))


def read_stills(
    pictures: Sequence[Path | bytes],
    interval_s: float,
    limits: VideoLimits,
    pool: DecoderPool | None,
) -> Media:
    """Open pictures that were taken at no known rate: all of them are read.

    Args:
        pictures: Of one size; files, or their content.
        interval_s: Time between two of them by name alone, in seconds.
        limits: What is read.
        pool: As for `read_pictures`.

    Raises:
        MediaError: EMPTY_INPUT; and while the frames are taken, with the picture's name.
    """
    if not pictures:
        raise MediaError(Refusal.EMPTY_INPUT, "expected the pictures of a series, got none")
    moments = [_Moment(one, place * interval_s, place) for place, one in enumerate(pictures)]
    return Media(True, _frames(moments, limits, pool))


def _frames(
    moments: Iterable[_Moment], limits: VideoLimits, pool: DecoderPool | None
) -> Iterator[Frame]:
    size = None
    with picture_reader(limits, pool) as read:
        for moment in moments:
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
