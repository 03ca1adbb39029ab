"""`vivant data list`: the data sets that can be read."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from vivant.plugins import discover

__all__ = ["DATASETS", "Json", "list_datasets"]

DATASETS = "vivant.datasets"

Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def list_datasets(as_json: Json = False) -> None:
    """Name the data sets that can be read, and their protocols."""
    found = {name: list(build().protocols) for name, build in discover(DATASETS).items()}
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("data set", "protocols", box=None, pad_edge=False)
    for name, protocols in found.items():
        table.add_row(name, ", ".join(protocols) or "by folders or --split")
    Console().print(table)
