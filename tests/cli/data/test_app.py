from typer.testing import CliRunner

from vivant.cli.app import app


def test_help_names_every_command_with_its_purpose() -> None:
    answer = CliRunner().invoke(app, ["data", "--help"])
    assert answer.exit_code == 0
    for command in ("list", "check", "cross", "prepare", "info", "preview", "delete"):
        assert f"{command} " in answer.stdout
