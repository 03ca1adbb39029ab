import os
from pathlib import Path

import pytest

from vivant.errors import OutputError
from vivant.files import claim, put_in_place, remove_unfinished, unfinished_path, write_whole


def test_a_text_is_written_with_its_folder_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "new" / "a.json"
    write_whole(path, "größer\n")
    write_whole(path, "größer als\n")
    assert path.read_bytes() == "größer als\n".encode()
    assert [each.name for each in path.parent.iterdir()] == ["a.json"]


def test_content_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    steps: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda number: steps.append(str(_open(number).readlink())))
    replace = Path.replace
    monkeypatch.setattr(
        Path, "replace", lambda old, new: (steps.append("replaced"), replace(old, new))[1]
    )
    write_whole(tmp_path / "a.txt", "text")
    assert steps == [str(unfinished_path(tmp_path / "a.txt")), "replaced", str(tmp_path)]


def _open(number: int) -> Path:
    return Path(f"/proc/self/fd/{number}")


def test_what_fails_leaves_the_old_content_and_no_part(tmp_path, monkeypatch):
    write_whole(tmp_path / "a.txt", "old")

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"cannot write .*a.txt: No space left"):
        write_whole(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_in_place_of_a_file_is_an_output_error(tmp_path):
    (tmp_path / "a").write_text("a file")
    with pytest.raises(OutputError, match="cannot write"):
        write_whole(tmp_path / "a" / "b.txt", "text")


def test_only_what_a_killed_run_left_is_removed(tmp_path):
    left = unfinished_path(tmp_path / "deep" / "a.mp4")
    left.parent.mkdir()
    kept = [tmp_path / name for name in ("a.part", ".hidden.part", "deep/a.mp4")]
    for path in (left, *kept):
        path.write_text("x")
    remove_unfinished(tmp_path)
    assert not left.exists()
    assert all(path.exists() for path in kept)


def test_a_part_without_a_file_cannot_be_put_in_place(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        put_in_place(tmp_path / ".a.1.part", tmp_path / "a")


def test_a_folder_is_claimed_once_and_again_by_the_same(tmp_path):
    identity = {"model": "a", "files": [["x", 1]]}
    claim(tmp_path / "new", "of.json", identity, "others' scores")
    claim(tmp_path / "new", "of.json", identity, "others' scores")
    with pytest.raises(
        OutputError, match=r"has others' scores \(differs in: files, model\): .*name"
    ):
        claim(tmp_path / "new", "of.json", {"model": "b"}, "others' scores")
    with pytest.raises(OutputError, match="delete it, or name another output"):
        claim(tmp_path / "new", "of.json", {}, "others' scores", "another output")


@pytest.mark.parametrize("content", [b"no JSON", b"[1]"])
def test_a_claim_that_is_damaged_is_another_s(tmp_path, content):
    (tmp_path / "of.json").write_bytes(content)
    with pytest.raises(OutputError, match="differs in: all"):
        claim(tmp_path, "of.json", {"model": "a"}, "others' scores")


def test_a_claim_that_is_no_text_says_what_to_delete(tmp_path):
    (tmp_path / "of.json").write_bytes(b"\xff")
    with pytest.raises(OutputError, match="cannot be read: .*Delete"):
        claim(tmp_path, "of.json", {"model": "a"}, "others' scores")
