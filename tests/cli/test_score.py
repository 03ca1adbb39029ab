import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from commands import run
from evaluations import GreyRunner
from made_up import TRAINED, card
from made_up_scores import made_up_profile
from media import pattern, video
from people import person_video
from text_session import TextSession
from vivant.cli.app import app
from vivant.errors import DataError, OutputError
from vivant.session.session import Session

TEXTS = {"a/bright.mp4": "204", "a/dark.mp4": "51", "nobody.png": "", "bad.webm": "bad"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in TEXTS.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "data" / "ignored.bin").write_text("")
    return tmp_path / "data"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[[TextSession], list[tuple]]:
    """Makes a session stand for that which would be opened, and tells how it was asked for."""

    def stand_in(session: TextSession) -> list[tuple]:
        asked: list[tuple] = []

        def open_(*words: object, **settings: object) -> TextSession:
            asked.append((words, settings))
            return session

        monkeypatch.setattr(Session, "open", open_)
        return asked

    return stand_in


def score(*words: object) -> Result:
    return CliRunner().invoke(app, ["score", *(str(word) for word in words)])


def test_says_how_many_ended_how_and_what_the_model_is(
    root: Path, tmp_path: Path, opened: Callable
) -> None:
    asked = opened(TextSession())
    out = tmp_path / "scores.parquet"
    answer = score(
        root, "--out", out, "--model", "m.json", "--runtime", "onnx", "--threads", 2,
        "--workers", 2, "--batch", 3, "--trusted",
    )  # fmt: skip
    assert answer.exit_code == 0, answer.output
    assert asked == [
        (
            (Path("m.json"),),
            {"isolated": False, "profile": None, "runtime": "onnx", "num_threads": 2},
        )
    ]
    words = " ".join(answer.stdout.split())
    for expected in (
        "bona fide 1", "ATTACK 1", "no decision 1 NO_FACE 1", "refused 1 CORRUPT_MEDIA 1",
        "2 clips of 4 files in", "clips/s", "1 files with other endings were passed over",
        "model made_up 000000000000 on onnx: trained on made-up:1", str(out),
    ):  # fmt: skip
        assert expected in words, expected
    rows = {row["path"]: row for row in pq.read_table(out).to_pylist()}
    assert rows.keys() == TEXTS.keys()
    assert rows["a/bright.mp4"]["decision"] == "bona_fide"


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        (None, "UNTRAINED: its scores mean nothing, and it never decides"),
        (
            TRAINED.model_copy(update={"is_synthetic": True}),
            "trained on simulated attacks (made-up:1)",
        ),
    ],
)
def test_what_the_model_was_trained_on_is_said_as_check_says_it(
    training: object, expected: str, root: Path, tmp_path: Path, opened: Callable
) -> None:
    point = {"point": None} if training is None else {}
    opened(TextSession(GreyRunner(card(training=training, **point))))
    words = " ".join(score(root, "--out", tmp_path / "s.parquet").stdout.split())
    assert expected in words
    assert ("bona fide 0" in words) == (training is None)


def test_profile_is_named(root: Path, tmp_path: Path, opened: Callable) -> None:
    profile = made_up_profile()
    opened(TextSession(profile=profile))
    words = " ".join(score(root, "--out", tmp_path / "s.parquet").stdout.split())
    assert f"profile {profile.sha256[:12]}: dev-bpcer=1% on made-up:1 dev" in words


def test_an_output_that_is_there_is_kept_unless_it_may_be_replaced(
    root: Path, tmp_path: Path, opened: Callable
) -> None:
    opened(TextSession())
    out = tmp_path / "scores.parquet"
    out.write_text("precious")
    answer = score(root, "--out", out)
    assert isinstance(answer.exception, OutputError)
    assert out.read_text() == "precious"
    assert score(root, "--out", out, "--force").exit_code == 0
    assert pq.read_table(out).num_rows == 4


def test_what_could_not_be_looked_into_is_told_and_exit_code_1(
    root: Path, tmp_path: Path, opened: Callable
) -> None:
    opened(TextSession())
    (root / "elsewhere").symlink_to(tmp_path / "nowhere")
    answer = score(root, "--out", tmp_path / "scores.parquet")
    assert answer.exit_code == 1
    assert "NOT LOOKED INTO: elsewhere: expected a file, got a broken link" in answer.stdout
    assert pq.read_table(tmp_path / "scores.parquet").num_rows == 4


def test_a_folder_without_media_is_told(tmp_path: Path) -> None:
    answer = score(tmp_path, "--out", tmp_path / "scores.parquet")
    assert isinstance(answer.exception, DataError)
    assert not (tmp_path / "scores.parquet").exists()


@pytest.mark.parametrize("words", [["--batch", "0"], ["--workers", "0"], ["--threads", "-1"], []])
def test_wrong_usage_is_2(words: list[str], root: Path, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "s.parquet")] if words else []
    assert score(root, *out, *words).exit_code == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--engine", "ray", "--batch", "4"], "--batch is for --engine local"),
        (["--patience", "60"], "expected --engine ray with --patience"),
        (["--gpus-per-worker", "0.5"], "expected --engine ray with --gpus-per-worker"),
        (
            ["--gpus-per-worker", "0.5", "--engine", "ray"],
            "expected --runtime torch:cuda with --gpus-per-worker, got --runtime auto",
        ),
    ],
)
def test_options_of_the_other_engine_are_refused(
    words: list[str], told: str, root: Path, tmp_path: Path
) -> None:
    answer = score(root, "--out", tmp_path / "s.parquet", *words)
    assert answer.exit_code == 2
    assert told in " ".join(answer.stderr.replace("│", " ").split())


def test_url_is_for_a_cluster(tmp_path: Path) -> None:
    answer = score("s3://bucket/media", "--out", tmp_path / "s.parquet")
    assert answer.exit_code == 2
    assert "--engine ray with s3://bucket/media" in " ".join(
        answer.stderr.replace("│", " ").split()
    )


def test_without_pyarrow_it_says_which_extra_brings_it(root: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None; from vivant.cli.app import main; "
        "sys.argv = ['vivant', *sys.argv[1:]]; main()"
    )
    command = [sys.executable, "-c", code, "score", root, "--out", tmp_path / "s.parquet"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "pip install 'vivant[data]'" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_real_session_agrees_with_check(lite_card: Path, tmp_path: Path) -> None:
    root, out = tmp_path / "data", tmp_path / "scores.parquet"
    root.mkdir()
    (root / "person.mp4").write_bytes(person_video(8))
    (root / "nobody.mp4").write_bytes(video([pattern(i, 640, 480) for i in range(6)], rate=10))
    (root / "text.mp4").write_text("no video")
    answer = run("score", root, "--out", out, "--model", lite_card)
    assert answer.returncode == 0, answer.stderr
    assert "UNTRAINED" in answer.stdout
    names = ("nobody.mp4", "person.mp4", "text.mp4")
    checked = run("check", *(root / name for name in names), "--model", lite_card, "--json")
    for row, line in zip(pq.read_table(out).to_pylist(), checked.stdout.splitlines(), strict=True):
        record = json.loads(line)
        assert str(root / row["path"]) == record["path"]
        assert (row["status"], row["code"]) == (record["status"], record["code"])
        assert row["reasons"] == [reason["code"] for reason in record["reasons"]]
        expected = record["bona_fide_score"]
        assert row["bona_fide_score"] == (expected and pytest.approx(expected, abs=1e-5))
        assert row["num_windows"] == len(record["windows"])
