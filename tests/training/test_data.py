from pathlib import Path

import pytest

from object_store import bucket, s3_environment, s3_port
from prepared import filled, frame, prepared
from training.small import presentations_of, stored, too_short
from training_runs import training_store
from vivant.errors import DataError, TrainingError
from vivant.preparation.place import to_place
from vivant.preparation.record import PreparedPresentation
from vivant.records import Split
from vivant.training.data import TrainingData, open_data

__all__ = ["bucket", "s3_environment", "s3_port"]

BOTH = [None, "print"]


def opened(folder: Path, *sides: list[PreparedPresentation]) -> TrainingData:
    rows = [row for side in sides for row in side]
    return open_data(filled(folder / "store", rows).folder, "folder", num_frames=2)


def test_test_side_is_not_kept(small_data: TrainingData) -> None:
    assert {row.split for row in small_data.train} == {Split.TRAIN}
    assert {row.split for row in small_data.dev} == {Split.DEV}
    assert (len(small_data.train), len(small_data.dev)) == (9, 5)


def test_environment_says_which_data_it_was(small_data: TrainingData) -> None:
    assert small_data.described == {
        "name": "folder",
        "fingerprint": small_data.fingerprint,
        "is_synthetic": False,
        "train": 9,
        "dev": 5,
    }
    assert small_data.interval_s == pytest.approx(0.1)


def test_store_that_is_synthetic_says_so(tmp_path: Path) -> None:
    store = training_store(tmp_path / "store", is_synthetic=True)
    assert open_data(store, "folder", 2).is_synthetic


def test_fingerprint_is_that_of_all_that_is_stored(tmp_path: Path) -> None:
    sides = stored(Split.TRAIN, BOTH), stored(Split.DEV, BOTH)
    one, same, other = (tmp_path / name for name in ("one", "same", "other"))
    found = opened(one, *sides).fingerprint
    assert opened(same, *sides).fingerprint == found
    assert opened(other, *sides, stored(Split.TEST, BOTH)).fingerprint != found


def test_pai_species_are_those_that_are_trained_with(tmp_path: Path) -> None:
    """Not those of the dev side, and not one whose presentations have no clip: nobody saw it."""
    (mask,) = presentations_of(Split.TRAIN, ["mask"])
    train = [
        *stored(Split.TRAIN, ["print", None, "replay", "print"])[1:],
        prepared(mask, [frame(0)]),
    ]
    data = opened(tmp_path, train, stored(Split.DEV, [None, "screen"]))
    assert "mask" in {row.pai_species for row in data.train}
    assert data.pai_species == ("print", "replay")


def test_folder_without_a_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=str(tmp_path)):
        open_data(tmp_path, "folder", 2)


def test_protocol_of_another_data_set_is_refused(small_data: TrainingData) -> None:
    with pytest.raises(DataError, match="expected a protocol of folder, .* got 'siw:1'"):
        open_data(small_data.folder, "siw:1", 2)


def test_side_that_is_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="the dev side of folder is empty in"):
        opened(tmp_path, stored(Split.TRAIN, BOTH))


def test_side_without_attacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match="the train side of folder has no clip that is attack among 2"
    ):
        opened(tmp_path, stored(Split.TRAIN, [None, None]), stored(Split.DEV, BOTH))


def test_side_whose_bona_fide_presentations_have_no_clip_is_refused(tmp_path: Path) -> None:
    dev = [too_short("dev99", Split.DEV), *stored(Split.DEV, ["print"])]
    with pytest.raises(TrainingError, match="dev side of folder has no clip that is bona fide"):
        opened(tmp_path, stored(Split.TRAIN, BOTH), dev)


def test_data_may_lie_in_a_bucket(bucket: str, tmp_path: Path) -> None:
    sides = [presentations_of(split, BOTH) for split in (Split.TRAIN, Split.DEV)]
    rows = [prepared(row) for side in sides for row in side]
    here = open_data(filled(tmp_path / "store", rows).folder, "folder", num_frames=2)
    there = open_data(filled(to_place(f"{bucket}/store"), rows).folder, "folder", num_frames=2)
    assert str(there.folder) == f"{bucket}/store"
    assert (there.train, there.dev, there.described) == (here.train, here.dev, here.described)
