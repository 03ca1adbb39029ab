"""The walk that every reader shares."""

import os
from pathlib import Path

import pytest

from datasets.trees import plant
from vivant.datasets.walk import (
    NO_MEDIA,
    STILL_ENDINGS,
    VIDEO_ENDINGS,
    folders_of,
    list_files,
    read_names,
    require_folders,
)
from vivant.errors import DataError
from vivant.records import Label, Presentation
from vivant.video.source import _STILL_ENDINGS


def test_endings_of_pictures_are_those_of_frames() -> None:
    assert STILL_ENDINGS == _STILL_ENDINGS
    assert not NO_MEDIA & (STILL_ENDINGS | VIDEO_ENDINGS)


def test_the_walk_follows_links_but_not_in_circles(tmp_path: Path) -> None:
    plant(tmp_path, ["disk/b/2.mp4", "disk/b/1.mp4", "root/a.mp4"])
    (tmp_path / "root/linked").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/up").symlink_to(tmp_path / "root")
    (tmp_path / "root/broken.mp4").symlink_to("nowhere")
    (tmp_path / "root/self").symlink_to("self")
    os.mkfifo(tmp_path / "root/pipe.mp4")
    files, problems = list_files(tmp_path / "root")
    assert files == ["a.mp4", "linked/b/1.mp4", "linked/b/2.mp4"]
    assert [each.path for each in problems] == ["broken.mp4", "linked/up", "pipe.mp4", "self"]
    assert "circle" in problems[1].message


def test_the_walk_lists_names_that_are_no_text(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.mp4")).touch()
    except OSError:
        pytest.skip("this file system takes names in UTF-8 alone")
    (tmp_path / os.fsdecode(b"\xe9")).mkdir()
    plant(tmp_path, ["a.mp4"])
    files, problems = list_files(tmp_path)
    assert files == ["a.mp4"]
    assert [each.path for each in problems] == ["\\xe9", "caf\\xe9.mp4"]


def test_the_walk_lists_folders_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, ["a/1.mp4", "b/2.mp4"])
    scandir = os.scandir

    def deny(path: Path) -> object:
        if Path(path).name == "a":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", deny)
    files, (problem,) = list_files(tmp_path)
    assert files == ["b/2.mp4"]
    assert (problem.path, problem.message) == ("a", "the folder cannot be read: Permission denied")


def parse(path: str) -> Presentation:
    if not path.startswith("good"):
        raise DataError("expected a good name")
    return Presentation(path, Label.BONA_FIDE, None)


def test_what_does_not_parse_and_what_is_there_twice_is_listed(tmp_path: Path) -> None:
    plant(tmp_path, ["bad.mp4", "good1.mp4", "good1.avi", "good2.mp4", "skipped/bad.mp4"])
    reading = read_names(tmp_path, parse, skip=("skipped",))
    assert [row.path for row in reading.presentations] == ["good1.avi", "good2.mp4"]
    assert [(each.path, each.message) for each in reading.problems] == [
        ("bad.mp4", "expected a good name"),
        ("good1.mp4", "is there twice, also as good1.avi: keep one of them"),
    ]


def test_a_root_needs_one_of_its_folders_and_misses_the_others(tmp_path: Path) -> None:
    plant(tmp_path, ["train/a.mp4", "note.txt"])
    (problem,) = require_folders(tmp_path, "a set", ["train", "test"])
    assert (problem.path, "missing" in problem.message) == ("test", True)
    with pytest.raises(DataError, match=r"expected dev/ of a set in .*found train/"):
        require_folders(tmp_path, "a set", ["dev"])
    with pytest.raises(DataError, match="found a file: name its folder"):
        folders_of(tmp_path / "note.txt", "a set")
