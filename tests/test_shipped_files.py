"""What the package needs is in the repository: an ignored file is missing from every clone."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_no_file_of_the_package_is_ignored_by_git() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a git checkout")
    command = ["git", "ls-files", "--others", "--ignored", "--exclude-standard", "--", "src"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    ignored = [
        line
        for line in answer.stdout.splitlines()
        if "__pycache__" not in line and ".egg-info" not in line
    ]
    assert ignored == []


def test_each_card_of_a_shipped_model_has_its_weights() -> None:
    cards = sorted((ROOT / "src").rglob("models/*.onnx.json"))
    assert cards
    for card in cards:
        assert card.with_suffix("").is_file()


def test_each_vendored_file_stands_in_the_notice_with_its_hash() -> None:
    notice = (ROOT / "NOTICE").read_text("utf-8")
    vendored = sorted((ROOT / "src" / "vivant" / "serving" / "page" / "vendor").iterdir())
    assert any(path.name.startswith("LICENSE") for path in vendored)
    programs = [path for path in vendored if path.suffix in (".mjs", ".gz")]
    assert len(programs) == 2
    for path in programs:
        assert path.name in notice
        assert hashlib.sha256(path.read_bytes()).hexdigest() in notice


def test_each_shipped_network_stands_in_the_notice_with_its_hash() -> None:
    notice = (ROOT / "NOTICE").read_text("utf-8")
    networks = sorted((ROOT / "src").rglob("*.onnx"))
    assert networks
    for network in networks:
        assert network.relative_to(ROOT / "src").as_posix() in notice
        assert hashlib.sha256(network.read_bytes()).hexdigest() in notice


def test_wheel_has_every_file_of_the_package_and_the_licence() -> None:
    """`.ci/run` also installs it into an empty environment and checks a clip there."""
    command = [sys.executable, "scripts/check_wheel.py", "--files-only"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
