"""Replay-Attack: 1,200 real names, their counts, and names that are none."""

from collections import Counter
from pathlib import Path

import pytest

from datasets.trees import plant, replay_attack_tree
from vivant.datasets.dataset import DataSet, counts
from vivant.errors import DataError
from vivant.plugins import find
from vivant.records import Label, Split


@pytest.fixture
def data_set() -> DataSet:
    found: DataSet = find("vivant.datasets", "replay_attack", "data set")()
    return found


def test_counts_are_those_of_its_owner(tmp_path: Path, data_set: DataSet) -> None:
    replay_attack_tree(tmp_path)
    reading = data_set.read(tmp_path)
    assert reading.problems == ()
    found = counts(data_set.split(reading.presentations, "grandtest"))
    assert found == {Split.TRAIN: (60, 300), Split.DEV: (60, 300), Split.TEST: (80, 400)}
    assert found == data_set.protocols["grandtest"].expected
    kinds = Counter((r.pai_species, r.columns.get("instrument")) for r in reading.presentations)
    assert kinds == {
        (None, None): 200, ("print", "print"): 200,
        ("replay", "mobile"): 400, ("replay", "highdef"): 400,
    }  # fmt: skip
    samples = Counter(row.columns.get("sample") for row in reading.presentations)
    assert samples == {None: 200, "photo": 600, "video": 400}
    assert Counter(row.columns.get("support") for row in reading.presentations) == {
        None: 200, "fixed": 500, "hand": 500,
    }  # fmt: skip


def test_reads_the_columns_of_a_name(tmp_path: Path, data_set: DataSet) -> None:
    name = "attack_mobile_client009_session01_mobile_video_controlled.MOV"
    plant(tmp_path, [f"devel/attack/hand/{name}"])
    (row,) = data_set.read(tmp_path).presentations
    assert (row.label, row.subject, row.split) == (Label.ATTACK, "client009", Split.DEV)
    assert row.pai_species == "replay"
    assert row.columns == {
        "support": "hand", "instrument": "mobile", "session": "01", "sample_device": "mobile",
        "sample": "video", "light": "controlled",
    }  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        "train/real/client1_session01_webcam_authenticate_adverse_1.mov",
        "train/real/client001_session01_webcam_authenticate_dark_1.mov",
        "train/real/client001_session01_webcam_authenticate_adverse_1.mp4",
        "train/attack/attack_print_client001_session01_highdef_photo_adverse.mov",
        "train/attack/fixed/attack_mask_client001_session01_highdef_photo_adverse.mov",
        "train/real/attack_print_client001_session01_highdef_photo_adverse.mov",
        "more/train/real/client001_session01_webcam_authenticate_adverse_1.mov",
        "train/real/client001_session01_webcam_authenticate_adverse_1.mov.part",
        "train.zip",
    ],
)
def test_lists_names_that_are_none(tmp_path: Path, data_set: DataSet, path: str) -> None:
    good = "train/real/client002_session01_webcam_authenticate_adverse_1.mov"
    plant(tmp_path, [good, path, "devel/x.txt", "test/._a.mov"])
    reading = data_set.read(tmp_path)
    assert [row.path for row in reading.presentations] == [good]
    assert [problem.path for problem in reading.problems] == [path]


def test_says_which_folder_is_missing(tmp_path: Path, data_set: DataSet) -> None:
    plant(tmp_path, ["train/a.txt", "devel/a.txt"])
    assert [problem.path for problem in data_set.read(tmp_path).problems] == ["test"]


def test_refuses_another_folder(tmp_path: Path, data_set: DataSet) -> None:
    plant(tmp_path, ["Replay/train/a.mov"])
    with pytest.raises(DataError, match=r"expected train/, devel/, test/ .*found Replay/: name"):
        data_set.read(tmp_path)
    with pytest.raises(DataError, match="found nothing"):
        data_set.read(tmp_path / "none")
    with pytest.raises(DataError, match="found a file"):
        data_set.read(tmp_path / "Replay/train/a.mov")
