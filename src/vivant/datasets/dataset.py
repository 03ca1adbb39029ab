"""What a data set is: a reader of its names, and its protocols as rules.

All readers name PAI species alike: `pai_species` is the type of the instrument (`print`, `replay`,
`paper_mask`, `3d_mask`), and the column `instrument` the finer kind that the data set's owner tells
apart. `vivant.datasets.species` says why, and goes from the one to the other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vivant.errors import DataError, UnknownNameError
from vivant.records import Label, Presentation, Split

__all__: list[str] = []

Splits = Mapping[Split, tuple[Presentation, ...]]
"""A protocol's sides; a side that it does not have is empty."""
Rule = Callable[[Sequence[Presentation]], Splits]
"""A protocol: which presentations are on which side."""
Counts = Mapping[Split, tuple[int, int]]
"""Bona fide presentations and attacks of each side."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A file or line that is not as the data set names them: listed, never skipped in silence."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a folder holds."""

    presentations: tuple[Presentation, ...]
    """In the order of their paths."""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way to divide a data set, as its owner or the literature has it."""

    rule: Rule
    expected: Counts | None = None
    """How many presentations each side has when all are there; None where nobody knows."""
    shares_subjects: bool = False
    """The owner's own division has subjects on two sides: then only files must be apart."""
    from_lists: bool = False
    """The rule is what the owner's lists in the folder say, not this package's own."""


def _no_lists(root: Path) -> Mapping[str, Protocol]:
    return {}


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set's reader and protocols. Built by a function of its file, found by its name."""

    name: str
    read: Callable[[Path], Reading]
    """Reads a folder. Raises DataError where it is not the data set's at all."""
    protocols: Mapping[str, Protocol] = field(default_factory=dict)
    """By name, such as `1`, `3_2`, `grandtest`."""
    listed: Callable[[Path], Mapping[str, Protocol]] = _no_lists
    """The protocols that the owner's lists in a folder define; none where it has no such lists."""

    def at(self, root: Path) -> "DataSet":
        """The data set as a folder has it: the owner's lists there take the place of the rules.

        Reading the folder compares the two, and each difference is a problem.
        """
        return replace(self, protocols={**self.protocols, **self.listed(root)})

    def split(self, presentations: Sequence[Presentation], protocol: str) -> Splits:
        """Divide presentations by a protocol.

        Raises:
            UnknownNameError: the data set has no such protocol.
            DataError: a subject or a file is on two sides.
        """
        if protocol not in self.protocols:
            raise UnknownNameError(f"protocol of {self.name}", protocol, self.protocols)
        splits = self.protocols[protocol].rule(presentations)
        check_apart(splits, subjects=not self.protocols[protocol].shares_subjects)
        return splits


def check_apart(splits: Splits, *, subjects: bool = True) -> None:
    """Refuse a division in which a file, or a subject, is on two sides.

    Args:
        splits: The division.
        subjects: False where the protocol is known to share them, and says so.

    Raises:
        DataError: names the sides and who is on both.
    """
    seen: dict[tuple[str, str], Split] = {}
    for split, rows in splits.items():
        for row in rows:
            names = [("file", row.path)]
            if subjects and row.subject is not None:
                names.append(("subject", row.subject))
            for what, name in names:
                first = seen.setdefault((what, name), split)
                if first is not split:
                    raise DataError(
                        f"the {what} {name!r} is on two sides, {first.value} and {split.value}: "
                        "results on it would mean nothing"
                    )


def by_split(presentations: Sequence[Presentation]) -> Splits:
    """The sides on which the data set's own folders put its presentations."""
    return {split: tuple(row for row in presentations if row.split is split) for split in Split}


def counts(splits: Splits) -> Counts:
    """Bona fide presentations and attacks of each side."""
    return {
        split: (
            sum(row.label is Label.BONA_FIDE for row in rows),
            sum(row.label is Label.ATTACK for row in rows),
        )
        for split, rows in splits.items()
    }
