"""MSU-MFSD: 280 real names, their lists, and clips that are upside down."""

from collections import Counter
from pathlib import Path

import pytest

from datasets.trees import msu_mfsd_tree, plant, sides
from vivant.datasets.dataset import counts
from vivant.datasets.msu_mfsd import msu_mfsd
from vivant.errors import DataError
from vivant.records import Split


@pytest.mark.parametrize("top", ["", "scene01/"])
def test_counts_are_those_of_its_owner(tmp_path: Path, top: str) -> None:
    msu_mfsd_tree(tmp_path, top)
    reading = msu_mfsd().read(tmp_path)
    assert reading.problems == ()
    found = counts(msu_mfsd().split(reading.presentations, "grandtest"))
    assert found == {Split.TRAIN: (30, 90), Split.DEV: (0, 0), Split.TEST: (40, 120)}
    assert found == msu_mfsd().protocols["grandtest"].expected
    kinds = Counter((r.pai_species, r.columns.get("instrument")) for r in reading.presentations)
    assert kinds == {
        (None, None): 70, ("print", "printed_photo"): 70,
        ("replay", "ipad_video"): 70, ("replay", "iphone_video"): 70,
    }  # fmt: skip


def test_marks_the_five_rotated_clips(tmp_path: Path) -> None:
    msu_mfsd_tree(tmp_path)
    rows = msu_mfsd().read(tmp_path).presentations
    assert [row.path for row in rows if row.columns["rotation_deg"] == "180"] == [
        f"real/real_client00{number}_android_SD_scene01.mp4" for number in (3, 5, 6, 7, 8)
    ]


def test_lists_may_have_a_mark_and_other_line_ends(tmp_path: Path) -> None:
    msu_mfsd_tree(tmp_path)
    file = tmp_path / "train_sub_list.txt"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b" \r\n") + b"\r\n")
    reading = msu_mfsd().read(tmp_path)
    assert reading.problems == ()
    assert sides(reading.presentations) == {Split.TRAIN: 120, Split.TEST: 160}


def test_lines_that_are_no_subject_are_listed(tmp_path: Path) -> None:
    msu_mfsd_tree(tmp_path)
    (tmp_path / "test_sub_list.txt").write_text("01\nclient13\n\n\u0661\n14")
    reading = msu_mfsd().read(tmp_path)
    assert sides(reading.presentations) == {Split.TRAIN: 120, Split.TEST: 16, None: 144}
    assert [(each.path, each.message[:6]) for each in reading.problems[:2]] == [
        ("test_sub_list.txt", "line 2"),
        ("test_sub_list.txt", "line 4"),
    ]
    assert len(reading.problems) == 2 + 18
    assert "client013" in {problem.path for problem in reading.problems}


def test_a_missing_or_unreadable_list_is_listed(tmp_path: Path) -> None:
    msu_mfsd_tree(tmp_path)
    (tmp_path / "test_sub_list.txt").unlink()
    (tmp_path / "train_sub_list.txt").write_bytes(b"\xff\xfe0\x001\x00")
    reading = msu_mfsd().read(tmp_path)
    assert sides(reading.presentations) == {None: 280}
    names = [problem.path for problem in reading.problems[:2]]
    assert names == ["train_sub_list.txt", "test_sub_list.txt"]


def test_refuses_a_subject_in_both_lists(tmp_path: Path) -> None:
    msu_mfsd_tree(tmp_path)
    (tmp_path / "test_sub_list.txt").write_text("01\n2")
    with pytest.raises(DataError, match=r"test_sub_list.txt, line 2: client002 is in train_sub"):
        msu_mfsd().read(tmp_path)


@pytest.mark.parametrize(
    "path",
    [
        "real/real_client001_android_SD_ipad_video_scene01.mp4",
        "attack/attack_client001_android_SD_scene01.mp4",
        "real/attack_client001_android_SD_ipad_video_scene01.mp4",
        "attack/attack_client001_tablet_SD_ipad_video_scene01.mp4",
        "real/real_client01_android_SD_scene01.mp4",
        "real/real_client001_android_SD_scene01.avi",
        "scene02/real/real_client001_android_SD_scene01.mp4",
    ],
)
def test_lists_names_that_are_none(tmp_path: Path, path: str) -> None:
    msu_mfsd_tree(tmp_path)
    plant(tmp_path, [path])
    reading = msu_mfsd().read(tmp_path)
    assert [problem.path for problem in reading.problems] == [path]
    assert len(reading.presentations) == 280


def test_endings_may_be_upper_case(tmp_path: Path) -> None:
    plant(tmp_path, ["attack/attack_client001_laptop_SD_printed_photo_scene01.MOV", "real/a.txt"])
    (row,) = msu_mfsd().read(tmp_path).presentations
    assert (row.pai_species, row.columns["instrument"]) == ("print", "printed_photo")


def test_refuses_another_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected real/, attack/ of MSU-MFSD"):
        msu_mfsd().read(tmp_path)
