"""`vivant data list`: the data sets that can be read; and how the other commands name one."""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from vivant.plugins import discover, find

if TYPE_CHECKING:
    from vivant.datasets.dataset import DataSet

__all__ = ["DATASETS", "Json", "SiwDev", "find_data_set", "list_datasets"]

DATASETS = "vivant.datasets"

Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
SiwDev = Annotated[
    str | None,
    typer.Option(help="SiW alone: whose choice of a dev side: bob (default), gradiant, none."),
]


def find_data_set(name: str, siw_dev: str | None) -> "DataSet":
    """The data set of that name.

    Args:
        name: As in `vivant data list`.
        siw_dev: The dev side of SiW; None: the usual one.
    """
    build = find(DATASETS, name, "data set")
    if siw_dev is not None and name != "siw":
        raise typer.BadParameter(f"--siw-dev is for siw, and this is {name}")
    found: DataSet = build() if siw_dev is None else build(siw_dev)
    return found


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
