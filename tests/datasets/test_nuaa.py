"""NUAA: series of pictures, its sessions, and lists that say otherwise."""

from collections import Counter
from pathlib import Path

import pytest

from datasets.trees import nuaa_tree, plant
from vivant.datasets.dataset import check_apart, counts
from vivant.datasets.nuaa import nuaa
from vivant.errors import DataError
from vivant.records import Label, Split


def test_pictures_of_one_series_are_one_presentation(tmp_path: Path) -> None:
    nuaa_tree(tmp_path)
    reading = nuaa().read(tmp_path)
    assert reading.problems == ()
    assert len(list(tmp_path.rglob("*.jpg"))) == 5 * len(reading.presentations)
    row = reading.presentations[0]
    assert row.path == "ClientRaw/0001/0001_00_00_01_0.jpg"
    assert (row.label, row.subject, row.split) == (Label.BONA_FIDE, "0001", Split.TRAIN)
    assert (row.columns["num_pictures"], row.columns["session"]) == ("5", "01")
    assert Counter(row.pai_species for row in reading.presentations) == {None: 54, "print": 54}


def test_the_pattern_finds_the_pictures_of_its_series_alone(tmp_path: Path) -> None:
    nuaa_tree(tmp_path)
    plant(tmp_path, ["ClientRaw/0001/0001_00_00_01_117.JPG", "ClientRaw/0001/0001_00_00_01_9.txt"])
    seen: list[Path] = []
    for row in nuaa().read(tmp_path).presentations:
        found = list(tmp_path.glob(row.columns["frames"]))
        assert len(found) == int(row.columns["num_pictures"])
        assert tmp_path / row.path in found
        seen += found
    assert len(seen) == len(set(seen)) == sum(1 for _ in tmp_path.rglob("*.[jJ]*"))


def test_the_first_picture_is_first_by_number(tmp_path: Path) -> None:
    plant(tmp_path, (f"ClientRaw/0001/0001_00_00_01_{n}.jpg" for n in (10, 9, 100)))
    plant(tmp_path, ["ImposterRaw/a.txt"])
    (row,) = nuaa().read(tmp_path).presentations
    assert row.path.endswith("_9.jpg")


def test_official_protocol_shares_subjects_and_the_other_does_not(tmp_path: Path) -> None:
    nuaa_tree(tmp_path)
    rows = nuaa().read(tmp_path).presentations
    official = nuaa().split(rows, "official")
    assert counts(official) == {Split.TRAIN: (36, 36), Split.DEV: (0, 0), Split.TEST: (18, 18)}
    assert {row.columns["session"] for row in official[Split.TEST]} == {"03"}
    with pytest.raises(DataError, match="the subject '0001' is on two sides"):
        check_apart(official)
    other = nuaa().split(rows, "new_subjects")
    assert counts(other) == {Split.TRAIN: (36, 36), Split.DEV: (0, 0), Split.TEST: (12, 12)}


@pytest.mark.parametrize(
    "path",
    [
        "ClientRaw/0001/0002_00_00_01_116.jpg",
        "ClientRaw/0001/0001_00_00_04_116.jpg",
        "ClientRaw/0001/0001_00_00_116.jpg",
        "ClientRaw/0001/0001_00_00_01_.jpg",
        "ClientRaw/0001/0001_00_00_01_116.png",
        "ClientRaw/0001_00_00_01_116.jpg",
    ],
)
def test_lists_names_that_are_none(tmp_path: Path, path: str) -> None:
    plant(tmp_path, [path, "ImposterRaw/0001/0001_00_00_01_0.jpg", "Detectedface/a.bmp"])
    (tmp_path / "ClientRaw").mkdir(exist_ok=True)
    reading = nuaa().read(tmp_path)
    assert [problem.path for problem in reading.problems] == [path]
    assert len(reading.presentations) == 1


def test_lists_are_held_against_the_rule(tmp_path: Path) -> None:
    nuaa_tree(tmp_path)
    good = b"\xef\xbb\xbf0001\\0001_00_00_01_0.jpg\r\n\r\n0002\\0002_01_00_02_116.jpg"
    (tmp_path / "client_train_raw.txt").write_bytes(good)
    assert nuaa().read(tmp_path).problems == ()
    wrong = "0001\\0001_00_00_01_0.jpg\n0001\\0001_00_00_03_7.jpg\nx"
    (tmp_path / "imposter_test_raw.txt").write_text(wrong)
    problems = nuaa().read(tmp_path).problems
    assert [problem.path for problem in problems] == [
        "imposter_test_raw.txt",
        "imposter_test_raw.txt",
        "ImposterRaw/0001/0001_00_00_03_7.jpg",
    ]
    assert "line 3: expected {ClientRaw," in problems[0].message
    assert "is of a session that is for train" in problems[1].message
    (tmp_path / "imposter_test_raw.txt").write_bytes(b"\xff")
    assert "cannot be read" in nuaa().read(tmp_path).problems[0].message


LISTS = ("client_train_raw", "client_test_raw", "imposter_train_raw", "imposter_test_raw")


def write_lists(root: Path, *, moved: str = "") -> None:
    """All pictures by session; those of one series moved from train to test."""
    for name in LISTS:
        folder = "ClientRaw" if name.startswith("client") else "ImposterRaw"
        lines = []
        for path in sorted((root / folder).rglob("*.jpg")):
            in_test = path.name[11:13] == "03" or path.name.startswith(moved or "none")
            if in_test == ("test" in name):
                lines.append(f"{path.parent.name}\\{path.name}")
        (root / f"{name}.txt").write_text("\r\n".join(lines))


def test_lists_replace_the_rule_where_all_four_are_there(tmp_path: Path) -> None:
    nuaa_tree(tmp_path)
    assert not nuaa().at(tmp_path).protocols["official"].from_lists
    write_lists(tmp_path)
    rows = nuaa().read(tmp_path).presentations
    for protocol in ("official", "new_subjects"):
        assert nuaa().at(tmp_path).protocols[protocol].from_lists
        assert nuaa().at(tmp_path).split(rows, protocol) == nuaa().split(rows, protocol)
    write_lists(tmp_path, moved="0009_00_00_01")
    found = counts(nuaa().at(tmp_path).split(rows, "official"))
    assert found == {Split.TRAIN: (35, 35), Split.DEV: (0, 0), Split.TEST: (19, 19)}
    assert len(nuaa().read(tmp_path).problems) == 2 * 5  # Each moved picture.
    (tmp_path / "client_test_raw.txt").unlink()
    assert not nuaa().at(tmp_path).protocols["official"].from_lists


def test_a_series_that_lists_tear_apart_is_refused(tmp_path: Path) -> None:
    nuaa_tree(tmp_path)
    write_lists(tmp_path, moved="0009_00_00_01_116")
    rows = nuaa().read(tmp_path).presentations
    with pytest.raises(DataError, match="the file .*0009_00_00_01_0.jpg' is on two sides"):
        nuaa().at(tmp_path).split(rows, "official")


def test_refuses_another_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected ClientRaw/, ImposterRaw/ of NUAA"):
        nuaa().read(tmp_path)
