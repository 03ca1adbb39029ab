"""A protocol's result: every part of the network by video and by clip, threshold from dev."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from vivant import __version__
from vivant.evaluation.judging import measure
from vivant.evaluation.report import Mistake, Section, find_mistakes, render_report
from vivant.evaluation.scored import PARTS, ScoredPresentation, parts_of, save_scored, to_table
from vivant.evaluation.scoring import Source
from vivant.files import write_whole
from vivant.metrics.rules import ThresholdRule
from vivant.networks.card import ModelCard
from vivant.records import NUM_WINDOWS, Split
from vivant.session.explain import draw_window

__all__ = ["draw_mistakes", "measure_rows", "notices", "write_evaluation"]

SCORES = "scores.parquet"
METRICS = "metrics.json"
REPORT = "report.html"
_TABLE = "scores.csv"
_MOST_VALUES = 12
"""A column with more of them (a file's name, a subject) tells nobody anything."""


def measure_rows(rows: Sequence[ScoredPresentation], rule: ThresholdRule) -> list[Section]:
    """All rates of the test side: the whole network first, by video and then by clip.

    Args:
        rows: Of the dev and the test side.
        rule: The same for every part; each has its own threshold.

    Raises:
        DataError: a side lacks a class, or a PAI species has no score at all.
    """
    dev = [row for row in rows if row.split is Split.DEV]
    test = [row for row in rows if row.split is Split.TEST]
    columns = _columns(test)
    found = []
    for part in parts_of(rows):
        for unit in ("video", "clip"):
            table = to_table(test, part, unit)
            by = columns if (part, unit) == ("fused", "video") else ()
            content = measure(table, to_table(dev, part, unit), rule, unit, by)
            found.append(Section(part, unit, content, table))
    return found


def notices(card: ModelCard, *, is_synthetic: bool) -> list[str]:
    """What nobody may overlook about a result.

    Args:
        card: The model's.
        is_synthetic: Whether the data were drawn by a program.
    """
    found = []
    if card.training is None:
        found.append("UNTRAINED: the model's scores mean nothing.")
    elif card.training.is_synthetic:
        found.append(
            f"SYNTHETIC TRAINING: the model learned from simulated attacks ({card.training.data})."
        )
    if is_synthetic:
        found.append(
            "SYNTHETIC DATA: people, rooms and attacks are drawn by a program. These numbers say "
            "nothing about recorded attacks."
        )
    return found


def write_evaluation(
    folder: Path,
    rows: Sequence[ScoredPresentation],
    sections: Sequence[Section],
    card: ModelCard,
    *,
    facts: Sequence[tuple[str, str]],
    is_synthetic: bool,
    mistakes: Sequence[Mistake] | None = None,
) -> dict[str, Any]:
    """Write scores.parquet, scores.csv, metrics.json and report.html.

    Args:
        folder: Where to.
        rows: As scored.
        sections: From `measure_rows`.
        card: The model's.
        facts: What was evaluated and how, the command included.
        is_synthetic: Whether the data were drawn by a program.
        mistakes: The worst errors, with pictures where they were asked for; None: found here,
            without.

    Returns:
        What metrics.json holds.

    Raises:
        OutputError: it cannot be written.
    """
    told = notices(card, is_synthetic=is_synthetic)
    about = [
        ("model", f"{card.model}, SHA-256 {card.weights.sha256}"),
        ("trained on", "nothing" if card.training is None else card.training.data),
        *facts,
        ("score of a video", f"the mean over at most {NUM_WINDOWS} clips"),
        ("made with", f"vivant {__version__}"),
    ]
    if mistakes is None:
        mistakes = find_mistakes(sections[0].table, _threshold(sections[0]))
    content = {
        "notices": told,
        "is_synthetic": is_synthetic,
        "facts": dict(about),
        "parts": {
            part: {s.unit: s.content for s in sections if s.name == part}
            for part in PARTS
            if any(s.name == part for s in sections)
        },
    }
    page = render_report(
        f"{card.model}: presentation attack detection",
        about,
        sections,
        notices=told,
        reasons=_reasons([row for row in rows if row.split is Split.TEST]),
        worst=mistakes,
    )
    save_scored(folder / SCORES, rows)
    write_whole(folder / _TABLE, _as_csv(rows))
    write_whole(folder / METRICS, json.dumps(content, indent=2, allow_nan=False) + "\n")
    write_whole(folder / REPORT, page)
    return content


def draw_mistakes(
    source: Source, rows: Sequence[ScoredPresentation], section: Section
) -> list[Mistake]:
    """The worst errors, each with a picture of its most telling clip: faces, so only when asked.

    Args:
        source: Scores them again.
        rows: As scored.
        section: Whose threshold counts.

    Raises:
        DataError: the data are damaged.
    """
    found = find_mistakes(section.table, _threshold(section))
    known = {row.presentation.path: row.presentation for row in rows}
    seen = source.look([known[each.path] for each in found])
    drawn = []
    for each, (windows, _) in zip(found, seen, strict=True):
        pick: Callable[..., Any] = max if "accepted" in each.kind else min
        window = pick(windows, key=lambda result: result.bona_fide_score)
        drawn.append(replace(each, picture=_halved(draw_window(window))))
    return drawn


def _halved(
    picture: UInt8[np.ndarray, "height width 3"],
) -> UInt8[np.ndarray, "half_height half_width 3"]:
    """Large enough to see, and a page of many of them stays small."""
    return picture if picture.shape[1] < 900 else np.ascontiguousarray(picture[::2, ::2])


def _threshold(section: Section) -> float:
    found = section.content["convention"]["threshold"]
    return float("inf") if found is None else float(found)


def _columns(rows: Sequence[ScoredPresentation]) -> tuple[str, ...]:
    """Columns that tell presentations apart in a few groups."""
    values: dict[str, set[str]] = {}
    for row in rows:
        for name, value in row.presentation.columns.items():
            values.setdefault(name, set()).add(value)
    whole = [n for n in values if all(n in row.presentation.columns for row in rows)]
    return tuple(name for name in whole if 1 < len(values[name]) <= _MOST_VALUES)


def _reasons(rows: Sequence[ScoredPresentation]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for row in rows:
        kind = row.presentation.pai_species or "bona_fide"
        found.setdefault(kind, Counter()).update(row.reasons)
    return found


def _as_csv(rows: Sequence[ScoredPresentation]) -> str:
    """A line for each presentation: what `vivant metrics` reads."""
    columns = list(dict.fromkeys(name for row in rows for name in row.presentation.columns))
    fixed = ["path", "split", "label", "pai", "subject", "score", "advisor", "aam", "reasons"]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*fixed, *(name for name in columns if name not in fixed)])
    for row in rows:
        shown = row.presentation
        scores = [row.of_part(part) for part in PARTS]
        writer.writerow(
            [
                shown.path,
                row.split.value,
                shown.label.name.lower(),
                shown.pai_species or "",
                shown.subject or "",
                *("" if score is None else repr(score) for score in scores),
                " ".join(row.reasons),
                *(shown.columns.get(name, "") for name in columns if name not in fixed),
            ]
        )
    return file.getvalue()
