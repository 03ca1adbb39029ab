"""Scores of anybody's system, from a CSV file: what `vivant metrics` judges."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vivant.errors import DataError
from vivant.records import Label

__all__ = ["ScoreTable", "ScoredRow", "read_scores"]

NEEDED = ("label", "score")
UNNAMED = "attack"
"""The one PAI species of a file without a column `pai`."""
_MOST_FINDINGS = 5
"""Lines that an error names."""


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """One presentation, or one clip: whatever a line is."""

    label: Label
    pai_species: str | None
    score: float | None
    """Higher is bona fide; None: the system gave no answer."""
    subject: str | None
    columns: Mapping[str, str]
    """All of the line's fields, as they stand there."""

    def __post_init__(self) -> None:
        # Lines are told apart by their species: an attack without one would count as bona fide.
        assert (self.label is Label.BONA_FIDE) is (self.pai_species is None)


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """Scored presentations."""

    rows: tuple[ScoredRow, ...]

    def by_class(self) -> tuple[Float[np.ndarray, " n"], dict[str, Float[np.ndarray, " _"]]]:
        """Scores of bona fide, and of each PAI species; what got no score is left out."""
        return self.of_kind(None).scores(), {
            name: self.of_kind(name).scores() for name in self.pai_species
        }

    def of_kind(self, pai_species: str | None) -> "ScoreTable":
        """The lines of bona fide (None), or of a PAI species."""
        return ScoreTable(tuple(row for row in self.rows if row.pai_species == pai_species))

    def scores(self) -> Float[np.ndarray, " n"]:
        """Higher is bona fide; what got no score is left out."""
        return np.array([row.score for row in self.rows if row.score is not None], float)

    @property
    def pai_species(self) -> tuple[str, ...]:
        """All that occur, by name."""
        return tuple(sorted({row.pai_species for row in self.rows if row.pai_species is not None}))

    @property
    def has_subjects(self) -> bool:
        """Whether every line says whose it is."""
        return bool(self.rows) and all(row.subject is not None for row in self.rows)

    def split(self, name: str) -> "ScoreTable":
        """The lines of one side, by the column `split`; none where there is no such column."""
        return ScoreTable(tuple(row for row in self.rows if row.columns.get("split") == name))

    def groups(self, column: str) -> dict[str, "ScoreTable"]:
        """The lines by what they have in a column, in the order of its values.

        Raises:
            DataError: no such column.
        """
        if not self.rows or column not in self.rows[0].columns:
            there = ", ".join(self.rows[0].columns) if self.rows else "none"
            raise DataError(f"expected a column {column!r}, the file has {there}")
        found: dict[str, list[ScoredRow]] = {}
        for row in self.rows:
            found.setdefault(row.columns[column], []).append(row)
        return {name: ScoreTable(tuple(found[name])) for name in sorted(found)}

    def mean_by(self, column: str) -> "ScoreTable":
        """One line for each value of a column: the mean of its scores; clips to videos.

        A value that has one line without a score has none.

        Raises:
            DataError: no such column, or a value with two labels or PAI species.
        """
        rows = []
        for name, group in self.groups(column).items():
            kinds = {(row.label, row.pai_species) for row in group.rows}
            if len(kinds) > 1:
                raise DataError(f"{column} {name!r} has lines of more than one label or species")
            scores = [row.score for row in group.rows if row.score is not None]
            is_whole = len(scores) == len(group.rows)
            mean = math.fsum(scores) / len(scores) if is_whole else None
            rows.append(replace(group.rows[0], score=mean))
        return ScoreTable(tuple(rows))


def read_scores(path: Path) -> ScoreTable:
    """Read a CSV file with a line for each presentation.

    Columns: `label` (bona_fide or attack), `score` (higher is bona fide; empty where the system
    gave no answer), and where there are some `pai`, `subject`, `split`, `path`, and any other to
    break results down by.

    Args:
        path: UTF-8, with a header.

    Raises:
        DataError: it cannot be read, a column is missing, or lines are wrong; names the lines.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            header = reader.fieldnames or ()
            missing = [name for name in NEEDED if name not in header]
            if missing:
                raise DataError(
                    f"expected the columns {', '.join(NEEDED)} in {path}, {', '.join(missing)} "
                    f"missing: it has {', '.join(header) or 'none'}"
                )
            lines = [(reader.line_num, line) for line in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"expected a CSV file of scores at {path}: {error}") from error
    rows, findings = [], []
    for number, line in lines:
        try:
            rows.append(_row(line, has_species="pai" in header))
        except ValueError as error:
            findings.append(f"line {number}: {error}")
    if findings:
        raise DataError(_told(path, findings))
    if not rows:
        raise DataError(f"expected a line for each presentation in {path}, found a header alone")
    return ScoreTable(tuple(rows))


def _row(line: Mapping[str | None, object], *, has_species: bool) -> ScoredRow:
    """One line.

    Raises:
        ValueError: what is wrong with it.
    """
    if None in line or None in line.values():
        raise ValueError("it has more or fewer fields than the header")
    fields = {str(name): str(value).strip() for name, value in line.items()}
    label = _label(fields["label"])
    species = None
    if label is Label.ATTACK:
        species = fields["pai"] if has_species else UNNAMED
        if not species:
            raise ValueError("an attack needs a PAI species in the column pai")
    elif fields.get("pai"):
        raise ValueError(f"bona fide has no PAI species, got {fields['pai']!r}")
    return ScoredRow(label, species, _score(fields["score"]), fields.get("subject") or None, fields)


def _label(text: str) -> Label:
    """Raises: ValueError: it is neither."""
    for label in Label:
        if text.lower() == label.name.lower():
            return label
    # 0 and 1 mean opposite things in different files.
    raise ValueError(f"expected bona_fide or attack as label, got {text!r}")


def _score(text: str) -> float | None:
    """Raises: ValueError: it is neither a finite number nor nothing."""
    if not text:
        return None
    try:
        score = float(text)
    except ValueError:
        raise ValueError(f"expected a number as score, got {text!r}") from None
    if not math.isfinite(score):
        raise ValueError(f"expected a finite score, got {text!r}")
    return score


def _told(path: Path, findings: Sequence[str]) -> str:
    shown = "; ".join(findings[:_MOST_FINDINGS])
    more = f"; and {len(findings) - _MOST_FINDINGS} more" if len(findings) > _MOST_FINDINGS else ""
    return f"{path}: {shown}{more}"
