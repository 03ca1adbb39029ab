import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from datasets import oulu_tree, siw_tree, trees
from media import clip
from vivant.cli.app import app


def data(*arguments: object) -> tuple[int, dict]:
    answer = CliRunner().invoke(app, ["data", *(str(word) for word in arguments), "--json"])
    return answer.exit_code, json.loads(answer.stdout)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two bona fide videos and three attacks in the layout `folder`."""
    for name in ("bona_fide/a.mp4", "bona_fide/b.mp4", "attack/print/c.mp4", "attack/print/d.mp4",
                 "attack/replay/e.mp4"):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(clip())
    return tmp_path


def test_folder_without_sides_is_counted(root: Path) -> None:
    code, found = data("check", "folder", root)
    assert code == 0
    assert found["complete"]
    assert (found["presentations"], found["undivided"]) == (5, 5)


def test_division_by_subject_needs_subjects(root: Path) -> None:
    answer = CliRunner().invoke(
        app, ["data", "check", "folder", str(root), "--split", "subject:0.6/0.2/0.2"]
    )
    assert answer.exit_code == 1
    assert "subject" in str(answer.exception)


def test_manifest_is_divided_by_subject(root: Path) -> None:
    lines = ["path,label,pai,subject"]
    for i in range(10):
        for kind, label, pai in (
            ("bona_fide", "bona_fide", ""),
            ("attack/print", "attack", "print"),
        ):
            path = root / kind / f"s{i}.mp4"
            path.write_bytes(clip())
            lines.append(f"{kind}/s{i}.mp4,{label},{pai},s{i}")
    (root / "manifest.csv").write_text("\n".join(lines) + "\n")
    code, found = data("check", "manifest", root, "--split", "subject:0.6/0.2/0.2")
    assert code == 0, found
    assert {side: split["subjects"] for side, split in found["splits"].items()} == {
        "train": 6,
        "dev": 2,
        "test": 2,
    }
    assert found["splits"]["train"]["pai_species"] == {"print": 6}


def test_unreadable_file_is_named(root: Path) -> None:
    (root / "attack" / "print" / "c.mp4").write_text("no video")
    (root / "attack" / "print" / "d.mp4").write_text("")
    code, found = data("check", "folder", root)
    assert code == 1
    assert [line["path"] for line in found["unreadable"]] == [
        "attack/print/c.mp4",
        "attack/print/d.mp4",
    ]
    assert "the file is empty" in found["unreadable"][1]["message"]


def test_missing_videos_are_incomplete_against_the_protocol(tmp_path: Path) -> None:
    folder = tmp_path / "Train_files"
    folder.mkdir()
    (folder / "1_1_01_1.avi").write_bytes(clip(container="avi"))
    code, found = data("check", "oulu_npu", tmp_path, "--protocol", "1")
    assert code == 1
    assert not found["complete"]
    assert found["splits"]["train"]["expected"] == [240, 960]
    assert found["splits"]["train"]["bona_fide"] == 1
    answer = CliRunner().invoke(
        app, ["data", "check", "oulu_npu", str(tmp_path), "--protocol", "1"]
    )
    words = " ".join(answer.stdout.split())
    assert "240 + 960" in words
    assert "incomplete" in words


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["folders", "."], 1, "no data set is called 'folders': did you mean 'folder'?"),
        (["oulu_npu", ".", "--protocol", "5"], 1, ""),
    ],
)
def test_mistakes_say_what_is_known(arguments: list[str], code: int, message: str) -> None:
    answer = CliRunner().invoke(app, ["data", "check", *arguments])
    assert answer.exit_code == code
    assert message in str(answer.exception)


def test_protocol_and_split_exclude_each_other(root: Path) -> None:
    answer = CliRunner().invoke(
        app,
        ["data", "check", "folder", str(root), "--protocol", "folders", "--split", "subject:1/0/0"],
    )
    assert answer.exit_code == 2
    assert "say --protocol or --split" in answer.stderr


def test_decoding_finds_what_the_first_bytes_do_not(root: Path) -> None:
    half = root / "attack" / "print" / "c.mp4"
    half.write_bytes(half.read_bytes()[:600])
    code, found = data("check", "folder", root)
    assert (code, found["unreadable"]) == (0, [])
    code, found = data("check", "folder", root, "--decode")
    assert code == 1
    assert [line["path"] for line in found["unreadable"]] == ["attack/print/c.mp4"]


def test_missing_pictures_of_a_clip_are_a_problem(root: Path) -> None:
    folder = root / "bona_fide" / "pictures"
    folder.mkdir()
    for number in (1, 2, 3, 7):
        (folder / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    code, found = data("check", "folder", root)
    assert code == 1
    assert [line["path"] for line in found["problems"]] == ["bona_fide/pictures"]
    assert "3 is followed by 7" in found["problems"][0]["message"]


def test_the_owners_lists_divide_where_they_are_there(tmp_path: Path) -> None:
    ids = [name for side in oulu_tree.FOLDERS for name in oulu_tree.chosen("4_1", side)]
    files = [path for path in oulu_tree.paths() if Path(path).stem in set(ids)]
    oulu_tree.grow(tmp_path, files)
    for path in files:
        (tmp_path / path).write_bytes(b"RIFF\0\0\0\0AVI ")
    code, found = data("check", "oulu_npu", tmp_path, "--protocol", "4_1")
    assert (code, found["by"]) == (0, "rules")
    oulu_tree.write_lists(tmp_path, ["4_1"])
    code, found = data("check", "oulu_npu", tmp_path, "--protocol", "4_1")
    assert (code, found["by"]) == (0, "lists")
    listed = tmp_path / oulu_tree.list_path("4_1", "Train")
    lines = listed.read_text("utf-8-sig").split()
    listed.write_text("\n".join(line for line in lines if not line.endswith("2_1_01_1")))
    code, found = data("check", "oulu_npu", tmp_path, "--protocol", "4_1")
    assert (code, found["by"]) == (1, "lists")
    assert found["splits"]["train"]["bona_fide"] == 199
    assert "lacks 1 ids that the rule" in found["problems"][0]["message"]


def test_a_set_whose_protocol_shares_subjects_is_counted_by_folders(tmp_path: Path) -> None:
    trees.nuaa_tree(tmp_path)
    for path in tmp_path.rglob("*.jpg"):
        path.write_bytes(b"\xff\xd8\xff\xe0")
    code, found = data("check", "nuaa", tmp_path)
    assert (code, found["presentations"]) == (0, 108)


def test_the_dev_side_of_siw_can_be_chosen(tmp_path: Path) -> None:
    siw_tree.grow(tmp_path)
    numbers = {
        dev: data("check", "siw", tmp_path, "--protocol", "1", "--siw-dev", dev)[1]["splits"]
        for dev in ("bob", "gradiant", "none")
    }
    subjects = {dev: splits["dev"]["subjects"] for dev, splits in numbers.items()}
    assert subjects == {"bob": 2, "gradiant": 2, "none": 0}
    answer = CliRunner().invoke(
        app, ["data", "check", "oulu_npu", str(tmp_path), "--siw-dev", "none"]
    )
    assert answer.exit_code == 2
    assert "--siw-dev is for siw" in answer.stderr
