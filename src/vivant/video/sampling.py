"""Which frames of a video become clips (spec ruling 24; decision D24)."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

from vivant.errors import InputError

__all__ = [
    "NearGrid",
    "Window",
    "check_interval",
    "choose_windows",
    "near_grid",
    "possible_windows",
    "spread",
]


_ROUNDING_S = 1e-6


@runtime_checkable
class _Timed(Protocol):
    @property
    def time_s(self) -> float: ...


T = TypeVar("T", bound=_Timed)


@dataclass(frozen=True, slots=True)
class Window:
    """The frames of one clip, by their position among the frames that were looked at."""

    frames: tuple[int, ...]
    """N positions in the order of time."""
    is_padded: bool
    """Whether a frame stands in for others that the video does not have."""
    is_short: bool = False
    """Whether there were no N usable frames in a row: too few to decide on."""


def near_grid(frames: Iterable[T], interval_s: float) -> Iterator[T]:
    """The frames nearest to 0, 1, 2 ... times the interval after the first, each once.

    A video of any rate, constant or not, becomes one of the rate that the network knows.

    Args:
        frames: In the order of time; whatever they hold is not touched.
        interval_s: Time between two frames of a clip, in seconds.

    Raises:
        InputError: the interval is not positive.

    >>> from types import SimpleNamespace
    >>> video = [SimpleNamespace(time_s=i / 30) for i in range(10)]
    >>> [round(frame.time_s, 3) for frame in near_grid(video, 0.1)]
    [0.0, 0.1, 0.2, 0.3]
    """
    grid: NearGrid[T] = NearGrid(interval_s)
    for frame in frames:
        yield from grid.add(frame)
    yield from grid.end()


class NearGrid(Generic[T]):
    """`near_grid` for frames that come one by one.

    Args:
        interval_s: Time between two frames of a clip, in seconds.

    Raises:
        InputError: the interval is not positive.
    """

    def __init__(self, interval_s: float) -> None:
        check_interval(interval_s)
        self._interval_s = interval_s
        self._previous: T | None = None
        self._given: T | None = None
        self._start_s = 0.0
        self._step = 0

    def add(self, frame: T) -> Iterator[T]:
        """The frames that are known to be nearest, now that this one is there: at most two.

        Args:
            frame: Later than the one before.
        """
        previous = self._previous
        if previous is None:
            self._start_s = frame.time_s
        self._previous = frame
        while frame.time_s >= (target_s := self._start_s + self._step * self._interval_s):
            is_nearer = previous is None or frame.time_s - target_s < target_s - previous.time_s
            nearest = frame if is_nearer or previous is None else previous
            self._step += 1
            if nearest is not self._given:
                self._given = nearest
                yield nearest

    def end(self) -> Iterator[T]:
        """The last frame, if it is the nearest to a place behind the end."""
        last = self._previous
        if last is None or last is self._given:
            return
        left_s = self._start_s + self._step * self._interval_s - last.time_s
        if left_s < self._interval_s / 2:
            yield last


def choose_windows(
    times_s: Sequence[float],
    usable: Sequence[bool],
    num_frames: int,
    interval_s: float,
    num_windows: int,
) -> tuple[Window, ...]:
    """The clips to score: evenly spread over the places where N frames in a row can be used.

    Frame i of a window is the one nearest to its start + i intervals, and no further from that than
    one interval. Where a video is slower than that all along, a frame stands in twice and the
    window is padded. Where no window fits, the usable frames and repeats of the last make one,
    padded and short.

    Args:
        times_s: When the frames were taken, ascending.
        usable: Whether each holds the face, well enough to be judged.
        num_frames: N.
        interval_s: Time between two frames of a clip.
        num_windows: W; fewer are given where there are fewer. One window is the middle one.

    Returns:
        Windows in the order of time; none where no frame is usable.

    Raises:
        InputError: the lists differ in length, or a number is not positive.
    """
    if len(times_s) != len(usable) or num_frames < 1 or num_windows < 1:
        raise InputError(
            f"expected as many times as marks and positive numbers, got {len(times_s)} times, "
            f"{len(usable)} marks, {num_frames} frames, {num_windows} windows"
        )
    check_interval(interval_s)
    if not any(usable):
        return ()
    possible = possible_windows(times_s, usable, num_frames, interval_s)
    if not possible:
        there = [position for position, use in enumerate(usable) if use][:num_frames]
        return (
            Window(
                (*there, *there[-1:] * (num_frames - len(there))), is_padded=True, is_short=True
            ),
        )
    return tuple(possible[place] for place in spread(len(possible), num_windows))


def spread(num: int, num_chosen: int) -> list[int]:
    """Some of so many places, from the first to the last, evenly; the middle one for 1.

    >>> spread(5, 2), spread(5, 1), spread(2, 4)
    ([0, 4], [2], [0, 1])
    """
    if num_chosen == 1:
        return [(num - 1) // 2]
    places = np.linspace(0, num - 1, num_chosen)
    return sorted({int(place) for place in np.floor(places + 0.5)})


def possible_windows(
    times_s: Sequence[float], usable: Sequence[bool], num_frames: int, interval_s: float
) -> list[Window]:
    """Every clip that the rule of `choose_windows` allows, in the order of time.

    Padded ones are among them only if there are no others.

    Args:
        times_s: When the frames were taken, ascending; at least one.
        usable: Whether each holds the face, well enough to be judged.
        num_frames: N.
        interval_s: Time between two frames of a clip.
    """
    times, marks = np.asarray(times_s, np.float64), np.asarray(usable, np.bool_)
    num_starts = max(0, round((times[-1] - times[0]) / interval_s) + 2 - num_frames)
    steps = np.arange(num_starts)[:, None] + np.arange(num_frames)
    targets = times[0] + steps * interval_s  # (starts, n)
    after = np.searchsorted(times, targets).clip(max=len(times) - 1)
    before = np.maximum(after - 1, 0)
    is_before = np.abs(times[before] - targets) <= np.abs(times[after] - targets)
    nearest = np.where(is_before, before, after)  # (starts, n)
    is_near = np.abs(times[nearest] - targets) <= interval_s + _ROUNDING_S
    fits = nearest[(is_near & marks[nearest]).all(axis=1)]
    found = dict.fromkeys(tuple(row) for row in fits.tolist())
    windows = [Window(frames, len(set(frames)) < num_frames) for frames in found]
    # At the edges of a gap the one frame may stand in too: only if there is nothing better.
    return [window for window in windows if not window.is_padded] or windows


def check_interval(interval_s: float) -> None:
    """Refuse an interval that is no time.

    Raises:
        InputError: not a number, not positive, or without end.
    """
    if not 0 < interval_s < math.inf:
        raise InputError(f"expected an interval of more than 0 seconds, got {interval_s}")
