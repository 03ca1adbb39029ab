"""What the documents say is so: references, examples, and the README's commands."""

import importlib.util
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from commands import run as vivant

ROOT = Path(__file__).parents[1]
# Those of servers ask one that listens: tests/serving/test_docs_serving.py, export/test_docs_triton.py.
CLIENTS = {"serve_client.py", "triton_client.py"}
EXAMPLES = sorted(
    path for path in (ROOT / "docs" / "examples").glob("*.py") if path.name not in CLIENTS
)
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_paper_s_references_stand_where_it_says() -> None:
    answer = run("scripts/number_paper_lines.py")
    assert answer.returncode == 0, answer.stdout


def test_moved_and_missing_names_are_noticed() -> None:
    path = ROOT / "scripts" / "number_paper_lines.py"
    spec = importlib.util.spec_from_file_location("number_paper_lines", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    moved = "[fusion.py:1 fuse](../src/vivant/networks/fusion.py#L1)"
    right, unknown = module.numbered(moved)
    assert not unknown
    assert right != moved
    assert module.numbered(right) == (right, [])
    gone = moved.replace("fuse]", "unfuse]")
    assert module.numbered(gone) == (gone, [gone])


def test_every_decision_that_the_code_names_is_written_down() -> None:
    written = set(re.findall(r"\*\*D(\d+)", (ROOT / "docs" / "paper.md").read_text()))
    sources = [path.read_text() for path in (ROOT / "src").rglob("*.py")]
    named = {number for text in sources for number in re.findall(r"\bD(\d+)b?\b", text)}
    assert named <= written, f"D{sorted(named - written)} stand nowhere in docs/paper.md"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", path.read_text()):
        assert "://" in target or (path.parent / target).exists(), f"{path.name}: {target}"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_run(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a program, but in this process: a warning is an error here, too."""
    runpy.run_path(str(path), run_name="__main__")
    assert "UNTRAINED" in capsys.readouterr().out


def test_readme_s_commands_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make ([\w-]+)", readme, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    commands = set(re.findall(r"^vivant ((?:(?:model|data) )?\w+)", readme, re.MULTILINE))
    assert commands, "none is found"
    for command in commands:
        answer = vivant(*command.split(), "--help")
        assert answer.returncode == 0, command
