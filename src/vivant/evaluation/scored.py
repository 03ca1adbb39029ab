"""What a model says of each presentation of a side, clip by clip: kept as one Parquet file."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float

from vivant.errors import DataError
from vivant.evaluation.scores import ScoredRow, ScoreTable
from vivant.files import write_whole
from vivant.records import Label, Presentation, Split
from vivant.session.verdict import WindowResult

__all__ = ["PARTS", "Part", "ScoredClip", "ScoredPresentation", "load_scored", "save_scored"]

Part = Literal["fused", "advisor", "aam"]
PARTS: tuple[Part, ...] = ("fused", "advisor", "aam")
"""Whose bona fide score: the whole network's, or one of its modules' alone."""
Unit = Literal["video", "clip"]
"""What counts as one: a presentation, by the mean over its clips (D24), or each clip."""

_LISTS = ("advisor_embedding", "aam_embedding", "fused_feature")
_FLOATS = ("score", "advisor", "aam", "displacement_px")
_SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("pai", pa.string()),
        pa.field("subject", pa.string()),
        pa.field("columns", pa.string(), nullable=False),  # a JSON object of strings
        pa.field("window", pa.int32()),  # null: it has no clip
        *(pa.field(name, pa.float64()) for name in _FLOATS),
        pa.field("reasons", pa.list_(pa.string()), nullable=False),
        *(pa.field(name, pa.list_(pa.float32())) for name in _LISTS),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class ScoredClip:
    """One clip; higher is bona fide, 0..1."""

    score: float
    """Of the whole network."""
    advisor: float
    aam: float | None
    """None where the model has no Attended-Auxiliary Module; so are the fields below but one."""
    displacement_px: float | None
    """How far the offsets moved the patches, the mean, in pixels of a crop of 224."""
    advisor_embedding: Float[np.ndarray, " hidden"]
    aam_embedding: Float[np.ndarray, " width"] | None
    fused_feature: Float[np.ndarray, " z"] | None

    @classmethod
    def of_window(cls, window: WindowResult) -> "ScoredClip":
        """Of what a session says of a clip."""
        return cls(
            _within(window.bona_fide_score),
            _within(window.advisor_score),
            None if window.aam_score is None else _within(window.aam_score),
            window.displacement_px,
            window.advisor_embedding,
            window.aam_embedding,
            window.fused_feature,
        )

    def of_part(self, part: Part) -> float | None:
        """The score of a part."""
        return {"fused": self.score, "advisor": self.advisor, "aam": self.aam}[part]


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPresentation:
    """One presentation; without a clip where nothing could be scored."""

    presentation: Presentation
    split: Split
    """The protocol's side."""
    clips: tuple[ScoredClip, ...]
    reasons: tuple[str, ...]
    """Codes: why there is no answer, whatever the clips' scores are; else empty."""

    def __post_init__(self) -> None:
        # What nobody could score has to say why: it must not get lost among the answers.
        assert self.clips or self.reasons

    def of_part(self, part: Part) -> float | None:
        """The mean over the clips of a part's score; None where there is no answer."""
        found = [clip.of_part(part) for clip in self.clips]
        scores = [score for score in found if score is not None]
        if self.reasons or len(scores) < len(found):
            return None
        return math.fsum(scores) / len(scores)


def _within(score: float) -> float:
    """A score in 0..1: float32 may round one beyond. NaN stays, and is refused when it is read."""
    return score if math.isnan(score) else min(max(score, 0.0), 1.0)


def to_table(rows: Sequence[ScoredPresentation], part: Part, unit: Unit) -> ScoreTable:
    """What the metrics are computed of.

    Args:
        rows: Scored.
        part: Whose score.
        unit: A line for each presentation, or for each of its clips. One without an answer is one
            line in any case.
    """
    lines = []
    for row in rows:
        shown = row.presentation
        scores: list[float | None] = [row.of_part(part)]
        if unit == "clip" and not row.reasons:
            scores = [clip.of_part(part) for clip in row.clips]
        columns = {**shown.columns, "path": shown.path, "split": row.split.value}
        if shown.subject is not None:
            columns["subject"] = shown.subject
        lines += [
            ScoredRow(shown.label, shown.pai_species, score, shown.subject, columns)
            for score in scores
        ]
    return ScoreTable(tuple(lines))


def parts_of(rows: Sequence[ScoredPresentation]) -> tuple[Part, ...]:
    """The parts that have scores: a network without a second module is its Advisor."""
    has_aam = any(clip.aam is not None for row in rows for clip in row.clips)
    return PARTS if has_aam else ("fused",)


def save_scored(path: Path, rows: Sequence[ScoredPresentation]) -> None:
    """Write a Parquet file: a row for each clip, one for each presentation without.

    Raises:
        OutputError: it cannot be written.
    """
    lines = [line for row in rows for line in _lines(row)]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(lines, schema=_SCHEMA), sink, compression="zstd")
    write_whole(path, sink.getvalue().to_pybytes())


def load_scored(path: Path) -> tuple[ScoredPresentation, ...]:
    """Read what `save_scored` wrote.

    Raises:
        DataError: it cannot be read, or is not such a file.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"expected a Parquet file of scores at {path}: {error}") from error
    missing = [name for name in _SCHEMA.names if name not in table.schema.names]
    if missing:
        raise DataError(
            f"expected the scores of `vivant evaluate` at {path}, {', '.join(missing)} missing"
        )
    found: dict[str, list[dict[str, Any]]] = {}
    for line in table.to_pylist():
        found.setdefault(line["path"], []).append(line)
    try:
        return tuple(_scored(lines) for lines in found.values())
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise DataError(f"the scores at {path} are damaged: {error!r}") from error


def _lines(row: ScoredPresentation) -> list[dict[str, Any]]:
    shown = row.presentation
    told = {
        "path": shown.path,
        "split": row.split.value,
        "label": shown.label.name.lower(),
        "pai": shown.pai_species,
        "subject": shown.subject,
        "columns": json.dumps(dict(shown.columns)),
        "reasons": list(row.reasons),
    }
    if not row.clips:
        return [{**told, "window": None, **dict.fromkeys((*_FLOATS, *_LISTS))}]
    return [
        told
        | {"window": number}
        | {name: getattr(clip, name) for name in _FLOATS}
        | {name: getattr(clip, name) for name in _LISTS}
        for number, clip in enumerate(row.clips)
    ]


def _scored(lines: Sequence[dict[str, Any]]) -> ScoredPresentation:
    first = lines[0]
    shown = Presentation(
        first["path"],
        Label[first["label"].upper()],
        first["pai"],
        first["subject"],
        columns=json.loads(first["columns"]),
    )
    clips = [
        ScoredClip(
            *(line[name] for name in _FLOATS),
            *(None if line[name] is None else np.array(line[name], np.float32) for name in _LISTS),
        )
        for line in lines
        if line["window"] is not None
    ]
    if any(not 0 <= clip.score <= 1 for clip in clips):  # NaN and null too.
        raise ValueError(f"{shown.path}: expected scores in 0..1")
    return ScoredPresentation(shown, Split(first["split"]), tuple(clips), tuple(first["reasons"]))
