from pathlib import Path

import numpy as np
import pytest

from prepared import filled, frame, prepared, presentation
from vivant.errors import DataError
from vivant.preparation.preview import preview_sheet
from vivant.preparation.store import Store
from vivant.records import Label


@pytest.fixture
def store(tmp_path: Path) -> Store:
    rows = [prepared(presentation("a")), prepared(presentation("b", Label.ATTACK))]
    return filled(tmp_path / "store", rows)


def test_sheet_has_a_tile_for_each_frame(store: Store) -> None:
    four, eight = (preview_sheet(store, number, 0) for number in (4, 8))
    assert eight.shape == (2 * four.shape[0], four.shape[1], 3)


def test_same_seed_gives_the_same_sheet(store: Store) -> None:
    np.testing.assert_array_equal(preview_sheet(store, 6, 1), preview_sheet(store, 6, 1))
    assert (preview_sheet(store, 6, 1) != preview_sheet(store, 6, 2)).any()


def test_kinds_take_turns_and_attacks_have_no_depth(store: Store) -> None:
    sheet = preview_sheet(store, 2, 0)
    side, gap = 168, 6
    depths = [sheet[gap : gap + side, at : at + side] for at in (2 * 174 + 6, 2 * 174 + 6 + 528)]
    assert depths[0].max() > 150  # Bona fide comes first, by its name.
    assert not depths[1].any()


def test_more_frames_than_there_are_give_all(store: Store) -> None:
    everything = preview_sheet(store, 400, 0)
    np.testing.assert_array_equal(everything, preview_sheet(store, 14, 0))


def test_one_kind_alone(store: Store) -> None:
    sheet = preview_sheet(store, 400, 0, ["print"])
    assert sheet.shape[0] == preview_sheet(store, 7, 0).shape[0]


def test_unknown_kind_names_those_that_are_there(store: Store) -> None:
    with pytest.raises(DataError, match="no frames of mask; it has bona_fide, print"):
        preview_sheet(store, 4, 0, ["mask"])


def test_empty_store_says_so(tmp_path: Path) -> None:
    empty = filled(tmp_path / "empty", [prepared(presentation("c"), [], refusal="TOO_LONG")])
    with pytest.raises(DataError, match="it has none at all"):
        preview_sheet(empty, 4, 0)


def test_long_names_are_shortened(tmp_path: Path) -> None:
    row = prepared(presentation("x" * 300), [frame(0)])
    assert preview_sheet(filled(tmp_path / "long", [row]), 1, 0).shape[1] == 528
