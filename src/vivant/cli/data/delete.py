"""`vivant data delete`: removes a prepared store, or one person from it."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["delete"]


def delete(
    store: Annotated[Path, typer.Argument(help="Written by `vivant data prepare`.")],
    subject: Annotated[
        str | None, typer.Option(help="Only this subject's presentations, from every version.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a store, or all that it holds of one subject, from the disk.

    Copies, backups and models that were trained on it are not touched.
    """
    from vivant.errors import DataError
    from vivant.preparation.store import Store, delete_store

    opened = Store(store)
    rows = opened.presentations(["id", "subject"])
    chosen = [row["id"] for row in rows if subject is None or row["subject"] == subject]
    if subject is not None and not chosen:
        raise DataError(f"{store} holds nothing of a subject {subject!r}: see `vivant data info`")
    what = f"{len(chosen):,} of {len(rows):,} presentations in {store}"
    if not yes:
        typer.confirm(f"Delete {what}?", abort=True)
    if subject is None:
        delete_store(store)
    else:
        with opened.writing() as writer:
            writer.remove(chosen)
            writer.tidy()
    typer.echo(f"deleted {what}")
