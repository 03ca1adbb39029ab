import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from vivant.cli.engine import Address, Engine, EngineName, require_ray_for


def parse(*words: str) -> tuple[int, str]:
    """Exit code and output of a command with both options."""
    app = typer.Typer()

    @app.command()
    def command(engine: Engine = EngineName.LOCAL, address: Address = None) -> None:
        require_ray_for(engine, address=address)
        typer.echo(f"{engine} {address}")

    ended = CliRunner().invoke(app, words)
    return ended.exit_code, ended.output


def test_engine_is_local_unless_another_is_asked_for() -> None:
    assert parse() == (0, "local None\n")
    assert parse("--engine", "ray", "--address", "head:6379") == (0, "ray head:6379\n")


def test_unknown_engine_is_wrong_usage() -> None:
    code, output = parse("--engine", "dask")
    assert code == 2
    assert "ray" in output


def test_address_without_a_cluster_is_wrong_usage() -> None:
    code, output = parse("--address", "head:6379")
    assert code == 2
    assert "--engine ray with --address" in " ".join(output.replace("│", " ").split())


def test_all_options_of_a_cluster_are_named_as_they_are_written() -> None:
    with pytest.raises(
        typer.BadParameter, match="with --workers, --gpus-per-run, got --engine loc"
    ):
        require_ray_for(EngineName.LOCAL, address=None, workers=2, gpus_per_run=0.5)
    require_ray_for(EngineName.LOCAL, address=None, use_gpu=False, gpus_per_run=0.0)
    require_ray_for(EngineName.RAY, address="auto", workers=2)


def test_options_cost_nothing_to_import() -> None:
    """`vivant --help` answers without a cluster's package or torch."""
    program = (
        "import sys, vivant.cli.engine; print([m for m in ('ray', 'torch') if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout == "[]\n"
