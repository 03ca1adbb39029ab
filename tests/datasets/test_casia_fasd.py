"""CASIA-FASD: 600 real names, their counts, and people who share a number."""

from collections import Counter
from pathlib import Path

import pytest

from datasets.trees import casia_fasd_tree, plant
from vivant.datasets.casia_fasd import casia_fasd
from vivant.datasets.dataset import counts
from vivant.datasets.species import PaiLevel, pai_of
from vivant.errors import DataError
from vivant.records import Split


def test_counts_are_those_of_its_owner(tmp_path: Path) -> None:
    casia_fasd_tree(tmp_path)
    reading = casia_fasd().read(tmp_path)
    assert reading.problems == ()
    for name, train, dev in (
        ("grandtest", (60, 180), (0, 0)),
        ("users_17_20", (48, 144), (12, 36)),
    ):
        found = counts(casia_fasd().split(reading.presentations, name))
        assert found == {Split.TRAIN: train, Split.DEV: dev, Split.TEST: (90, 270)}
        assert found == casia_fasd().protocols[name].expected
    kinds = Counter(
        (row.columns["quality"], pai_of(row, PaiLevel.INSTRUMENT)) for row in reading.presentations
    )
    assert len(kinds) == 12
    assert set(kinds.values()) == {50}


def test_five_folds_take_each_train_user_for_dev_once(tmp_path: Path) -> None:
    casia_fasd_tree(tmp_path)
    rows = casia_fasd().read(tmp_path).presentations
    dev: list[str | None] = []
    for fold in range(1, 6):
        splits = casia_fasd().split(rows, f"fold_{fold}")
        assert counts(splits) == casia_fasd().protocols[f"fold_{fold}"].expected
        dev += {row.subject for row in splits[Split.DEV]}
    assert sorted(str(subject) for subject in dev) == sorted(f"train_{n}" for n in range(1, 21))
    last = casia_fasd().split(rows, "fold_5")
    assert last == casia_fasd().split(rows, "users_17_20")
    assert {row.subject for row in last[Split.DEV]} == {f"train_{n}" for n in (17, 18, 19, 20)}


def test_subjects_of_the_two_releases_are_other_people(tmp_path: Path) -> None:
    casia_fasd_tree(tmp_path)
    rows = casia_fasd().read(tmp_path).presentations
    assert len({row.subject for row in rows}) == 50
    assert {row.subject for row in rows if "/1/" in row.path} == {"train_1", "test_1"}


@pytest.mark.parametrize(
    ("video", "quality", "species", "instrument"),
    [
        ("1", "normal", None, None),
        ("2", "low", None, None),
        ("3", "normal", "print", "warped_photo"),
        ("6", "low", "cut_photo", "cut_photo"),
        ("8", "low", "replay", "video"),
        ("HR_1", "high", None, None),
        ("HR_4", "high", "replay", "video"),
    ],
)
def test_a_number_is_quality_and_instrument(
    tmp_path: Path, video: str, quality: str, species: str | None, instrument: str | None
) -> None:
    plant(tmp_path, [f"test_release/30/{video}.AVI"])
    (row,) = casia_fasd().read(tmp_path).presentations
    assert (row.columns["quality"], row.pai_species, row.split) == (quality, species, Split.TEST)
    assert row.columns.get("instrument") == instrument


@pytest.mark.parametrize(
    "name", ["1/9.avi", "1/HR_5.avi", "21/1.avi", "01/1.avi", "0/1.avi", "1/x/1.avi"]
)
def test_lists_names_that_are_none(tmp_path: Path, name: str) -> None:
    plant(tmp_path, [f"train_release/{name}", "test_release/30/1.avi"])
    reading = casia_fasd().read(tmp_path)
    assert [problem.path for problem in reading.problems] == [f"train_release/{name}"]
    assert len(reading.presentations) == 1


def test_does_not_count_a_video_twice(tmp_path: Path) -> None:
    plant(tmp_path, ["train_release/1/1.avi", "train_release/1/1.AVI", "test_release/1/1.avi"])
    reading = casia_fasd().read(tmp_path)
    assert len(reading.presentations) == 2
    assert "is there twice, also as train_release/1/1.AVI" in reading.problems[0].message


def test_refuses_another_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected train_release/, test_release/.*found no folder"):
        casia_fasd().read(tmp_path)
