"""What holds for every command; three real processes show what no test in its own process can."""

import subprocess
import sys

import pytest

from commands import run
from vivant import __version__
from vivant.cli import app

TORCHLESS = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "safetensors", "onnx", "onnxscript"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, NoTorch())
from vivant.cli.app import main
codes = []
for words in (["model", "list"], ["model", "summary", "lite"]):
    sys.argv = ["vivant", *words]
    try:
        main()
    except SystemExit as ended:
        codes.append(ended.code or 0)
print(codes)
"""


def start(*command: str) -> "subprocess.CompletedProcess[str]":
    """Python in a process of its own."""
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)


def test_version_is_the_packages() -> None:
    assert run("--version").stdout.strip() == f"vivant {__version__}"


def test_help_names_every_command() -> None:
    answer = start("-m", "vivant", "--help")
    assert answer.returncode == 0
    for command in ("check", "score", "data", "doctor", "model", "export"):
        assert command in answer.stdout


@pytest.mark.parametrize("arguments", [["chek"], ["--colour"], ["model", "summary"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    answer = run(*arguments)
    assert answer.returncode == 2
    assert "Usage: " in answer.stderr
    assert "Traceback" not in answer.stderr


def test_caller_s_mistake_is_one_line_and_exit_code_1() -> None:
    """The code of `main` is the process's, as a shell sees it."""
    answer = start("-m", "vivant", "model", "summary", "modeld")
    assert answer.returncode == 1
    assert answer.stderr.startswith("Error: no model is called 'modeld': did you mean 'model_d'?")
    assert answer.stderr.count("\n") == 1


def test_command_line_needs_torch_only_where_it_is_used_and_says_how_to_get_it() -> None:
    answer = start("-c", TORCHLESS)
    assert answer.stdout.splitlines()[-1] == "[0, 1]"
    assert "model_d" in answer.stdout
    assert answer.stderr.strip() == (
        "Error: this needs torch, which is not installed: pip install 'vivant[train]'"
    )


def test_our_own_missing_module_is_not_blamed_on_the_caller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> None:
        raise ModuleNotFoundError("No module named 'vivant.nowhere'", name="vivant.nowhere")

    monkeypatch.setattr(app, "app", broken)
    with pytest.raises(ModuleNotFoundError):
        app.main()
