import json
from pathlib import Path

import pytest

from commands import run

LINES = [
    *(f"bona_fide,,{score},dev,{at}" for at, score in enumerate((0.9, 0.8, 0.4))),
    *(f"attack,print,{score},dev,{at}" for at, score in enumerate((0.1, 0.5, 0.3))),
    *(f"bona_fide,,{score},test,{at}" for at, score in enumerate((0.9, 0.7, 0.2))),
    *(f"attack,print,{score},test,{at}" for at, score in enumerate((0.1, 0.6, 0.3))),
    "attack,replay,0.85,test,1",
    "attack,replay,,test,2",
]


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    path = tmp_path / "scores.csv"
    path.write_text("label,pai,score,split,site\n" + "\n".join(LINES) + "\n", "utf-8")
    return path


def test_threshold_of_the_dev_lines_judges_the_test_lines(scores: Path) -> None:
    found = json.loads(run("metrics", scores, "--json").stdout)
    # On dev: of 0.4 and 0.5 both rates are 1/3; the lower one is taken.
    assert found["convention"]["threshold"] == 0.5
    assert found["convention"]["threshold_rule"] == "dev-eer"
    assert found["rates"]["bpcer"]["errors"] == 1
    assert found["rates"]["apcer_max"] == {"rate": 1.0, "species": "replay"}
    assert found["rates"]["no_answer"]["replay"] == {"missing": 1, "n": 2, "rate": 0.5}


def test_table_says_convention_intervals_and_what_is_too_few(scores: Path) -> None:
    ended = run("metrics", scores, "--by", "site", "--threshold", "test-eer")
    assert ended.returncode == 0
    for told in ("OPTIMISTIC", "APCER replay", "95 % (Wilson)", "too few to tell", "ACER (legacy)",
                 "no answer: 1 of 2 replay", "site"):  # fmt: skip
        assert told in ended.stdout


def test_dev_side_of_another_file(scores: Path, tmp_path: Path) -> None:
    dev = tmp_path / "dev.csv"
    dev.write_text("label,score\nbona_fide,0.95\nattack,0.94\n", "utf-8")
    assert (
        json.loads(run("metrics", scores, "--dev", dev, "--json").stdout)["convention"]["threshold"]
        == 0.95
    )


def test_lines_of_other_sides_are_never_judged_beside_those_of_test(
    scores: Path, tmp_path: Path
) -> None:
    dev = tmp_path / "dev.csv"
    dev.write_text("label,score\nbona_fide,0.95\nattack,0.94\n", "utf-8")
    for words in (("--dev", dev), ("--threshold", "fixed-0.5"), ()):
        found = json.loads(run("metrics", scores, *words, "--json").stdout)
        assert found["rates"]["bpcer"]["n"] == 3


def test_clips_of_a_video_are_judged_by_their_mean(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("video,label,score\na,bona_fide,0.9\na,bona_fide,0.3\nb,attack,0.4\n", "utf-8")
    words = (path, "--threshold", "fixed-0.5", "--json")
    assert json.loads(run("metrics", *words).stdout)["rates"]["bpcer"]["n"] == 2
    found = json.loads(run("metrics", *words, "--video", "video").stdout)
    assert (found["rates"]["bpcer"]["n"], found["rates"]["bpcer"]["errors"]) == (1, 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--threshold", "0.5"), "expected a threshold rule such as dev-eer"),
        (("--by", "skin"), "expected a column 'skin', the file has label, pai, score"),
        (("--dev", "missing.csv"), "expected a CSV file of scores at missing.csv"),
    ],
)
def test_wrong_arguments_say_what_to_do(scores: Path, words, message: str) -> None:
    ended = run("metrics", scores, *words)
    assert ended.returncode == 1
    assert message in ended.stderr.replace("\n", " ")
