"""Prepared presentations and stores for tests, made up without decoding anything."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from vivant.faces.quality import FaceQuality
from vivant.geometry.crop import CropBox
from vivant.preparation.manifest import current_manifest
from vivant.preparation.record import PreparedFrame, PreparedPresentation
from vivant.preparation.settings import PreparationSettings
from vivant.preparation.square import Square
from vivant.preparation.store import Store
from vivant.records import FaceBox, Label, Presentation, Split

QUALITY = FaceQuality(100.0, 1.0, 120.0, 0.0, 40.0, 0.4, 1.0, 2.0, 3.0, 20.0)
SIDE = 64


def presentation(name: str, label: Label = Label.BONA_FIDE, **fields: object) -> Presentation:
    species = None if label is Label.BONA_FIDE else "print"
    fields = {"subject": name[0], "split": Split.TRAIN, "columns": {"phone": "1"}} | fields
    return Presentation(f"videos/{name}.mp4", label, species, **fields)


def presentations(num: int) -> list[Presentation]:
    """Bona fide ones and attacks in turn."""
    return [presentation(f"{i:03d}", Label(i % 2)) for i in range(num)]


def picture(grey: int) -> np.ndarray:
    """A coarse pattern about a grey level, which JPEG keeps."""
    pattern = np.full((SIDE, SIDE, 3), grey, np.uint8)
    pattern[: SIDE // 2, : SIDE // 2, 0] += 40
    pattern[SIDE // 2 :, SIDE // 2 :, 2] += 40
    return pattern


def encoded(pixels: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=95)
    return file.getvalue()


def frame(
    position: int = 0,
    *,
    face_x: float = 100.0,
    faults: tuple[str, ...] = (),
    depth: np.ndarray | None = None,
    with_depth: bool = True,
) -> PreparedFrame:
    """A frame of 320x240 with a face of 36 pixels and its square of 64, ten a second."""
    if depth is None:
        depth = np.zeros((SIDE, SIDE), np.uint8)
        depth[16:48, 16:48] = 200
    x = round(face_x) - 14
    return PreparedFrame(
        position,
        3 * position,
        position / 10,
        Square(CropBox(x, 60, SIDE), 4),
        FaceBox(face_x, 74.0, face_x + 36, 110.0),
        encoded(picture(60 + 10 * position % 100), "JPEG"),
        np.zeros((468, 3)),
        encoded(depth, "PNG") if with_depth else None,
        QUALITY,
        faults,
    )


def prepared(
    row: Presentation, frames: Sequence[PreparedFrame] | None = None, **fields: object
) -> PreparedPresentation:
    if frames is None:
        is_attack = row.label is Label.ATTACK
        frames = [frame(i, with_depth=not is_attack) for i in range(7)]
    fields = {"num_looks": len(frames), "width_px": 320, "height_px": 240, "num_bytes": 1000,
              "sha256": "0" * 64} | fields  # fmt: skip
    return PreparedPresentation(row, tuple(frames), **fields)


def new_store(folder: Path, settings: PreparationSettings | None = None) -> Store:
    return Store.create(
        folder, current_manifest("folder", settings or PreparationSettings(), is_synthetic=False)
    )


def filled(folder: Path, rows: Sequence[PreparedPresentation]) -> Store:
    store = new_store(folder)
    with store.writing() as writer:
        writer.append(rows)
    return store


def content(store: Store) -> list[tuple[object, ...]]:
    """All that is stored, without the order in which it came."""
    paths = {row["id"]: row["path"] for row in store.presentations()}
    rows = store.frames().to_table().to_pylist()
    frames = [(paths[row.pop("presentation")], *map(str, row.values())) for row in rows]
    told = [tuple(str(v) for k, v in row.items() if k != "id") for row in store.presentations()]
    return sorted(frames) + sorted(told)


def made_up_work() -> Callable[[Presentation], PreparedPresentation]:
    """Work for `vivant.parallel`: each presentation gets seven frames, `bad` ones a refusal."""

    def work(row: Presentation) -> PreparedPresentation:
        if "bad" in row.path:
            return PreparedPresentation(row, refusal="CORRUPT_MEDIA", message="damaged")
        if "slow" in row.path:
            return PreparedPresentation(row, refusal="TIMEOUT", message="try again")
        return prepared(row)

    return work
