"""Records of checks as rows of one Parquet file: a row for each presentation, refused ones too."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vivant.errors import DataError
from vivant.preparation.place import Place, one_line, read, write
from vivant.session.report import CheckRecord

__all__ = ["Tally", "join_rows", "save_rows", "to_row"]

_SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),  # relative to the folder, with slashes
        pa.field("status", pa.string(), nullable=False),  # decided, undecided, refused
        pa.field("decision", pa.string()),  # bona_fide, attack; null unless decided
        pa.field("bona_fide_score", pa.float64()),
        pa.field("score_spread", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("reasons", pa.list_(pa.string()), nullable=False),
        pa.field("cautions", pa.list_(pa.string()), nullable=False),
        pa.field("code", pa.string()),  # why it is refused; null unless it is
        pa.field("message", pa.string()),
        pa.field("num_windows", pa.int32(), nullable=False),
        pa.field("window_scores", pa.list_(pa.float64()), nullable=False),
        pa.field("advisor_score", pa.float64()),  # mean over the windows
        pa.field("aam_score", pa.float64()),  # the same; null where the model has no such module
        pa.field("model", pa.string(), nullable=False),
        pa.field("weights_sha256", pa.string(), nullable=False),
        pa.field("runtime", pa.string(), nullable=False),
        pa.field("profile", pa.string()),  # SHA-256; null where there was none
    ]
)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many presentations ended how, and why those without a decision have none."""

    num_bona_fide: int
    num_attack: int
    undecided: Mapping[str, int]
    """By reason; one presentation may have several."""
    num_undecided: int
    refused: Mapping[str, int]
    """By code."""

    @property
    def num_refused(self) -> int:
        """Presentations that could not be read or judged."""
        return sum(self.refused.values())


def to_row(record: CheckRecord) -> dict[str, Any]:
    """The row of a record; what there is not is None, and never a number.

    Args:
        record: With its model, as `of_verdict` and `of_error` make it for a session.
    """
    assert record.model is not None
    scores = [window.bona_fide_score for window in record.windows]
    return {
        "path": record.path,
        "status": record.status,
        "decision": record.decision,
        "bona_fide_score": record.bona_fide_score,
        "score_spread": record.score_spread,
        "threshold": record.threshold,
        "reasons": [reason.code.value for reason in record.reasons],
        "cautions": [caution.code.value for caution in record.cautions],
        "code": None if record.code is None else str(record.code),
        "message": record.message,
        "num_windows": len(scores),
        "window_scores": scores,
        "advisor_score": _mean([window.advisor_score for window in record.windows]),
        "aam_score": _mean([window.aam_score for window in record.windows]),
        "model": record.model.name,
        "weights_sha256": record.model.sha256,
        "runtime": record.model.runtime,
        "profile": record.profile,
    }


def save_rows(path: Place, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of `to_row` as a Parquet file.

    Raises:
        OutputError: it cannot be written.
    """
    _save(path, pa.Table.from_pylist(list(rows), schema=_SCHEMA))


def join_rows(parts: Sequence[Place], out: Place, about: Mapping[str, str]) -> Tally:
    """Make one file of several, their rows in the order of the parts.

    Args:
        parts: Files of `save_rows`; at least one.
        out: The one file.
        about: What to say in its metadata.

    Raises:
        DataError: a part cannot be read.
        OutputError: the file cannot be written.
    """
    table = pa.concat_tables([_load(path) for path in parts])
    _save(out, table.replace_schema_metadata(dict(about)))
    return _tally(table)


def _save(path: Place, table: pa.Table) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    write(path, sink.getvalue().to_pybytes())


def _load(path: Place) -> pa.Table:
    problem: object = "other columns"
    try:
        table = pq.read_table(pa.BufferReader(read(path)))
    except (OSError, pa.ArrowException) as error:
        problem = one_line(error)
    else:
        if table.schema.equals(_SCHEMA):
            return table
    raise DataError(f"expected rows of `vivant score` at {path}, got {problem}: delete this file")


def _tally(table: pa.Table) -> Tally:
    status = Counter(table["status"].to_pylist())
    decision = Counter(table["decision"].to_pylist())
    reasons = (reason for of_row in table["reasons"].to_pylist() for reason in of_row)
    codes = (code for code in table["code"].to_pylist() if code is not None)
    return Tally(
        num_bona_fide=decision["bona_fide"],
        num_attack=decision["attack"],
        undecided=dict(Counter(reasons).most_common()),
        num_undecided=status["undecided"],
        refused=dict(Counter(codes).most_common()),
    )


def _mean(scores: Sequence[float | None]) -> float | None:
    """None where there is none, or one of them is missing."""
    there = [score for score in scores if score is not None]
    return math.fsum(there) / len(there) if there and len(there) == len(scores) else None
