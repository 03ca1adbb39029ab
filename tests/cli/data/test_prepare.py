import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from people import person_video
from vivant.cli.app import app
from vivant.preparation.store import Store


def run(*arguments: object) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["data", *(str(word) for word in arguments)])
    return answer.exit_code, answer.output


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    for name in ("bona_fide/a.mp4", "attack/print/b.mp4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(person_video())
    return folder


def test_prepare_stores_every_face_and_goes_on(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    code, text = run("prepare", "folder", root, "--out", out, "--workers", 1)
    assert code == 0, text
    assert "2 presentations" in text
    assert Store(out).frames().count_rows() == 40
    (root / "bona_fide/c.mp4").write_bytes(person_video())
    (root / "bona_fide/bad.mp4").write_bytes(b"no video")
    code, text = run("prepare", "folder", root, "--out", out, "--workers", 1)
    assert code == 1
    assert "UNSUPPORTED_FORMAT: bona_fide/bad.mp4" in text
    assert Store(out).frames().count_rows() == 60
    code, text = run("info", out, "--json")
    found = json.loads(text)
    assert (found["presentations"], found["refusals"]) == (4, {"UNSUPPORTED_FORMAT": 1})


def test_frames_can_be_fewer(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    code, _ = run("prepare", "folder", root, "--out", out, "--workers", 1, "--frames", 5)
    assert code == 0
    assert Store(out).frames().count_rows() == 10


@pytest.mark.parametrize("frames", ["none", "0", "-3", "1.5"])
def test_number_of_frames_must_be_one(root: Path, tmp_path: Path, frames: str) -> None:
    code, text = run("prepare", "folder", root, "--out", tmp_path / "store", f"--frames={frames}")
    assert code == 2
    assert "expected all, or a number of frames" in text
    assert not (tmp_path / "store").exists()


def test_wrong_folder_writes_nothing(tmp_path: Path) -> None:
    answer = CliRunner().invoke(
        app, ["data", "prepare", "siw", str(tmp_path), "--out", str(tmp_path / "store")]
    )
    assert answer.exit_code == 1
    assert "of SiW" in str(answer.exception)
    assert not (tmp_path / "store").exists()
