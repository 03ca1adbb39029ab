import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivant.errors import InputError
from vivant.video.sampling import check_interval, choose_windows, near_grid, possible_windows


@dataclass(frozen=True, eq=False)
class Moment:
    time_s: float


def grid(times: Sequence[float], interval_s: float) -> list[float]:
    return [moment.time_s for moment in near_grid([Moment(time) for time in times], interval_s)]


def times_of(rate: float, count: int, start: float = 0.0) -> list[float]:
    return [start + index / rate for index in range(count)]


# Times in thousandths, so that ties are true ties.
steps = st.lists(st.integers(1, 900), min_size=0, max_size=40)
ascending = steps.map(lambda gaps: [sum(gaps[:end]) / 1000 for end in range(len(gaps) + 1)])
intervals = st.sampled_from([0.05, 0.1, 0.125, 0.25, 0.5])


@pytest.mark.parametrize(
    ("times", "interval_s", "expected"),
    [
        (times_of(10, 4), 0.1, times_of(10, 4)),
        ([0, 0.04, 0.09, 0.12, 0.16, 0.2], 0.1, [0, 0.09, 0.2]),
        ([0, 0.25, 0.5], 0.125, [0, 0.25, 0.5]),  # Slower than the grid: each once.
        ([5, 5.1, 5.24, 5.26], 0.25, [5, 5.24]),  # Counted from the first frame.
        ([0, 1.0], 0.25, [0, 1.0]),  # A gap is not filled.
        ([0, 0.25, 0.75], 0.5, [0, 0.25]),  # In the middle of two: the earlier.
        ([0.3], 0.1, [0.3]),
        ([], 0.1, []),
        ([0, 0.4], 0.5, [0, 0.4]),  # The last frame, near a place that was not reached.
        ([0, 0.2], 0.5, [0]),
    ],
)
def test_frames_nearest_to_the_grid_are_taken(
    times: list[float], interval_s: float, expected: list[float]
) -> None:
    assert grid(times, interval_s) == expected


@given(ascending, intervals)
def test_grid_is_that_of_a_search_among_all_frames(times: list[float], interval_s: float) -> None:
    """For each place on the grid the nearest frame, found by looking at all."""
    expected: list[float] = []
    place = 0
    while times[0] + place * interval_s < times[-1] + interval_s / 2:
        target_s = times[0] + place * interval_s
        # Of two as near the earlier; rounding decides between what is as near but for 1e-9.
        nearest = min(times, key=lambda time, t=target_s: (round(abs(time - t), 9), time))
        if nearest not in expected:
            expected.append(nearest)
        place += 1
    found = grid(times, interval_s)
    if found != expected:  # Only where a frame lies in the middle of two places.
        middles = [abs((time - times[0]) / interval_s % 1 - 0.5) < 1e-6 for time in times]
        middles += [
            abs(((a + b) / 2 - times[0]) / interval_s % 1 - goal) < 1e-6
            for a, b in itertools.pairwise(times)
            for goal in (0, 1)
        ]
        assert any(middles)
        return
    assert found == expected


@given(ascending, intervals)
def test_grid_ascends_and_begins_with_the_first_frame(
    times: list[float], interval_s: float
) -> None:
    found = grid(times, interval_s)
    assert found[0] == times[0]
    assert all(earlier < later for earlier, later in itertools.pairwise(found))
    # No more frames than places.
    assert len(found) <= (times[-1] - times[0]) / interval_s + 1.5


@pytest.mark.parametrize("rate", [24, 25, 29.97, 30, 60, 120])
def test_any_rate_becomes_the_grids(rate: float) -> None:
    found = grid(times_of(rate, round(3 * rate), start=7), 0.1)
    assert len(found) in (30, 31)
    expected = 7 + 0.1 * np.arange(len(found))
    distances = abs(np.array(found) - expected)
    assert distances[:-1].max() <= 0.5 / rate + 1e-9
    assert distances[-1] <= 0.05  # The last may stand for a place just behind the video's end.


def test_frames_are_taken_as_they_come() -> None:
    """A video is never read further ahead than one frame."""
    read: list[float] = []

    def frames() -> object:
        for time in times_of(30, 90):
            read.append(time)
            yield Moment(time)

    for moment in near_grid(frames(), 0.1):
        assert read[-1] - moment.time_s <= 1 / 30 + 1e-9


@pytest.mark.parametrize("interval_s", [0.0, -0.1, math.nan, math.inf])
def test_interval_must_be_a_time(interval_s: float) -> None:
    for call in (
        lambda: check_interval(interval_s),
        lambda: grid([0.0, 1.0], interval_s),
        lambda: choose_windows([0.0], [True], 5, interval_s, 1),
    ):
        with pytest.raises(InputError, match="expected an interval of more than 0 seconds, got"):
            call()


def test_windows_by_hand() -> None:
    times = times_of(10, 12)
    windows = choose_windows(times, [True] * 12, 5, 0.1, 4)
    # Eight places, 0 to 7; spread over them 0, 2.33, 4.67, 7.
    assert [window.frames[0] for window in windows] == [0, 2, 5, 7]
    assert all(
        window.frames == tuple(range(window.frames[0], window.frames[0] + 5)) for window in windows
    )
    assert not any(window.is_padded for window in windows)


@pytest.mark.parametrize(("count", "first"), [(5, 0), (6, 0), (7, 1), (9, 2), (10, 2), (31, 13)])
def test_one_window_is_the_middle_one(count: int, first: int) -> None:
    (window,) = choose_windows(times_of(10, count), [True] * count, 5, 0.1, 1)
    assert window.frames == tuple(range(first, first + 5))


def test_fewer_windows_where_there_are_fewer() -> None:
    assert len(choose_windows(times_of(10, 6), [True] * 6, 5, 0.1, 4)) == 2


def test_windows_avoid_what_cannot_be_used() -> None:
    usable = [True] * 6 + [False] + [True] * 6
    windows = choose_windows(times_of(10, 13), usable, 5, 0.1, 9)
    assert [window.frames[0] for window in windows] == [0, 1, 7, 8]


def test_slow_video_is_padded_with_frames_that_stand_in_twice() -> None:
    times = times_of(5, 4)
    (first, *_) = choose_windows(times, [True] * 4, 5, 0.1, 4)
    assert first.is_padded
    assert set(first.frames) == {0, 1, 2}
    assert list(first.frames) == sorted(first.frames)


def test_gap_is_never_spanned() -> None:
    times = [0.0, 0.1, 0.2, 0.9, 1.0, 1.1]
    (window,) = choose_windows(times, [True] * 6, 5, 0.1, 4)
    assert window.is_padded  # Nothing fits: what follows is the fallback.
    assert window.frames == (0, 1, 2, 3, 4)


def test_frame_stands_in_twice_only_where_nothing_better_fits() -> None:
    times = [0.0, 0.1, 0.2, 0.3, 0.4, 1.0, 1.1, 1.2, 1.3, 1.4]
    windows = choose_windows(times, [True] * 10, 5, 0.1, 9)
    assert [window.frames for window in windows] == [(0, 1, 2, 3, 4), (5, 6, 7, 8, 9)]
    assert not any(window.is_padded for window in windows)


@pytest.mark.parametrize("start", [0.0, 0.1, 3.3, 10.2])
def test_five_frames_a_second_are_enough_whatever_rounding_does(start: float) -> None:
    windows = choose_windows(times_of(5, 20, start), [True] * 20, 5, 0.1, 4)
    assert len(windows) == 4
    assert all(window.is_padded and len(set(window.frames)) in (2, 3) for window in windows)
    assert not any(window.is_short for window in windows)


@pytest.mark.parametrize(
    ("usable", "frames"),
    [
        ([True], (0, 0, 0, 0, 0)),
        ([False, True, False, True], (1, 3, 3, 3, 3)),
        ([True, True, False] * 3, (0, 1, 3, 4, 6)),
    ],
)
def test_where_no_window_fits_frames_are_repeated(
    usable: list[bool], frames: tuple[int, ...]
) -> None:
    (window,) = choose_windows(times_of(10, len(usable)), usable, 5, 0.1, 4)
    assert window.frames == frames
    assert window.is_padded
    assert window.is_short


def test_nothing_usable_gives_no_window() -> None:
    assert choose_windows([], [], 5, 0.1, 4) == ()
    assert choose_windows([0.0, 0.1], [False, False], 5, 0.1, 4) == ()


@pytest.mark.parametrize(
    ("times", "usable", "num_frames", "num_windows"),
    [([0.0], [], 5, 1), ([0.0], [True], 0, 1), ([0.0], [True], 5, 0), ([0.0], [True], -1, 1)],
)
def test_bad_input_is_told(
    times: list[float], usable: list[bool], num_frames: int, num_windows: int
) -> None:
    with pytest.raises(InputError, match=r"expected as many times as marks and positive numbers"):
        choose_windows(times, usable, num_frames, 0.1, num_windows)


@given(
    ascending,
    st.data(),
    st.integers(1, 7),
    intervals,
    st.integers(1, 9),
)
def test_windows_keep_their_promises(
    times: list[float], data: st.DataObject, num_frames: int, interval_s: float, num_windows: int
) -> None:
    usable = data.draw(st.lists(st.booleans(), min_size=len(times), max_size=len(times)))
    windows = choose_windows(times, usable, num_frames, interval_s, num_windows)
    assert bool(windows) == any(usable)
    assert len(windows) <= num_windows
    starts = [window.frames[0] for window in windows]
    assert starts == sorted(starts)
    assert len({window.frames for window in windows}) == len(windows)
    fallback = tuple(index for index, use in enumerate(usable) if use)[:num_frames]
    for window in windows:
        assert len(window.frames) == num_frames
        assert list(window.frames) == sorted(window.frames)
        assert all(usable[index] for index in window.frames)
        if len(set(window.frames)) < num_frames:
            assert window.is_padded
        elif window.is_padded:
            assert window.is_short
            assert len(windows) == 1
            assert window.frames == fallback
        else:
            gaps = np.diff([times[index] for index in window.frames])
            assert (gaps <= 3 * interval_s + 1e-9).all()


@given(ascending, st.integers(1, 5), intervals)
def test_windows_are_those_of_a_search(
    times: list[float], num_frames: int, interval_s: float
) -> None:
    """All windows, by looking for the nearest frame to each place one after the other."""
    found = choose_windows(times, [True] * len(times), num_frames, interval_s, 10_000)
    expected: list[tuple[int, ...]] = []
    start = 0
    # The last place may lie beyond the last frame by half an interval (by exactly so much: or not).
    while times[0] + (start + num_frames - 1) * interval_s <= times[-1] + interval_s / 2 + 1e-9:
        frames = []
        for step in range(num_frames):
            target_s = times[0] + (start + step) * interval_s
            distances = [abs(time - target_s) for time in times]
            if min(distances) > interval_s + 1e-6:
                break
            frames.append(distances.index(min(distances)))
        if len(frames) == num_frames and tuple(frames) not in expected:
            expected.append(tuple(frames))
        start += 1
    expected = [frames for frames in expected if len(set(frames)) == num_frames]
    if expected:
        assert [window.frames for window in found] in (expected, expected[:-1])


def test_every_possible_window_is_given_once_and_only_among_usable_frames() -> None:
    times = [i / 10 for i in range(8)]
    usable = [True] * 8
    usable[2] = False
    windows = possible_windows(times, usable, 3, 0.1)
    assert [window.frames for window in windows] == [(3, 4, 5), (4, 5, 6), (5, 6, 7)]
    assert not any(window.is_padded for window in windows)


def test_windows_of_a_slow_video_are_padded() -> None:
    (window,) = possible_windows([0.0, 0.2], [True, True], 3, 0.1)
    assert window.frames == (0, 0, 1)
    assert window.is_padded
