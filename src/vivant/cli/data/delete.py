"""`vivant data delete`: removes a prepared store, or one person from it."""

from typing import Annotated

import typer

__all__ = ["delete"]


def delete(
    store: Annotated[str, typer.Argument(help="Written by `vivant data prepare`.")],
    subject: Annotated[
        str | None, typer.Option(help="Only this subject's presentations, from every version.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a store, or all that it holds of one subject, from the disk.

    Copies, backups and models that were trained on it are not touched, and `vivant data prepare`
    brings back whoever is still in the data set's folder.
    """
    from vivant.errors import DataError
    from vivant.preparation.place import to_place
    from vivant.preparation.store import Store, delete_store

    place = to_place(store)
    what = f"all of {store}" if subject is None else f"all of the subject {subject!r} in {store}"
    opened = Store(place)
    if not yes:
        typer.confirm(f"Delete {what}?", abort=True)
    if subject is None:
        delete_store(place)
    else:
        with opened.writing() as writer:
            rows = opened.presentations(["id", "subject"])
            chosen = [row["id"] for row in rows if row["subject"] == subject]
            if not chosen:
                raise DataError(f"{store} holds nothing of a subject {subject!r}")
            writer.remove(chosen)
            writer.tidy()
    typer.echo(f"deleted {what}")
