"""`vivant data preview`: a picture of what the network will see."""

import os
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["preview"]


def preview(
    store: Annotated[str, typer.Argument(help="Written by `vivant data prepare`.")],
    out: Annotated[Path, typer.Option(help="The picture to write: .png or .jpg.")],
    frames: Annotated[int, typer.Option(min=1, max=400, help="How many frames to show.")] = 24,
    seed: Annotated[int, typer.Option(help="Of their choice.")] = 0,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only frames of this PAI species, or of bona_fide; may be repeated."),
    ] = None,
) -> None:
    """Draw random frames of a store: the stored square, the face's mesh on it, its depth map."""
    from PIL import Image

    from vivant.errors import OutputError
    from vivant.preparation.place import to_place
    from vivant.preparation.preview import preview_sheet
    from vivant.preparation.store import Store

    if out.suffix.lower() not in {".png", ".jpg", ".jpeg"}:
        raise typer.BadParameter(f"expected --out to end in .png or .jpg, got {out.name!r}")
    sheet = preview_sheet(Store(to_place(store)), frames, seed, only or ())
    try:
        with open(out, "wb", opener=_private) as file:
            Image.fromarray(sheet).save(file, "PNG" if out.suffix.lower() == ".png" else "JPEG")
    except OSError as error:
        raise OutputError(f"cannot write {out}: {error.strerror or error}") from error
    typer.echo(f"{out}: these are faces, treat it like the store")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
