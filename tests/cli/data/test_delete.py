import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from prepared import filled, prepared, presentation
from vivant.cli.app import app
from vivant.preparation.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [prepared(presentation(name)) for name in ("ana", "abe", "bob")]
    return filled(tmp_path / "store", rows).folder


def delete(folder: Path, *arguments: str, answer: str = "") -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["data", "delete", str(folder), *arguments], input=answer)
    return result.exit_code, result.output, str(result.exception)


def test_store_is_deleted_after_a_question(folder: Path) -> None:
    assert delete(folder, answer="n\n")[0] == 1
    assert folder.exists()
    code, text, _ = delete(folder, answer="y\n")
    assert code == 0
    assert "deleted all of" in text
    assert not folder.exists()


def test_one_subject_is_deleted_and_the_others_stay(folder: Path) -> None:
    code, text, _ = delete(folder, "--subject", "a", "--yes")
    assert code == 0
    assert "deleted all of the subject 'a'" in text
    store = Store(folder)
    assert [row["subject"] for row in store.presentations()] == ["b"]
    assert store.frames().count_rows() == 7


def test_unknown_subject_deletes_nothing(folder: Path) -> None:
    code, _, error = delete(folder, "--subject", "z", "--yes")
    assert code == 1
    assert "holds nothing of a subject 'z'" in error
    assert len(Store(folder).presentations()) == 3


def test_half_deleted_store_can_be_deleted(folder: Path) -> None:
    shutil.rmtree(folder / "presentations.lance")
    assert delete(folder, "--yes")[0] == 0
    assert not folder.exists()


def test_store_behind_a_link_is_deleted(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert delete(tmp_path / "link", "--yes")[0] == 0
    assert not folder.exists()


def test_store_that_is_written_to_is_left_alone(folder: Path) -> None:
    with Store(folder).writing():
        code, _, error = delete(folder, "--yes")
    assert code == 1
    assert "another process writes to" in error
    assert len(Store(folder).presentations()) == 3


def test_folder_that_is_no_store_is_left_alone(tmp_path: Path) -> None:
    code, _, error = delete(tmp_path, "--yes")
    assert code == 1
    assert "expected a folder written by" in error
