import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from datasets import oulu_tree, siw_tree, trees
from vivant.cli.app import app


def run(*arguments: object) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["data", "cross", *(str(word) for word in arguments)])
    return answer.exit_code, answer.stdout


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {
        name: tmp_path_factory.mktemp(name)
        for name in ("oulu_npu", "siw", "casia_fasd", "replay_attack", "msu_mfsd")
    }
    # Protocol 4_1 alone, and the train side of others: enough for what is asked here.
    listed = {name for side in oulu_tree.FOLDERS for name in oulu_tree.chosen("4_1", side)}
    files = [path for path in oulu_tree.paths() if Path(path).stem in listed]
    oulu_tree.grow(found["oulu_npu"], files)
    siw_tree.grow(found["siw"])
    trees.casia_fasd_tree(found["casia_fasd"])
    trees.replay_attack_tree(found["replay_attack"])
    trees.msu_mfsd_tree(found["msu_mfsd"])
    return found


def words(roots: dict[str, Path], *names: str) -> list[str]:
    return [word for name in names for word in ("--root", f"{name}={roots[name]}")]


def test_without_a_test_all_are_listed() -> None:
    code, text = run("--json")
    assert code == 0
    tests = {test["name"]: test for test in json.loads(text)}
    assert len(tests) == 25
    assert tests["ocim:OCI-M"] == {
        "name": "ocim:OCI-M",
        "sources": ["oulu_npu", "casia_fasd", "replay_attack"],
        "target": "msu_mfsd",
        "thresholds": ["source-dev-eer", "target-test-eer"],
        "measures": ["hter", "auc"],
        "source_frames": 1,
        "target_frames": 2,
    }
    code, text = run()
    assert code == 0
    assert "oulu_npu_to_siw:2_1 to 2_4" in text
    assert "ocim:ICM-O" in text


def test_sides_are_counted_by_set(roots: dict[str, Path]) -> None:
    code, text = run("siw_to_oulu_npu:4_1", *words(roots, "siw", "oulu_npu"), "--json")
    found = json.loads(text)
    assert code == 0, found
    assert found["complete"]
    assert found["problems"] == {"siw": 0, "oulu_npu": 0}
    rows = [
        (row["side"], row["dataset"], row["protocol"], row["bona_fide"], row["attack"])
        for row in found["sides"]
    ]
    assert rows == [
        ("train", "siw", "all", 32, 84),
        ("dev", "siw", "all", 16, 42),
        ("target-dev", "oulu_npu", "4_1", 150, 300),
        ("test", "oulu_npu", "4_1", 20, 40),
    ]
    code, text = run("siw_to_oulu_npu:4_1", *words(roots, "siw", "oulu_npu"))
    assert code == 0
    assert "150 + 300" in text
    assert "complete" in text


def test_what_is_there_in_part_is_incomplete(roots: dict[str, Path]) -> None:
    names = ("casia_fasd", "replay_attack", "msu_mfsd", "oulu_npu")
    code, text = run("ocim:OMI-C", *words(roots, *names))
    assert code == 1
    assert "720 + 2880" in text
    assert "incomplete" in text
    (roots["siw"] / "Train/live/003/stray.mov").touch()
    code, text = run("siw_to_oulu_npu:4_1", *words(roots, "siw", "oulu_npu"))
    (roots["siw"] / "Train/live/003/stray.mov").unlink()
    assert code == 1
    assert "1 in siw: vivant data check" in text


def test_siw_can_be_without_a_dev_side(roots: dict[str, Path]) -> None:
    arguments = ["siw_to_oulu_npu:4_1", *words(roots, "siw", "oulu_npu"), "--siw-dev", "none"]
    found = json.loads(run(*arguments, "--source-protocol", "1", "--json")[1])
    assert found["thresholds"] == ["target-dev-eer", "0.5"]
    assert [row["side"] for row in found["sides"]] == ["train", "target-dev", "test"]
    assert (found["sides"][0]["protocol"], found["sides"][0]["bona_fide"]) == ("1", 48)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--root", "siw"], "expected --root DATA_SET=FOLDER, got 'siw'"),
        (["--root", "siw=a", "--root", "siw=b"], "is there twice"),
        (["--root", "nuaa=a"], "needs siw, oulu_npu, got a root of nuaa"),
    ],
)
def test_roots_are_named(arguments: list[str], message: str) -> None:
    answer = CliRunner().invoke(app, ["data", "cross", "siw_to_oulu_npu:1", *arguments])
    assert answer.exit_code == 2
    assert message in " ".join(answer.stderr.replace("\u2502", " ").split())


def test_a_set_that_is_not_there_is_named(roots: dict[str, Path]) -> None:
    answer = CliRunner().invoke(
        app, ["data", "cross", "siw_to_oulu_npu:4_1", *words(roots, "oulu_npu")]
    )
    assert answer.exit_code == 1
    assert "needs what is not there: the data set siw" in str(answer.exception)


def test_an_option_of_siw_needs_siw() -> None:
    answer = CliRunner().invoke(app, ["data", "cross", "ocim:OCI-M", "--siw-dev", "none"])
    assert answer.exit_code == 2
    assert "which ocim:OCI-M does" in " ".join(answer.stderr.split())
