"""Reads the boxes of an MP4 file before a decoder does, for what a few forged bytes make it do.

A demuxer allocates what the tables announce: ten million samples in a file of a few kilobytes cost
it a gigabyte. Here nothing is allocated; numbers are compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vivant.errors import MediaError, Refusal
from vivant.video.limits import VideoLimits

__all__ = ["check_boxes"]

_CONTAINERS = {
    b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"mvex", b"moof", b"traf",
    b"udta",
}  # fmt: skip
# Tables of a track, and the bytes of one entry: what they announce must be there.
_TABLES = {b"stts": 8, b"ctts": 8, b"stsc": 12, b"stco": 4, b"co64": 8, b"stss": 4, b"elst": 12}
# FFmpeg reads sound whose samples last one tick each, uncompressed, so many at a time.
_TICKS_AT_ONCE = 1024


def check_boxes(data: bytes, limits: VideoLimits) -> None:
    """Refuse an MP4 file whose boxes announce more than is read, or more than there is.

    Args:
        data: The whole file.
        limits: `max_boxes`, `max_box_depth`, `max_streams`, `max_samples`, `max_frames`.

    Raises:
        MediaError: CORRUPT_MEDIA, TOO_MANY_FRAMES, TOO_MANY_STREAMS, UNSUPPORTED_FORMAT.
    """
    track, num_tracks = _Track(), 0
    num_in_fragments = 0
    boxes = enumerate(_walk(data, 0, len(data), 0, limits.max_box_depth), start=1)
    for num_boxes, (depth, kind, start, end) in boxes:
        if num_boxes > limits.max_boxes:
            raise MediaError(
                Refusal.CORRUPT_MEDIA, f"more than {limits.max_boxes} boxes (max_boxes)"
            )
        num_samples = _num_samples(data, kind, start, end)
        if kind == b"cmov":  # Other boxes, packed: nobody has written them for twenty years.
            raise MediaError(Refusal.UNSUPPORTED_FORMAT, "the header is compressed")
        if kind == b"trak":
            track, num_tracks = _Track(), num_tracks + 1
            if num_tracks > limits.max_streams:
                raise MediaError(
                    Refusal.TOO_MANY_STREAMS,
                    f"expected at most {limits.max_streams} tracks (max_streams), got more",
                )
        elif kind == b"hdlr" and depth and data[start + 4 : start + 8] != b"dhlr":
            track.handler = data[start + 8 : start + 12]
        elif kind == b"trun":
            num_in_fragments += num_samples
            _check_count(num_in_fragments, limits.max_samples, "max_samples")
        elif kind == b"elst":  # Each edit may show the whole track once more.
            _check_count(num_samples, limits.max_frames, "max_frames")
        elif kind in (b"stsz", b"stz2"):
            track.num_sizes = num_samples
        elif kind == b"stts":
            track.num_times = num_samples
            # One entry, for all samples, of one tick.
            track.is_one_tick = end - start == 16 and data[end - 4 : end] == b"\0\0\0\1"
        track.check(limits)


@dataclass(slots=True)
class _Track:
    """What the tables of a track have announced so far."""

    handler: bytes = b""
    num_sizes: int = 0
    num_times: int = 0
    is_one_tick: bool = False

    def check(self, limits: VideoLimits) -> None:
        num_samples = max(self.num_sizes, self.num_times)
        if self.handler == b"soun" and self.is_one_tick:
            num_samples //= _TICKS_AT_ONCE
        if self.handler == b"vide":
            _check_count(num_samples, limits.max_frames, "max_frames")
        _check_count(num_samples, limits.max_samples, "max_samples")


def _check_count(num_samples: int, allowed: int, name: str) -> None:
    if num_samples > allowed:
        raise MediaError(
            Refusal.TOO_MANY_FRAMES, f"a track announces more than {allowed} samples ({name})"
        )


def _walk(
    data: bytes, start: int, end: int, depth: int, max_depth: int
) -> Iterator[tuple[int, bytes, int, int]]:
    """The boxes in their order: depth, kind, start and end of the content."""
    if depth > max_depth:
        raise MediaError(Refusal.CORRUPT_MEDIA, f"boxes lie deeper than {max_depth} levels")
    at = start
    while at + 8 <= end:
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        content = at + 8
        if size == 1:  # The size stands in the next 8 bytes.
            size, content = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        elif size == 0:  # To the end.
            size = end - at
        if size < content - at:
            return  # Padding or damage: the demuxer reads no further either.
        stop = min(at + size, end)
        yield depth, kind, content, stop
        if kind in _CONTAINERS:
            yield from _walk(data, content, stop, depth + 1, max_depth)
        at += size


def _num_samples(data: bytes, kind: bytes, start: int, end: int) -> int:
    """How many samples a box announces; 0 where it is not such a box."""
    if kind in (b"stsz", b"stz2"):
        same_size = _number(data, start + 4) if kind == b"stsz" else 0
        count = _number(data, start + 8)
        bits = _number(data, start + 4) & 0xFF if kind == b"stz2" else 32
        if not same_size and count * bits // 8 > end - start - 12:
            raise _too_short(kind, count)
        return count
    if kind in _TABLES:
        count = _number(data, start + 4)
        if count * _TABLES[kind] > end - start - 8:
            raise _too_short(kind, count)
        if kind == b"elst":
            return count
        if kind == b"stts":
            entries = np.frombuffer(data, ">u4", 2 * count, start + 8)
            return int(entries[::2].sum(dtype=np.int64))
        return 0
    if kind == b"trun":
        count, flags = _number(data, start + 4), _number(data, start) & 0xFFFFFF
        size = 4 * bin(flags & 0xF00).count("1")
        if size * count > end - start - 8:
            raise _too_short(kind, count)
        return count
    return 0


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _too_short(kind: bytes, count: int) -> MediaError:
    return MediaError(
        Refusal.CORRUPT_MEDIA,
        f"the table {kind.decode('latin-1')!r} announces {count} entries and does not hold them",
    )
