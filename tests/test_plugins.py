import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from vivant import plugins
from vivant.errors import UnknownNameError
from vivant.plugins import discover, find


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of plug-ins."""
    package = tmp_path / "attacks_for_test"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield package
    for name in [name for name in sys.modules if name.startswith("attacks_for_test")]:
        del sys.modules[name]


def test_new_file_is_found_without_a_registry(folder: Path) -> None:
    (folder / "print.py").write_text("__all__ = ['paper']\ndef paper(): return 'print'\n")
    (folder / "screen.py").write_text(
        "__all__ = ['phone', 'Kind']\nclass Kind: pass\ndef phone(): return 1\ndef _hidden(): ...\n"
    )
    assert list(discover("attacks_for_test")) == ["paper", "phone"]
    assert find("attacks_for_test", "paper", "attack")() == "print"


def test_unknown_name_gets_the_known_and_the_nearest(folder: Path) -> None:
    (folder / "print.py").write_text("__all__ = ['paper']\ndef paper(): ...\n")
    with pytest.raises(UnknownNameError) as caught:
        find("attacks_for_test", "papre", "attack")
    assert str(caught.value) == "no attack is called 'papre': did you mean 'paper'? Known: paper"
    with pytest.raises(UnknownNameError, match=r"no attack is called 'xyz'. Known: paper"):
        find("attacks_for_test", "xyz", "attack")


def test_other_packages_add_plug_ins_and_never_replace_ours(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "print.py").write_text("__all__ = ['paper']\ndef paper(): return 'ours'\n")
    group = "attacks_for_test"
    foreign = [EntryPoint(name, "os:getcwd", group) for name in ("paper", "mask")]
    monkeypatch.setattr(plugins, "entry_points", lambda group: foreign)
    assert list(discover("attacks_for_test")) == ["mask", "paper"]
    assert find("attacks_for_test", "paper", "attack")() == "ours"


def test_single_module_may_hold_plug_ins() -> None:
    assert "model_d" in discover("vivant.networks.models")
