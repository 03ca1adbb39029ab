"""Anybody's folders."""

import os
from pathlib import Path

import pytest

from datasets.trees import plant
from vivant.datasets.dataset import counts
from vivant.datasets.folder import folder
from vivant.errors import DataError
from vivant.records import Label, Presentation, Split

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


def test_lists_folders_whose_names_are_no_text(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"\xe9")).mkdir()
    except OSError:
        pytest.skip("this file system takes names in UTF-8 alone")
    plant(tmp_path, ["bona_fide/a.mp4"])
    assert list(problems_of(tmp_path)) == ["\\xe9"]
