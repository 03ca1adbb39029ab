"""Reads a data set's lists: files with an id, and often a label, on each line.

Tolerant of how a file was saved (byte order mark, CRLF, spaces, blank lines), strict on what it
says.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from vivant.datasets.dataset import Problem
from vivant.errors import DataError

__all__: list[str] = []

Labels = Callable[[str], Collection[str]]
"""The labels that an id can have in this file; the id says what it is, so the label must agree."""
_LINE_END = re.compile(r"\r\n|\r|\n")
_NUM_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list."""

    line: int
    """Counted from 1, blank lines too."""
    id: str
    label: str | None
    """As the file has it; None in a list of ids alone."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list says."""

    entries: tuple[Entry, ...]
    """In the file's order, each id once. A line with a problem is not among them."""
    problems: tuple[Problem, ...]


def read_list(
    root: Path, file: str, pattern: re.Pattern[str], labels: Labels | None = None
) -> Listing:
    """Read a list with one `label,id`, or one id alone, on each line.

    Args:
        root: The data set's folder.
        file: The list, relative to the root, with slashes.
        pattern: What a whole id matches.
        labels: Which labels an id can have here; None for a list of ids alone.

    Raises:
        DataError: there is no such file, or it is not UTF-8 text.
    """
    entries: dict[str, Entry] = {}
    problems: list[Problem] = []
    for number, text in enumerate(_LINE_END.split(_text(root, file)), start=1):
        line = text.strip(" \t\ufeff")
        if not line:
            continue
        entry = _entry(number, line, pattern, labels)
        if isinstance(entry, str):
            problems.append(Problem(file, f"line {number}: {entry}"))
        elif entry.id in entries:
            first = entries[entry.id].line
            problems.append(
                Problem(file, f"line {number}: {entry.id} again, after line {first}: remove one")
            )
        else:
            entries[entry.id] = entry
    return Listing(tuple(entries.values()), tuple(problems))


def some_of(names: Collection[str]) -> str:
    """A few of the names and how many more there are, for a message.

    >>> some_of(["b", "a"]), some_of([]), some_of("gfedcba")
    ('a, b', 'nothing', 'a, b, c, d, e and 2 more')
    """
    shown = ", ".join(sorted(names)[:_NUM_SHOWN]) or "nothing"
    more = len(names) - _NUM_SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown


def _text(root: Path, file: str) -> str:
    path = root / file
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"expected a list at {path}: {error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"expected UTF-8 text in {path}: {error}; save it as UTF-8") from error


def _entry(number: int, line: str, pattern: re.Pattern[str], labels: Labels | None) -> Entry | str:
    """A line's entry, or what is wrong with it."""
    fields = [field.strip() for field in line.split(",")]
    expected = "one id" if labels is None else "label,id"
    if len(fields) != (1 if labels is None else 2):
        return f"expected {expected}, got {line[:80]!r}"
    name = fields[-1]
    if not pattern.fullmatch(name):
        return f"expected an id like {pattern.pattern}, got {name[:80]!r}"
    if labels is None:
        return Entry(number, name, None)
    if fields[0] not in labels(name):
        allowed = " or ".join(sorted(labels(name)))
        return f"expected the label {allowed} for {name}, got {fields[0][:80]!r}"
    return Entry(number, name, fields[0])
