from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prepared import filled
from training.small import stored, too_short
from vivant.errors import DataError
from vivant.geometry.crop import CROP_SCALE
from vivant.preparation.clips import ClipStore
from vivant.records import Label, Split
from vivant.training.config import AugmentConfig, DataConfig
from vivant.training.draws import (
    Augmentation,
    Draw,
    Drawer,
    draw_augmentation,
    steps_per_epoch,
    unchanged,
)

KINDS = [None] * 5 + ["print"] * 12 + ["replay"] * 3
AUGMENT = AugmentConfig()
NOWHERE = (0.0, 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    rows = [*stored(Split.TRAIN, KINDS), too_short("short", Split.TRAIN)]
    return ClipStore(filled(tmp_path_factory.mktemp("draws") / "store", rows).folder, 2)


def drawer(store: ClipStore, *, seed: int = 0, stage: int = 1, repeats: bool = False,
           **data: object) -> Drawer:  # fmt: skip
    config = DataConfig(
        **({"batch_clips": 4, "micro_batch_clips": 4, "clips_per_epoch": 40} | data)
    )
    return Drawer(store, store.presentations, config, AUGMENT, seed, stage, repeats)


def species(draws: list[Draw]) -> Counter[str]:
    kinds = {f"videos/train{number:02}.mp4": kind for number, kind in enumerate(KINDS)}
    return Counter(kinds[draw.path] or "bona fide" for draw in draws)


def placed(draw: Draw, store: ClipStore) -> Draw:
    """A draw with the number of its window among the presentation's."""
    return draw._replace(window=(store.windows(draw.path).index(draw.window),))


@pytest.mark.parametrize(
    ("batch", "clips", "rows", "steps"),
    [(8, None, 80, 10), (8, None, 87, 10), (8, None, 3, 1), (8, 20, 80, 2), (4, 20, 3, 5)],
)
def test_epoch_has_whole_batches_and_at_least_one(
    batch: int, clips: int | None, rows: int, steps: int
) -> None:
    data = DataConfig(batch_clips=batch, micro_batch_clips=1, clips_per_epoch=clips)
    assert steps_per_epoch(data, rows) == steps


@pytest.mark.parametrize("epoch", range(4))
def test_balanced_epoch_is_half_bona_fide_and_fair_to_pai_species(
    store: ClipStore, epoch: int
) -> None:
    draws = drawer(store).epoch(epoch)
    assert Counter(draw.label for draw in draws) == {Label.BONA_FIDE: 20, Label.ATTACK: 20}
    assert species(draws) == {"bona fide": 20, "print": 10, "replay": 10}
    uneven = species(
        drawer(store, batch_clips=6, micro_batch_clips=6, clips_per_epoch=6).epoch(epoch)
    )
    assert uneven["bona fide"] == 3
    assert {uneven["print"], uneven["replay"]} == {1, 2}


def test_pai_species_take_turns_where_clips_do_not_divide(store: ClipStore) -> None:
    small = drawer(store, batch_clips=6, micro_batch_clips=6, clips_per_epoch=6)
    assert {species(small.epoch(epoch))["print"] for epoch in range(12)} == {1, 2}


def test_natural_epoch_is_as_the_data_are(store: ClipStore) -> None:
    natural = drawer(store, sampler="natural", clips_per_epoch=20).epoch(0)
    assert species(natural) == {"bona fide": 5, "print": 12, "replay": 3}
    assert set(Counter(draw.path for draw in natural).values()) == {1}


@pytest.mark.parametrize("sampler", ["balanced", "natural"])
def test_no_presentation_is_dealt_twice_more_often_than_its_like(
    store: ClipStore, sampler: str
) -> None:
    times = Counter(draw.path for draw in drawer(store, sampler=sampler).epoch(0))
    for kind in {None, "print", "replay"}:
        paths = [
            f"videos/train{number:02}.mp4" for number, each in enumerate(KINDS) if each == kind
        ]
        of_kind = [times[path] for path in paths]
        assert max(of_kind) - min(of_kind) <= 1


def test_no_presentation_starves_over_the_epochs(store: ClipStore) -> None:
    few = drawer(store, clips_per_epoch=8)
    seen = {draw.path for epoch in range(40) for draw in few.epoch(epoch)}
    assert len(seen) == len(KINDS)


def test_epoch_is_a_function_of_seed_stage_and_epoch(store: ClipStore, tmp_path: Path) -> None:
    draws = drawer(store).epoch(3)
    backwards = [too_short("short", Split.TRAIN), *stored(Split.TRAIN, KINDS)[::-1]]
    other = ClipStore(filled(tmp_path / "store", backwards).folder, 2)
    again = drawer(other).epoch(3)
    assert drawer(store).epoch(3) == draws
    # The rows of the frames lie elsewhere in the other store.
    assert [placed(draw, other) for draw in again] == [placed(draw, store) for draw in draws]
    changed = [
        drawer(store).epoch(2),
        drawer(store, seed=1).epoch(3),
        drawer(store, stage=2).epoch(3),
    ]
    for others in changed:
        assert [draw.path for draw in others] != [draw.path for draw in draws]
        assert not {d.augmentation for d in others} & {d.augmentation for d in draws}


def test_order_mixes_the_classes(store: ClipStore) -> None:
    labels = [int(draw.label) for draw in drawer(store).epoch(0)]
    changes = sum(one != other for one, other in pairwise(labels))
    assert changes > 10


def test_repeated_epochs_have_the_same_clips_in_another_order(store: ClipStore) -> None:
    repeated = drawer(store, repeats=True)
    first, second = repeated.epoch(0), repeated.epoch(1)
    assert first != second
    assert {draw.key: draw for draw in first} == {draw.key: draw for draw in second}
    assert sorted(draw.key for draw in first) == [*range(40)]
    assert first == drawer(store).epoch(0)


def test_clips_are_the_presentations_own_and_change(store: ClipStore) -> None:
    draws = [draw for epoch in range(5) for draw in drawer(store).epoch(epoch)]
    assert all(draw.window in store.windows(draw.path) for draw in draws)
    one = {draw.window for draw in draws if draw.path == "videos/train00.mp4"}
    assert len(one) > 3


def test_protocols_that_use_first_frames_alone_draw_none_later(store: ClipStore) -> None:
    # Frame i is number 3i of its file, and each clip has two: the first alone lies below 4.
    rows = tuple(replace(row, max_frames=4) for row in store.presentations)
    limited = Drawer(store, rows, DataConfig(), AUGMENT, seed=0, stage=1)
    for draw in limited.epoch(0):
        assert draw.window == store.windows(draw.path)[0]


@pytest.mark.parametrize(("kept", "lacking"), [("", "an attack"), ("print", "bona fide")])
def test_missing_class_is_an_error(store: ClipStore, kept: str, lacking: str) -> None:
    rows = tuple(row for row in store.presentations if (row.pai_species or "") == kept)
    lone = Drawer(store, rows, DataConfig(), AUGMENT, seed=0, stage=1)
    message = f"expected clips of both classes to train with, found none that is {lacking} among"
    with pytest.raises(DataError, match=message):
        lone.epoch(0)


def drawn(seed: int, **fields: object) -> Augmentation:
    return draw_augmentation(AugmentConfig(**fields), np.random.default_rng(seed))


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_augmentation_stays_in_its_ranges(seed: int) -> None:
    found = drawn(seed)
    assert 1.2 <= found.scale <= 1.5
    assert all(abs(shift) <= 40 / 255 for shift in found.colour)
    assert 0.5 <= found.gamma <= 1.5
    for x0, y0, x1, y1 in (found.erased, found.cut_out):
        assert 0 <= x0 <= x1 <= 1
        assert 0 <= y0 <= y1 <= 1
    x0, y0, x1, y1 = found.erased
    if found.erased != NOWHERE:
        assert 0.01 - 1e-9 <= (x1 - x0) * (y1 - y0) <= 0.05 + 1e-9
        assert 1 / np.e - 1e-9 <= (x1 - x0) / (y1 - y0) <= np.e + 1e-9
    x0, y0, x1, y1 = found.cut_out
    assert max(x1 - x0, y1 - y0) * 224 <= 50 + 1e-9


def test_augmentation_uses_the_whole_of_its_ranges() -> None:
    found = [drawn(seed) for seed in range(1000)]
    assert np.mean([each.is_flipped for each in found]) == pytest.approx(0.5, abs=0.05)
    assert np.mean([each.erased != NOWHERE for each in found]) == pytest.approx(0.5, abs=0.05)
    for values, low, high in (
        ([each.scale for each in found], 1.2, 1.5),
        ([each.gamma for each in found], 0.5, 1.5),
        ([each.colour[0] for each in found], -40 / 255, 40 / 255),
    ):
        share = (np.array(values) - low) / (high - low)
        quantiles = np.quantile(share, [0, 0.25, 0.5, 0.75, 1])
        assert quantiles == pytest.approx([0, 0.25, 0.5, 0.75, 1], abs=0.06)


def test_parts_of_the_augmentation_can_be_turned_off_one_by_one() -> None:
    whole = drawn(7, flip_share=1.0, erase_share=1.0)
    assert drawn(7, flip_share=0.0, erase_share=1.0) == whole._replace(is_flipped=False)
    assert drawn(7, flip_share=1.0, erase_share=0.0) == whole._replace(erased=NOWHERE)
    assert drawn(7, flip_share=1.0, erase_share=1.0, colour_shift=0.0).colour == (0, 0, 0)
    x0, y0, x1, y1 = drawn(7, cutout_px=0).cut_out
    assert (x1 - x0, y1 - y0) == (0, 0)


def test_without_augmentation_a_clip_is_what_a_session_sees() -> None:
    assert drawn(7, enabled=False) == unchanged()
    assert unchanged() == Augmentation(CROP_SCALE, False, (0, 0, 0), 1, NOWHERE, NOWHERE)
