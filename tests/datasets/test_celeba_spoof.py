"""CelebA-Spoof: its lists, and what they and the folders do not agree on."""

import json
from pathlib import Path

import pytest

from datasets.trees import celeba_attributes, celeba_spoof_tree, plant
from vivant.datasets.celeba_spoof import celeba_spoof
from vivant.datasets.dataset import Reading, counts
from vivant.errors import DataError
from vivant.records import Split


def read_listed(root: Path, listed: dict[str, object]) -> Reading:
    """The tree, with these lines in the training list alone."""
    celeba_spoof_tree(root)
    (root / "metas/intra_test/train_label.json").write_text(json.dumps(listed))
    return celeba_spoof().read(root)


def test_reads_both_lists(tmp_path: Path) -> None:
    celeba_spoof_tree(tmp_path)
    reading = celeba_spoof().read(tmp_path)
    assert reading.problems == ()
    found = counts(celeba_spoof().split(reading.presentations, "intra_test"))
    assert found == {Split.TRAIN: (6, 30), Split.DEV: (0, 0), Split.TEST: (4, 20)}
    assert len({row.columns.get("instrument") for row in reading.presentations}) == 11
    assert {row.columns["still"] for row in reading.presentations} == {"yes"}
    row = next(row for row in reading.presentations if row.columns.get("instrument") == "a4")
    assert (row.columns["light"], row.columns["environment"]) == ("1", "2")
    assert row.pai_species == "print"


@pytest.mark.parametrize(
    ("path", "attributes", "message"),
    [
        ("Data/train/1/live/000184.jpg", celeba_attributes(1), "contradicts itself"),
        ("Data/train/1/spoof/000186.png", celeba_attributes(0), "contradicts itself"),
        ("Data/train/1/spoof/000186.png", [0] * 40 + [0, 0, 0, 1], "contradicts itself"),
        ("Data/train/1/spoof/000186.png", celeba_attributes(11), "species of 0 to 10"),
        ("Data/train/1/live/000184.jpg", [0] * 43, "44 whole numbers"),
        ("Data/train/1/live/000184.jpg", ["0"] * 44, "44 whole numbers"),
        ("Data/train/1/live/000184.jpg", 0, "44 whole numbers"),
        ("Data/test/2/live/000184.jpg", celeba_attributes(0), "below Data/train/"),
        ("Data/train/1/live/000999.jpg", celeba_attributes(0), "is missing"),
        ("Data/train/1/live/../../x.jpg", celeba_attributes(0), "expected a path such as"),
        ("/Data/train/1/live/000184.jpg", celeba_attributes(0), "expected a path such as"),
    ],
)
def test_lists_lines_that_are_wrong(
    tmp_path: Path, path: str, attributes: object, message: str
) -> None:
    reading = read_listed(tmp_path, {path: attributes})
    assert reading.problems[0].path == path
    assert message in reading.problems[0].message
    assert {row.split for row in reading.presentations} <= {Split.TEST}


def test_counts_pictures_that_no_list_names(tmp_path: Path) -> None:
    reading = read_listed(tmp_path, {"Data/train/1/live/000184.jpg": celeba_attributes(0)})
    (problem,) = reading.problems
    assert problem.path == "Data/train"
    assert problem.message.startswith("35 pictures are in no list")


def test_files_that_are_no_pictures_are_listed(tmp_path: Path) -> None:
    celeba_spoof_tree(tmp_path)
    plant(tmp_path, ["Data/train/1/live/a.xyz", "x.zip"])
    problems = celeba_spoof().read(tmp_path).problems
    assert [problem.path for problem in problems] == ["Data/train/1/live/a.xyz", "x.zip"]


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]"])
def test_refuses_a_list_that_is_none(tmp_path: Path, content: bytes) -> None:
    celeba_spoof_tree(tmp_path)
    (tmp_path / "metas/intra_test/test_label.json").write_bytes(content)
    with pytest.raises(DataError, match="metas/intra_test/test_label.json: expected"):
        celeba_spoof().read(tmp_path)


def test_one_list_may_be_missing_and_both_may_not(tmp_path: Path) -> None:
    celeba_spoof_tree(tmp_path)
    (tmp_path / "metas/intra_test/test_label.json").unlink()
    reading = celeba_spoof().read(tmp_path)
    assert reading.problems[0].path == "metas/intra_test/test_label.json"
    (tmp_path / "metas/intra_test/train_label.json").unlink()
    with pytest.raises(DataError, match="found neither"):
        celeba_spoof().read(tmp_path)


def test_refuses_another_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected Data/, metas/ of CelebA-Spoof"):
        celeba_spoof().read(tmp_path)
