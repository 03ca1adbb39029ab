"""PAI species at two levels: the type of the instrument, and the instrument itself.

APCER is that of the worst PAI species, so what counts as one species decides the result.

- `type`: `print`, `cut_photo` (a print with living eyes behind it), `replay`, `paper_mask`,
  `3d_mask`; every reader's `pai_species`. ISO/IEC 30107-3
  calls a species what is made in one way. It is the level of the field's numbers: OULU-NPU's
  maximum is over print and replay.
- `instrument`: each printer, screen or cut that the owner tells apart, such as `print_2`; the
  column `instrument`. Stricter: the maximum is over more and smaller groups.

Where nobody tells instruments of a type apart (NUAA, folders of one's own), both are the same.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from vivant.records import Presentation

__all__: list[str] = []

TYPES = frozenset({"print", "cut_photo", "replay", "paper_mask", "3d_mask"})
"""The types that the readers of published data sets know."""
INSTRUMENT = "instrument"
"""The column of the finer level; bona fide has none."""


class PaiLevel(StrEnum):
    """What counts as one PAI species."""

    TYPE = "type"
    INSTRUMENT = "instrument"


def pai_of(row: Presentation, level: PaiLevel) -> str | None:
    """The PAI species of a presentation at a level; None for bona fide.

    >>> from vivant.records import Label
    >>> row = Presentation("a.avi", Label.ATTACK, "print", columns={"instrument": "print_2"})
    >>> pai_of(row, PaiLevel.TYPE), pai_of(row, PaiLevel.INSTRUMENT)
    ('print', 'print_2')
    """
    if level is PaiLevel.INSTRUMENT and row.pai_species is not None:
        return row.columns.get(INSTRUMENT, row.pai_species)
    return row.pai_species


def at_level(rows: Sequence[Presentation], level: PaiLevel) -> tuple[Presentation, ...]:
    """The presentations, each with its PAI species at a level, for whatever groups by it."""
    return tuple(replace(row, pai_species=pai_of(row, level)) for row in rows)
