"""The two tables of a store, and how what was prepared becomes rows of them.

`presentations` has one row for each presentation, refused ones too; `frames` one for each frame
with a face. A frame names its presentation by number, and comes into the store before it does:
frames of no presentation are what a killed process left behind.
"""

import json
from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import pyarrow as pa

from vivant.faces.quality import FaceQuality
from vivant.preparation.record import PreparedFrame, PreparedPresentation
from vivant.records import Label, Presentation, Split

__all__ = ["FRAMES", "PRESENTATIONS", "frame_rows", "presentation_rows", "to_presentation", "told"]

NUM_LANDMARKS = 468
QUALITY = tuple(field.name for field in fields(FaceQuality))

PRESENTATIONS = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),  # `bona_fide` or `attack`
        pa.field("pai_species", pa.string()),
        pa.field("subject", pa.string()),
        pa.field("split", pa.string()),
        pa.field("columns", pa.string(), nullable=False),  # a JSON object of strings
        pa.field("width_px", pa.int32(), nullable=False),
        pa.field("height_px", pa.int32(), nullable=False),
        pa.field("is_still", pa.bool_(), nullable=False),
        pa.field("num_looks", pa.int32(), nullable=False),
        pa.field("num_frames", pa.int32(), nullable=False),
        pa.field("num_bytes", pa.int64(), nullable=False),
        pa.field("sha256", pa.string()),
        pa.field("faults", pa.list_(pa.string()), nullable=False),
        pa.field("refusal", pa.string()),
        pa.field("message", pa.string()),
    ]
)

FRAMES = pa.schema(
    [
        pa.field("presentation", pa.int64(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),
        pa.field("number", pa.int32()),
        pa.field("time_s", pa.float64(), nullable=False),
        pa.field("square", pa.list_(pa.int32(), 3), nullable=False),  # x, y, side in the frame
        pa.field("quarters", pa.int32(), nullable=False),
        pa.field("face", pa.list_(pa.float64(), 4), nullable=False),  # x0 y0 x1 y1 in the frame
        pa.field("crop", pa.large_binary(), nullable=False),
        pa.field("depth", pa.large_binary()),
        pa.field("landmarks", pa.list_(pa.float32(), 3 * NUM_LANDMARKS), nullable=False),
        *(pa.field(name, pa.float32(), nullable=False) for name in QUALITY),
        pa.field("faults", pa.list_(pa.string()), nullable=False),
    ]
)


def presentation_rows(prepared: Sequence[PreparedPresentation], first_id: int) -> pa.Table:
    """Rows of `PRESENTATIONS`, numbered from `first_id`."""
    rows = []
    for number, each in enumerate(prepared, start=first_id):
        rows.append(
            {
                "id": number,
                **told(each.presentation),
                "width_px": each.width_px,
                "height_px": each.height_px,
                "is_still": each.is_still,
                "num_looks": each.num_looks,
                "num_frames": len(each.frames),
                "num_bytes": each.num_bytes,
                "sha256": each.sha256,
                "faults": list(each.faults),
                "refusal": each.refusal,
                "message": each.message,
            }
        )
    return pa.Table.from_pylist(rows, schema=PRESENTATIONS)


def told(row: Presentation) -> dict[str, object]:
    """What a data set says of a presentation, as columns of `PRESENTATIONS`."""
    return {
        "path": row.path,
        "label": row.label.name.lower(),
        "pai_species": row.pai_species,
        "subject": row.subject,
        "split": row.split.value if row.split else None,
        "columns": json.dumps(dict(row.columns)),
    }


def frame_rows(prepared: Sequence[PreparedPresentation], first_id: int) -> pa.Table:
    """Rows of `FRAMES` of presentations that are numbered from `first_id`."""
    rows = [
        _frame_row(frame, number)
        for number, each in enumerate(prepared, start=first_id)
        for frame in each.frames
    ]
    return pa.Table.from_pylist(rows, schema=FRAMES)


def to_presentation(row: dict[str, object]) -> Presentation:
    """The presentation of a row of `PRESENTATIONS`."""
    split = row["split"]
    return Presentation(
        str(row["path"]),
        Label[str(row["label"]).upper()],
        _text(row["pai_species"]),
        _text(row["subject"]),
        Split(str(split)) if split else None,
        json.loads(str(row["columns"])),
    )


def _frame_row(frame: PreparedFrame, presentation: int) -> dict[str, object]:
    box, face = frame.square.box, frame.face
    return {
        "presentation": presentation,
        "position": frame.position,
        "number": frame.number,
        "time_s": frame.time_s,
        "square": [box.x, box.y, box.side_px],
        "quarters": frame.square.quarters,
        "face": [face.x0, face.y0, face.x1, face.y1],
        "crop": frame.crop,
        "depth": frame.depth,
        "landmarks": frame.landmarks.astype(np.float32).reshape(-1),
        **{name: getattr(frame.quality, name) for name in QUALITY},
        "faults": list(frame.faults),
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)
