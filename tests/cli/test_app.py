import subprocess
import sys

import pytest

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
sys.argv = ["vivant", *sys.argv[1:]]
main()
"""


def vivant(*arguments: str, code: str = "from vivant.cli.app import main; main()"):
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_version_is_the_packages() -> None:
    assert vivant("--version").stdout.strip() == f"vivant {__version__}"


def test_help_names_every_command() -> None:
    answer = vivant("--help")
    assert answer.returncode == 0
    for command in ("check", "score", "data", "doctor", "model", "export"):
        assert command in answer.stdout


@pytest.mark.parametrize("arguments", [["chek"], ["--colour"], ["model", "summary"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    answer = vivant(*arguments)
    assert answer.returncode == 2
    assert "Usage: " in answer.stderr
    assert "Traceback" not in answer.stderr


def test_caller_s_mistake_is_one_line_and_exit_code_1() -> None:
    answer = vivant("model", "summary", "modeld")
    assert answer.returncode == 1
    assert answer.stderr.startswith("Error: no model is called 'modeld': did you mean 'model_d'?")
    assert answer.stderr.count("\n") == 1


def test_command_line_starts_without_torch() -> None:
    answer = vivant("model", "list", code=TORCHLESS)
    assert answer.returncode == 0
    assert "model_d" in answer.stdout


def test_command_that_needs_torch_says_how_to_get_it() -> None:
    answer = vivant("model", "summary", "lite", code=TORCHLESS)
    assert answer.returncode == 1
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
