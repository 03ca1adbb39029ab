"""`scripts/arrange_open_faces.py`, on pictures that are drawn here."""

import csv
import hashlib
import importlib.util
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from media import clip
from vivant.datasets.manifest import manifest
from vivant.records import Label, Split

SCRIPT = Path(__file__).parents[2] / "scripts" / "arrange_open_faces.py"
COLUMNS = ["path", "label", "subject", "set", "licence", "race_label", "sha256"]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("arrange_open_faces", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Dataclasses look there for their module.
    spec.loader.exec_module(module)
    return module


def drawn(seed: int, height: int = 96, width: int = 128) -> np.ndarray:
    """Soft blobs, neither black nor white, and nowhere symmetric."""
    noise = np.random.default_rng(seed).uniform(40, 220, (height // 8, width // 8, 3))
    return cv2.resize(noise.astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)


def framed(picture: np.ndarray, rows: int, columns: int, grey: int) -> np.ndarray:
    sides = (rows, rows, columns, columns)
    return cv2.copyMakeBorder(picture, *sides, cv2.BORDER_CONSTANT, value=(grey,) * 3)


def written(folder: Path, rows: list[dict[str, str]]) -> Path:
    folder.mkdir(exist_ok=True)
    with (folder / "MANIFEST.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return folder


def row(folder: Path, path: str, picture: np.ndarray, **fields: str) -> dict[str, str]:
    """Write a picture; returns its row, with its hash."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(target), picture)
    set_, subject, *_ = [*path.split("/"), ""]
    told = {"path": path, "label": "bona_fide", "subject": subject, "set": set_}
    return told | {"sha256": hashlib.sha256(target.read_bytes()).hexdigest()} | fields


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    faces = tmp_path / "faces"
    plain, web = drawn(1), framed(drawn(2), 24, 0, 0)
    rows = [
        row(faces, "webcam/w1/0000.jpg", web),
        row(faces, "webcam/w1/0001.jpg", web),
        row(faces, "webcam/w2/0000.png", framed(drawn(3), 0, 20, 255)),
        row(faces, "photos/f1.jpg", plain, subject="f1", race_label="Latino, Hispanic"),
        row(faces, "rooms/000.png", drawn(4), label="background", subject=""),
        {"path": "studio/s1/0.mpg", "label": "bona_fide", "subject": "s1", "set": "studio"},
    ]
    return written(faces, rows)


@pytest.mark.parametrize("grey", [0, 255])
@pytest.mark.parametrize(("rows", "columns"), [(24, 0), (0, 20), (16, 12)])
def test_bars_are_cut_off(script: ModuleType, grey: int, rows: int, columns: int) -> None:
    picture = drawn(0)
    found = script.without_bars(framed(picture, rows, columns, grey))
    # Two lines beside a bar go with it.
    y, x = 2 * bool(rows), 2 * bool(columns)
    np.testing.assert_array_equal(found, picture[y : 96 - y, x : 128 - x])


@pytest.mark.parametrize("sides", [(20, 24, 0, 0), (0, 0, 30, 0), (0, 18, 0, 26)])
def test_mirrored_edges_are_cut_off(script: ModuleType, sides: tuple[int, int, int, int]) -> None:
    mirrored = cv2.copyMakeBorder(drawn(5), *sides, cv2.BORDER_REFLECT)
    np.testing.assert_array_equal(script.without_bars(mirrored), drawn(5))


@pytest.mark.parametrize("seed", range(8))
def test_a_picture_without_bars_stays(script: ModuleType, seed: int) -> None:
    assert script.without_bars(drawn(seed)).shape == (96, 128, 3)
    dark = np.zeros((40, 40, 3), np.uint8)
    assert script.without_bars(dark).shape[2] == 3


def test_working_copy_is_what_the_reader_takes(
    script: ModuleType, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    report = script.arrange(folder, out)
    assert report.problems == []
    assert dict(report.num_pictures) == {"webcam": 3, "photos": 1}
    assert (report.num_cut.total(), report.num_backgrounds, report.num_videos) == (3, 1, 1)
    assert out.stat().st_mode & 0o777 == 0o700
    reading = manifest().read(out)
    assert reading.problems == ()
    found = {each.path: each for each in reading.presentations}
    assert set(found) == {
        "photos/f1.jpg", "webcam/w1/0000.jpg", "webcam/w1/0001.jpg", "webcam/w2/0000.png"
    }  # fmt: skip
    assert all(each.label is Label.BONA_FIDE for each in found.values())
    photo = found["photos/f1.jpg"]
    assert (photo.subject, photo.split) == ("photos/f1", Split.TRAIN)
    assert photo.columns == {"set": "photos", "race_label": "Latino, Hispanic"}
    # Copied as it was; the others are cut, in the format of their name.
    assert (out / photo.path).read_bytes() == (folder / photo.path).read_bytes()
    assert (out / "backgrounds" / "rooms" / "000.png").is_file()
    assert (out / "webcam/w1/0000.jpg").read_bytes()[:3] == b"\xff\xd8\xff"
    cut = cv2.imread(str(out / "webcam/w2/0000.png"))
    assert np.abs(cut.astype(int) - drawn(3)[:, 2:-2]).mean() < 1
    sides = Counter(each.split for each in found.values() if each.columns["set"] == "webcam")
    assert set(sides) == {Split.TRAIN, Split.DEV}


def test_what_is_there_is_not_made_again(script: ModuleType, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = script.arrange(folder, out)
    table = (out / "manifest.csv").read_bytes()
    (out / "webcam/w1/.0001.jpg.77.part").write_bytes(b"half")  # Left by a killed run.
    (out / "webcam/w2/0000.png").unlink()
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.*g")}
    again = script.arrange(folder, out)
    assert (again.num_pictures, again.num_cut) == (first.num_pictures, first.num_cut)
    assert (out / "manifest.csv").read_bytes() == table
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert (out / "webcam/w2/0000.png").is_file()
    assert not [*out.rglob("*.part")]


def test_bad_pictures_are_named_and_stop_nothing(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faces = tmp_path / "faces"
    good = row(faces, "a/s/good.jpg", drawn(1))
    (faces / "a/s/text.jpg").write_text("no picture")
    told = {"label": "bona_fide", "subject": "s", "set": "a"}
    rows = [
        good,
        told | {"path": "a/s/text.jpg"},
        told | {"path": "a/s/absent.jpg"},
        told | {"path": "../good.jpg"},
        row(faces, "a/s/other.jpg", drawn(2), sha256="0" * 64),
        good | {"path": "a/s/good.png", "label": "attack"},
    ]
    script.main([str(written(faces, rows)), str(tmp_path / "out")])
    told_ = capsys.readouterr().out
    for part in ("text.jpg: it is not a picture", "absent.jpg: ", "expected a path below",
                 "other.jpg: its SHA-256", "expected bona_fide or background: 'attack'",
                 "1 pictures of 1 sets", "5 left out"):  # fmt: skip
        assert part in told_
    (only,) = manifest().read(tmp_path / "out").presentations
    assert only.path == "a/s/good.jpg"


def test_videos_become_stills_where_asked_for(
    script: ModuleType, folder: Path, tmp_path: Path
) -> None:
    (folder / "studio/s1").mkdir(parents=True)
    (folder / "studio/s1/0.mpg").write_bytes(clip())
    out = tmp_path / "out"
    report = script.arrange(folder, out, per_video=3)
    assert (report.num_pictures["studio"], report.num_videos, report.problems) == (3, 0, [])
    rows = [each for each in manifest().read(out).presentations if each.columns["set"] == "studio"]
    assert [each.path for each in rows] == [f"studio/s1/0_{k}of3.png" for k in (1, 2, 3)]
    assert {each.subject for each in rows} == {"studio/s1"}
    pictures = [(out / each.path).read_bytes() for each in rows]
    assert len(set(pictures)) == 3
    (folder / "studio/s1/0.mpg").write_bytes(b"damaged since")
    assert script.arrange(folder, out, per_video=3).problems == []  # Not read again.
    (problem,) = script.arrange(folder, out, per_video=2).problems
    assert problem.startswith("studio/s1/0.mpg: ")


def test_a_set_is_thinned_evenly_over_subjects_and_time(script: ModuleType) -> None:
    rows = [{"subject": s, "path": f"{s}{i}"} for s, n in (("a", 9), ("b", 2)) for i in range(n)]
    assert script.evenly(rows, None) == rows
    assert [each["path"] for each in script.evenly(rows, 5)] == ["a0", "a4", "a8", "b0", "b1"]
    assert [each["path"] for each in script.evenly(rows, 1)] == ["a0"]
    assert len(script.evenly(rows, 10)) == 10


def test_sides_are_by_subject_and_the_same_in_any_order(script: ModuleType) -> None:
    subjects = [f"s{i}" for i in range(50)]
    sides = script.sides_of(subjects)
    assert Counter(sides.values()) == {"train": 40, "dev": 10}
    assert script.sides_of(subjects[::-1]) == sides
    assert Counter(script.sides_of(["x", "y"]).values()) == {"train": 1, "dev": 1}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda faces: None, "MANIFEST.csv"),
        (lambda faces: (faces / "MANIFEST.csv").write_text("a,b\n"), "expected the columns path"),
        (lambda faces: written(faces, []), "another folder"),
    ],
)
def test_bad_folders_are_refused(
    script: ModuleType, tmp_path: Path, make: object, message: str
) -> None:
    faces = tmp_path / "faces"
    faces.mkdir()
    make(faces)
    out = faces if message == "another folder" else tmp_path / "out"
    with pytest.raises(SystemExit, match=message):
        script.main([str(faces), str(out)])
    with pytest.raises(SystemExit, match="most-per-set"):
        script.main([str(faces), str(out), "--most-per-set", "0"])
    with pytest.raises(SystemExit, match="pictures-per-video"):
        script.main([str(faces), str(out), "--pictures-per-video", "-1"])
