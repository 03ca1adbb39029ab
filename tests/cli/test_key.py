"""`vivant key`: prints a key once, keeps its hash."""

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from commands import run
from vivant.cli.app import app
from vivant.errors import InputError
from vivant.serving.keys import Level, read_keys


def key(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["key", *map(str, arguments)])


def test_key_is_printed_alone_and_the_file_has_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    answer = key("add", "backend", "--file", path)
    assert answer.exit_code == 0
    secret = answer.stdout.removesuffix("\n")
    assert secret.startswith("vivant_")
    assert secret.split() == [secret]
    assert secret not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = read_keys(path).find(secret)
    assert found is not None
    assert (found.name, found.level) == ("backend", Level.TRUSTED)


def test_public_key_is_told_no_score(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    secret = key("add", "page", "--public", "--file", path).stdout.strip()
    found = read_keys(path).find(secret)
    assert found is not None
    assert found.level is Level.PUBLIC


def test_list_shows_names_and_levels_and_no_hash(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    secrets = [key("add", name, "--file", path).stdout.strip() for name in ("one", "two")]
    key("add", "page", "--public", "--file", path)
    answer = key("list", "--file", path)
    assert answer.exit_code == 0
    rows = [line.split() for line in answer.stdout.splitlines()]
    assert rows == [["name", "level"], ["one", "trusted"], ["two", "trusted"], ["page", "public"]]
    hashes = [entry["sha256"] for entry in json.loads(path.read_text())["keys"]]
    for word in (*secrets, *hashes):
        assert word not in answer.output


def test_without_a_file_it_is_keys_json_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    key("add", "backend")
    assert [one.name for one in read_keys(Path("keys.json")).keys] == ["backend"]


@pytest.mark.parametrize("arguments", [["add"], ["add", "a", "b"], ["list", "a"], ["show"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    assert key(*arguments).exit_code == 2


def test_name_that_is_taken_prints_no_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key("add", "backend", "--file", path)
    answer = key("add", "backend", "--file", path)
    assert isinstance(answer.exception, InputError)
    assert "choose another name" in str(answer.exception)
    assert "vivant_" not in answer.output


def test_file_that_is_not_there_cannot_be_listed(tmp_path: Path) -> None:
    answer = key("list", "--file", tmp_path / "gone.json")
    assert isinstance(answer.exception, InputError)
    assert "gone.json: No such file" in str(answer.exception)


def test_mistake_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text("damaged")
    answer = run("key", "add", "backend", "--file", path)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("Error: ")
    assert "is no file of keys" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert path.read_text() == "damaged"
