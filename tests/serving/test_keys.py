"""Keys: who may call. The file must be of no use to whoever steals it."""

import hashlib
import json
import re
import stat
from pathlib import Path

import pytest

from vivant.errors import InputError, OutputError
from vivant.serving.keys import Keys, Level, add_key, read_keys


def test_file_has_the_hash_of_a_key_and_never_the_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    secret = add_key(path, "backend", Level.TRUSTED)
    content = path.read_text()
    assert secret not in content
    assert secret.removeprefix("vivant_") not in content
    assert json.loads(content) == {
        "keys": [
            {
                "name": "backend",
                "level": "trusted",
                "sha256": hashlib.sha256(secret.encode()).hexdigest(),
            }
        ]
    }
    assert [entry.name for entry in tmp_path.iterdir()] == ["keys.json"]


def test_file_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    add_key(path, "one", Level.TRUSTED)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    add_key(path, "two", Level.TRUSTED)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_mode_that_somebody_chose_stays(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    add_key(path, "one", Level.TRUSTED)
    path.chmod(0o640)  # For the group of the service.
    add_key(path, "two", Level.TRUSTED)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_key_has_256_random_bits(tmp_path: Path) -> None:
    secrets = [add_key(tmp_path / "keys.json", f"key{i}", Level.PUBLIC) for i in range(20)]
    assert len(set(secrets)) == 20
    for secret in secrets:
        assert re.fullmatch(r"vivant_[A-Za-z0-9_-]{43}", secret)  # 43 * 6 bits >= 256.


def test_each_key_finds_its_own_caller(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    backend = add_key(path, "backend", Level.TRUSTED)
    page = add_key(path, "page", Level.PUBLIC)
    keys = read_keys(path)
    found = [keys.find(secret) for secret in (backend, page)]
    assert [(key.name, key.level) for key in found if key] == [
        ("backend", Level.TRUSTED),
        ("page", Level.PUBLIC),
    ]


def test_what_is_no_key_finds_nobody(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    secret = add_key(path, "backend", Level.TRUSTED)
    keys = read_keys(path)
    digest = keys.keys[0].sha256
    wrong = ["", " ", secret[:-1], secret + "x", secret.upper(), f" {secret}", "backend", digest]
    wrong += ["vivant_", "ключ", "\udcff\udc80"]
    for one in wrong:
        assert keys.find(one) is None, one


def test_name_is_taken_once_and_the_file_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    add_key(path, "backend", Level.TRUSTED)
    before = path.read_bytes()
    with pytest.raises(InputError, match="has a key named backend: choose another name"):
        add_key(path, "backend", Level.PUBLIC)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "a\n", "x" * 65, 'a"b', "../a", "\x1b[2J"])
def test_name_that_would_muddle_a_log_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="expected a name of letters, digits, dots and dashes"):
        add_key(tmp_path / "keys.json", name, Level.TRUSTED)
    assert not (tmp_path / "keys.json").exists()


@pytest.mark.parametrize("name", ["a", "back-end.1_b", "x" * 64])
def test_plain_names_are_taken(tmp_path: Path, name: str) -> None:
    add_key(tmp_path / "keys.json", name, Level.TRUSTED)
    assert read_keys(tmp_path / "keys.json").keys[0].name == name


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"vivant",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"keys": [{"name": "a", "level": "root", "sha256": "' + b"0" * 64 + b'"}]}',
        b'{"keys": [{"name": "a", "level": "trusted", "sha256": "' + b"0" * 63 + b'"}]}',
        b'{"keys": [{"name": "a", "level": "trusted", "sha256": "' + b"A" * 64 + b'"}]}',
        b'{"keys": [], "more": 1}',
    ],
)
def test_damaged_file_is_refused_and_never_read_as_no_keys(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"keys\.json is no file of keys: .*`vivant key add`"):
        read_keys(path)
    with pytest.raises(InputError, match="is no file of keys"):
        add_key(path, "backend", Level.TRUSTED)
    assert path.read_bytes() == content


def test_file_without_a_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text('{"keys": []}')
    with pytest.raises(InputError, match="has no key: add one with `vivant key add`"):
        read_keys(path)


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read the keys .*gone\.json: No such file"):
        read_keys(tmp_path / "gone.json")


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write .*keys\.json"):
        add_key(tmp_path / "file" / "keys.json", "backend", Level.TRUSTED)


def test_all_keys_are_compared_whichever_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(3)]
    keys = Keys.model_validate(
        {"keys": [{"name": f"k{i}", "level": "public", "sha256": d} for i, d in enumerate(digests)]}
    )
    compared: list[str] = []

    def compare(one: str, other: str) -> bool:
        compared.append(one)
        return one == other

    monkeypatch.setattr("vivant.serving.keys.hmac.compare_digest", compare)
    found = keys.find("0")
    assert found is not None
    assert found.name == "k0"
    assert compared == digests
