import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from commands import run
from context_models import context_config
from made_up import MadeUpRunner, card
from made_up_scores import made_up_profile
from media import pattern, video
from people import person_video
from vivant.cli.app import app
from vivant.errors import ProfileError
from vivant.runtimes.opening import open_runner
from vivant.runtimes.runner import Runner
from vivant.session.profile import write_profile
from vivant.session.report import CheckRecord
from vivant.video.frames import Media

ANSWER = {"score": 0.9}


@pytest.fixture
def clips(tmp_path: Path) -> dict[str, Path]:
    person, nobody, text = tmp_path / "person.mp4", tmp_path / "nobody.mp4", tmp_path / "text.mp4"
    person.write_bytes(person_video())
    nobody.write_bytes(video([pattern(i, 640, 480) for i in range(6)], rate=10))
    text.write_text("this is no video")
    return {"person": person, "nobody": nobody, "text": text, "gone": tmp_path / "gone.mp4"}


@pytest.fixture(autouse=True)
def _made_up_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model named person.json says 0.9, attack.json 0.1, odd.json breaks; others are real."""

    class Odd(MadeUpRunner):
        def run(self, clips: np.ndarray):
            raise ZeroDivisionError("a mistake of ours")

    networks = {
        "person.json": MadeUpRunner(0.9),
        "attack.json": MadeUpRunner(0.1),
        "untrained.json": MadeUpRunner(0.9, card(training=None, point=None)),
        "odd.json": Odd(),
        "advisor.json": MadeUpRunner(0.9, card(architecture=context_config())),
    }

    def open_made_up(path: Path, *settings: object) -> Runner:
        if path.name in networks:
            return networks[path.name]
        return open_runner(path, *settings)

    monkeypatch.setattr("vivant.session.session.open_runner", open_made_up)


def check(*arguments: object, model: str = "person.json") -> Result:
    words = ["check", "--trusted", "--model", model, *(str(word) for word in arguments)]
    return CliRunner().invoke(app, words)


@pytest.mark.parametrize(
    ("names", "model", "code"),
    [
        (["person"], "person.json", 0),
        (["person", "person"], "person.json", 0),
        (["person"], "attack.json", 3),
        (["person"], "untrained.json", 4),
        (["nobody"], "person.json", 4),
        (["person", "nobody"], "person.json", 4),
        (["person", "nobody"], "attack.json", 3),
        (["text"], "person.json", 1),
        (["gone"], "person.json", 1),
        (["person", "nobody", "text"], "attack.json", 1),
        (["person"], "odd.json", 1),
    ],
)
def test_exit_code_is_the_first_that_applies(
    names: list[str], model: str, code: int, clips: dict[str, Path]
) -> None:
    assert check(*(clips[name] for name in names), model=model).exit_code == code


@pytest.mark.parametrize(
    "arguments", [[], ["--camera", "0", "a.mp4"], ["--camera", "0", "--rtsp", "rtsp://x/y"]]
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    answer = check(*arguments)
    assert answer.exit_code == 2
    assert "name files, or one camera" in answer.stderr


def test_json_is_one_record_a_line_and_nothing_else(clips: dict[str, Path]) -> None:
    answer = check("--json", clips["text"], clips["person"], clips["nobody"])
    records = [CheckRecord.model_validate_json(line) for line in answer.stdout.splitlines()]
    assert [record.status for record in records] == ["refused", "decided", "undecided"]
    assert [record.path for record in records] == [
        str(clips[name]) for name in ("text", "person", "nobody")
    ]
    assert records[0].code == "UNSUPPORTED_FORMAT"
    assert answer.exit_code == 1


def test_one_bad_file_never_stops_the_others(clips: dict[str, Path]) -> None:
    answer = check("--json", clips["gone"], clips["person"])
    assert [json.loads(line)["status"] for line in answer.stdout.splitlines()] == [
        "refused",
        "decided",
    ]


def test_mistake_of_ours_is_a_failed_record(clips: dict[str, Path]) -> None:
    answer = check("--json", clips["person"], model="odd.json")
    record = json.loads(answer.stdout)
    assert (record["status"], record["code"], record["decision"]) == ("refused", "FAILED", None)
    assert record["message"] == "ZeroDivisionError: a mistake of ours"


def test_table_says_the_verdict_and_why(clips: dict[str, Path]) -> None:
    answer = check(clips["person"], clips["nobody"], clips["text"])
    words = " ".join(answer.stdout.split())
    for expected in ("bona fide", "0.900", "NO_FACE", "refused", "UNSUPPORTED_FORMAT", "made_up"):
        assert expected in words


def test_table_marks_an_untrained_model(clips: dict[str, Path]) -> None:
    words = " ".join(check(clips["person"], model="untrained.json").stdout.split())
    assert "UNTRAINED: its scores mean nothing, and it never decides" in words
    assert "bona fide " not in words


def test_table_says_where_patches_do_not_vote(clips: dict[str, Path]) -> None:
    words = " ".join(check(clips["person"], model="advisor.json").stdout.split())
    assert "patches and depth do not vote in this model" in words
    assert "vote" not in check(clips["person"]).stdout


def test_profile_calibrates_and_is_named(clips: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "a.profile.json"
    write_profile(made_up_profile(), path)
    answer = check("--json", "--profile", path, clips["person"], clips["text"])
    decided, refused = (json.loads(line) for line in answer.stdout.splitlines())
    # 0.9 has odds of 9, a quarter of which are left.
    assert decided["bona_fide_score"] == pytest.approx(9 / 13, abs=1e-6)
    assert (decided["profile"], refused["profile"]) == (made_up_profile().sha256, None)
    assert decided["operating_point"]["rule"] == "dev-bpcer=1%"
    words = " ".join(check("--profile", path, clips["person"]).stdout.split())
    assert f"profile {made_up_profile().sha256[:12]}: dev-bpcer=1% on made-up:1 dev" in words


def test_profile_of_another_model_is_an_error_and_no_verdict(
    clips: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "a.profile.json"
    write_profile(made_up_profile(weights_sha256="d" * 64), path)
    answer = check("--profile", path, clips["person"])
    assert isinstance(answer.exception, ProfileError)
    assert "d" * 64 in str(answer.exception)
    assert answer.stdout == ""


def test_explain_writes_a_picture_for_each_verdict(clips: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "new" / "pictures"
    check(clips["person"], clips["text"], clips["nobody"], "--explain", folder)
    assert sorted(path.name for path in folder.iterdir()) == ["1-person.png", "3-nobody.png"]
    with Image.open(folder / "1-person.png") as picture:
        assert picture.width == 1192


def test_explain_into_a_file_says_so(clips: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    answer = check(clips["person"], "--explain", tmp_path / "taken")
    assert answer.exit_code == 1
    assert "cannot make the folder" in str(answer.exception)


def test_camera_is_filmed(monkeypatch: pytest.MonkeyPatch, clips: dict[str, Path]) -> None:
    from vivant.video.frames import read_media
    from vivant.video.limits import VideoLimits

    def film(index: int, seconds: float, interval_s: float, limits: VideoLimits) -> Media:
        assert (index, seconds, interval_s) == (1, 2.5, 0.1)
        return read_media(person_video(), interval_s, limits)

    monkeypatch.setattr("vivant.video.camera.open_camera", film)
    answer = check("--camera", "1", "--seconds", "2.5", "--json")
    assert json.loads(answer.stdout)["path"] == "camera 1"
    assert answer.exit_code == 0


def test_stream_s_address_is_not_shown() -> None:
    answer = check("--rtsp", "rtsp://user:secret@127.0.0.1:9/stream", "--json")
    assert answer.exit_code == 1
    assert "secret" not in answer.output
    assert json.loads(answer.stdout)["code"] == "NOT_A_FILE"


def test_unknown_detector_names_the_known() -> None:
    answer = check("a.mp4", "--detector", "blazefase")
    assert answer.exit_code == 1
    assert "did you mean 'blazeface'?" in str(answer.exception)


def test_real_session_checks_a_clip_in_isolation(lite_card: Path, clips: dict[str, Path]) -> None:
    answer = run("check", clips["person"], "--model", lite_card, "--json")
    record = json.loads(answer.stdout)
    assert answer.returncode == 4
    assert answer.stderr == ""
    assert [reason["code"] for reason in record["reasons"]] == ["UNTRAINED_MODEL"]
    assert "NOT_ISOLATED" not in [caution["code"] for caution in record["cautions"]] or (
        sys.platform != "linux"
    )
    assert len(record["windows"]) == 4


def test_without_a_model_the_one_that_ships_is_used_and_said_to_be_synthetic(
    clips: dict[str, Path],
) -> None:
    answer = run("check", clips["person"])
    assert answer.returncode in (0, 3, 4)
    assert "trained on simulated attacks" in answer.stdout + answer.stderr


def test_nothing_at_all_is_not_bona_fide() -> None:
    from vivant.cli.check import _exit_code

    assert _exit_code([]) == 4
