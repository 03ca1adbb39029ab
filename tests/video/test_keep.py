import numpy as np
import pytest

from vivant.errors import InputError
from vivant.records import Frame
from vivant.video.keep import FrameKeeper

BYTES = 8 * 8 * 3


def frame(position: int) -> Frame:
    return Frame(np.full((8, 8, 3), position % 256, np.uint8), position / 10)


def kept(keeper: FrameKeeper, count: int) -> list[int]:
    return [position for position in range(count) if position in keeper]


def test_what_fits_is_kept() -> None:
    keeper = FrameKeeper(5, budget_bytes=50 * BYTES)
    for position in range(50):
        keeper.add(position, frame(position))
    assert kept(keeper, 50) == list(range(50))
    assert keeper[7].pixels[0, 0, 0] == 7


def test_beyond_the_budget_every_second_group_stays() -> None:
    keeper = FrameKeeper(5, budget_bytes=50 * BYTES)
    for position in range(51):
        keeper.add(position, frame(position))
    expected = [p for p in range(51) if p // 5 % 2 == 0]
    assert kept(keeper, 51) == expected


@pytest.mark.parametrize("count", [60, 100, 333, 600])
def test_groups_are_whole_evenly_spread_and_within_the_budget(count: int) -> None:
    keeper = FrameKeeper(5, budget_bytes=50 * BYTES)
    for position in range(count):
        keeper.add(position, frame(position))
    positions = kept(keeper, count)
    assert len(positions) <= 50
    groups = sorted({position // 5 for position in positions})
    strides = set(np.diff(groups))
    assert len(strides) == 1
    assert strides.pop().bit_count() == 1  # A power of two.
    whole = [g for g in groups if 5 * g + 4 < count]
    assert all({5 * g + i for i in range(5)} <= set(positions) for g in whole)
    assert len(groups) >= 4


def test_four_groups_are_kept_whatever_their_size() -> None:
    keeper = FrameKeeper(5, budget_bytes=1)
    for position in range(600):
        keeper.add(position, frame(position))
    assert 4 <= len({position // 5 for position in kept(keeper, 600)}) <= 8


def test_positions_may_be_left_out() -> None:
    keeper = FrameKeeper(5)
    keeper.add(3, frame(3))
    keeper.add(9, frame(9))
    assert kept(keeper, 12) == [3, 9]
    with pytest.raises(KeyError):
        keeper[4]


def test_no_frames_a_clip_is_an_error() -> None:
    with pytest.raises(InputError, match="expected at least one frame a clip, got 0"):
        FrameKeeper(0)
