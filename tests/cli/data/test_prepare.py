import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clocks import wait_until
from people import person_video
from served_process import tree
from vivant.cli.app import app
from vivant.preparation.info import fingerprint
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


def test_what_is_stored_and_how_pictures_follow_is_said(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    prepare = ("prepare", "folder", root, "--out", out, "--workers", 1, "--trusted")
    code, text = run(*prepare, "--margin", 2.6, "--series", "still", "--picture-rate", 25)
    assert code == 0, text
    settings = Store(out).manifest.settings
    assert (settings.margin, settings.series, settings.picture_rate) == (2.6, "still", 25)
    answer = CliRunner().invoke(app, ["data", *map(str, prepare)])
    assert "margin: 2.6 there, 1.75 now" in str(answer.exception)
    assert "series: still there, even now" in str(answer.exception)
    assert run(*prepare, "--series", "odd")[0] == 2
    assert run(*prepare, "--margin", 0.5)[0] == 2


@pytest.mark.slow
def test_killed_with_all_that_it_started_it_goes_on(root: Path, tmp_path: Path) -> None:
    """kill -9 of the command, of a worker, of a decoder: the same rows in the end."""
    for number in range(8):
        (root / f"bona_fide/{number}.mp4").write_bytes(person_video())
    out = tmp_path / "store"
    command = [sys.executable, "-m", "vivant", "data", "prepare", "folder", str(root)]
    command += ["--out", str(out), "--workers", "2"]
    process = subprocess.Popen(command)
    workers_with_decoders(process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process = subprocess.Popen(command)
    (_, decoder), (worker, _) = workers_with_decoders(process)
    for pid in (decoder, worker):
        with suppress(ProcessLookupError):  # It may have done its work in this moment.
            os.kill(pid, signal.SIGKILL)
    assert process.wait() in (0, 1)  # 1: the decoder's file was refused, and is tried again.
    assert subprocess.run(command, check=False).returncode == 0
    run("prepare", "folder", root, "--out", tmp_path / "undisturbed", "--workers", 1)
    assert described(out) == described(tmp_path / "undisturbed")


def workers_with_decoders(process: "subprocess.Popen[bytes]") -> list[tuple[int, int]]:
    """Wait until the command's two workers are at work: each, and a process that decodes for it."""
    found: dict[int, int] = {}

    def are_at_work() -> bool:
        assert process.poll() is None, "the command has ended"
        for pid in tree(process.pid):
            below = tree(pid)
            # A worker, its nursery, and what that has forked.
            if b"spawn_main" in command_of(pid) and len(below) > 2:
                found[pid] = below[-1]
        return len(found) == 2

    wait_until(are_at_work, "two workers decoded")
    return list(found.items())


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def described(folder: Path) -> tuple[str, int, int]:
    store = Store(folder)
    frames = store.frames()
    crops = sum(len(each) for each in frames.to_table(columns=["crop"])["crop"].to_pylist())
    return fingerprint(store), frames.count_rows(), crops


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


@pytest.mark.parametrize("option", ["--address=head:6379", "--patience=60"])
def test_options_of_a_cluster_are_refused_without_one(
    root: Path, tmp_path: Path, option: str
) -> None:
    code, text = run("prepare", "folder", root, "--out", tmp_path / "store", option)
    assert code == 2
    assert "expected --engine ray with" in " ".join(text.replace("│", " ").split())
    assert not (tmp_path / "store").exists()


def test_url_with_a_secret_is_refused_and_not_repeated(root: Path) -> None:
    answer = CliRunner().invoke(
        app, ["data", "prepare", "folder", str(root), "--out", "s3://AKIA1:hunter2@bucket/store"]
    )
    assert answer.exit_code == 1
    assert "without @, : and ?, which come with secrets" in str(answer.exception)
    assert "hunter2" not in answer.output + str(answer.exception)
