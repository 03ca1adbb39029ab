"""Anybody's folders, and the walk that every reader shares."""

import os
from pathlib import Path

import pytest

from datasets.trees import plant
from vivant.datasets.dataset import counts
from vivant.datasets.folder import NO_MEDIA, STILL_ENDINGS, VIDEO_ENDINGS, folder, list_files
from vivant.errors import DataError
from vivant.records import Label, Presentation, Split
from vivant.video.source import _STILL_ENDINGS

PLAIN = ["bona_fide/a.mp4", "bonafide/b.MOV", "attack/print/deep/er/c.avi", "attack/replay/d.webm"]


def problems_of(root: Path) -> dict[str, str]:
    return {problem.path: problem.message for problem in folder().read(root).problems}


def test_a_folder_is_a_label_and_a_species(tmp_path: Path) -> None:
    plant(tmp_path, PLAIN)
    reading = folder().read(tmp_path)
    assert reading.problems == ()
    assert reading.presentations == (
        Presentation("attack/print/deep/er/c.avi", Label.ATTACK, "print"),
        Presentation("attack/replay/d.webm", Label.ATTACK, "replay"),
        Presentation("bona_fide/a.mp4", Label.BONA_FIDE, None),
        Presentation("bonafide/b.MOV", Label.BONA_FIDE, None),
    )


def test_sides_may_stand_above(tmp_path: Path) -> None:
    plant(tmp_path, (f"{side}/{path}" for side in Split for path in PLAIN))
    reading = folder().read(tmp_path)
    assert reading.problems == ()
    found = counts(folder().split(reading.presentations, "folders"))
    assert found == dict.fromkeys(Split, (2, 2))


def test_without_sides_there_is_nothing_to_divide_by(tmp_path: Path) -> None:
    plant(tmp_path, PLAIN)
    with pytest.raises(DataError, match="expected train/, dev/ and test/ above"):
        folder().split(folder().read(tmp_path).presentations, "folders")


def test_a_folder_of_pictures_is_one_presentation(tmp_path: Path) -> None:
    frames = [f"attack/print/clip{clip}/{n}.JPG" for clip in (1, 2) for n in (9, 10)]
    plant(tmp_path, [*frames, "train.txt", "bona_fide/anna/1.png", "bona_fide/anna/note.txt"])
    reading = folder().read(tmp_path)
    assert reading.problems == ()
    assert [row.path for row in reading.presentations] == [
        "attack/print/clip1",
        "attack/print/clip2",
        "bona_fide/anna",
    ]


@pytest.mark.parametrize(
    ("path", "named", "message"),
    [
        ("clip.mp4", "clip.mp4", "lies outside"),
        ("attack/clip.mp4", "attack/clip.mp4", "no species"),
        ("bona_fide/clip.xyz", "bona_fide/clip.xyz", "got '.xyz'"),
        ("bona_fide/clip", "bona_fide/clip", "got 'none'"),
        ("bona_fide/1.jpg", "bona_fide/1.jpg", "a picture by itself"),
        ("attack/print/1.jpg", "attack/print/1.jpg", "a picture by itself"),
        ("real/clip.mp4", "real", "unknown folder"),
        ("Attack/print/clip.mp4", "Attack", "unknown folder"),
    ],
)
def test_lists_what_is_out_of_place(tmp_path: Path, path: str, named: str, message: str) -> None:
    plant(tmp_path, [*PLAIN, path])
    assert len(folder().read(tmp_path).presentations) == len(PLAIN)
    found = problems_of(tmp_path)
    assert list(found) == [named]
    assert message in found[named]


def test_lists_an_unknown_folder_below_a_side_and_beside_it(tmp_path: Path) -> None:
    plant(tmp_path, [*(f"train/{path}" for path in PLAIN), "train/real/a.mp4", "bona_fide/a.mp4"])
    (tmp_path / "validation").mkdir()
    assert list(problems_of(tmp_path)) == ["bona_fide", "train/real", "validation"]


def test_pictures_beside_videos_are_not_frames(tmp_path: Path) -> None:
    plant(tmp_path, ["bona_fide/a/clip.mp4", "bona_fide/a/1.jpg", "bona_fide/a/2.jpg"])
    assert [row.path for row in folder().read(tmp_path).presentations] == ["bona_fide/a/clip.mp4"]
    assert problems_of(tmp_path) == {
        "bona_fide/a": "holds videos and 2 pictures, which are not read: separate them"
    }


def test_passes_over_what_is_plainly_no_media(tmp_path: Path) -> None:
    junk = ["README.md", ".DS_Store", "bona_fide/._a.mp4", "__MACOSX/bona_fide/a.mp4"]
    junk += ["Thumbs.db", ".git/a.mp4", "bona_fide/a.txt", "bona_fide/LIST.CSV"]
    plant(tmp_path, [*PLAIN, *junk])
    assert problems_of(tmp_path) == {}
    assert len(folder().read(tmp_path).presentations) == len(PLAIN)


def test_refuses_another_folder(tmp_path: Path) -> None:
    plant(tmp_path, ["live/a.mp4"])
    with pytest.raises(DataError, match=r"expected bona_fide/ .*found live/"):
        folder().read(tmp_path)
    (tmp_path / "train").mkdir()
    with pytest.raises(DataError, match="found live/, train/"):
        folder().read(tmp_path)
    with pytest.raises(DataError, match="found nothing"):
        folder().read(tmp_path / "none")


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
    plant(tmp_path, ["bona_fide/a.mp4"])
    assert list(problems_of(tmp_path)) == ["\\xe9", "caf\\xe9.mp4"]


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
