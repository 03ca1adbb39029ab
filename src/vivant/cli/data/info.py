"""`vivant data info`: what is in a prepared store."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vivant.cli.data.listing import Json

__all__ = ["info"]


def info(
    store: Annotated[str, typer.Argument(help="Written by `vivant data prepare`.")],
    as_json: Json = False,
) -> None:
    """Count what is in a store, what was refused and why, and what made it."""
    from vivant.preparation.info import describe
    from vivant.preparation.place import to_place
    from vivant.preparation.store import Store

    content = describe(Store(to_place(store)))
    if as_json:
        typer.echo(json.dumps(content, indent=2))
    else:
        _print(store, content)


def _print(folder: str, content: dict[str, Any]) -> None:
    console = Console()
    kinds = sorted({kind for side in content["splits"].values() for kind in side})
    mark = " (SYNTHETIC)" if content["is_synthetic"] else ""
    title = f"{folder}: {content['dataset']}{mark}"
    table = Table("split", title=Text(title), title_justify="left")
    for kind in kinds:
        table.add_column(kind.replace("_", " "), justify="right")
    for side, counts in content["splits"].items():
        table.add_row(side, *(f"{counts.get(kind, 0):,}" for kind in kinds))
    console.print(table)
    share = content["usable_frames"] / content["frames"] if content["frames"] else 0.0
    lines = (
        f"{content['presentations']:,} presentations of {content['subjects']:,} subjects, "
        f"{sum(content['refusals'].values()):,} refused",
        f"{content['frames']:,} frames with a face, {share:.1%} without a fault; "
        f"{content['without_depth']:,} bona fide ones without depth",
        f"{content['num_bytes'] / 2**20:,.1f} MiB; fingerprint {content['fingerprint'][:16]}",
    )
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    for title, key in (
        ("refused", "refusals"),
        ("faults of frames", "faults"),
        ("faults of clips", "clip_faults"),
    ):
        if content[key]:
            listed = ", ".join(f"{code} {count:,}" for code, count in content[key].items())
            console.print(f"{title}: {listed}", soft_wrap=True, highlight=False)
    for programs in content["programs"]:
        listed = ", ".join(f"{name} {number}" for name, number in programs.items())
        console.print(f"made by {listed}", soft_wrap=True, highlight=False)
    for name, digest in content["models"].items():
        console.print(f"faces by {name} {digest}", soft_wrap=True, highlight=False)
