"""`vivant key`: who may call the service."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

__all__ = ["app"]

app = typer.Typer(name="key", help="Keys of the service's callers.", no_args_is_help=True)

File = Annotated[Path, typer.Option(help="File of keys, for `vivant serve --keys`.")]


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Whose it is: for logs and audit records.")],
    file: File = Path("keys.json"),
    public: Annotated[
        bool,
        typer.Option(
            "--public",
            help="For a page or an app that anybody can take apart: it is told no score.",
        ),
    ] = False,
) -> None:
    """Make a key and print it: the file has its hash alone, nobody can show the key again."""
    from vivant.serving.keys import Level, add_key

    typer.echo(add_key(file, name, Level.PUBLIC if public else Level.TRUSTED))


@app.command("list")
def show(file: File = Path("keys.json")) -> None:
    """Show whose keys a file has. To take one back, delete its entry and start the service anew."""
    from vivant.serving.keys import read_keys

    table = Table(box=None, pad_edge=False)
    for column in ("name", "level"):
        table.add_column(column)
    for key in read_keys(file).keys:
        table.add_row(key.name, key.level.value)
    Console().print(table)
