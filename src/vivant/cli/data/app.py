"""The commands of `vivant data`."""

import typer

from vivant.cli.data import (
    check,
    cross,
    cues,
    delete,
    info,
    listing,
    prepare,
    preview,
    simulate,
    synthetic,
)

__all__ = ["app"]

app = typer.Typer(
    help="Data sets: from the folder as its owner gave it to training clips.", no_args_is_help=True
)
app.command("list")(listing.list_datasets)
app.command("check")(check.check)
app.command("simulate")(simulate.simulate)
app.command("synthetic")(synthetic.synthetic)
app.command("cross")(cross.cross)
app.command("prepare")(prepare.prepare)
app.command("info")(info.info)
app.command("preview")(preview.preview)
app.command("cues")(cues.cues)
app.command("delete")(delete.delete)
