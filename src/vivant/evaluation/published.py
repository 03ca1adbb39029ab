"""The paper's Tables 1 to 4 as they are printed, and which of their numbers cannot be so.

`published.csv` beside this file has them, method names and all as the paper spells them (GRADIENT
and GRADIANT are one method). A printed number is checked against the others of its row, and against
the counts of the protocol: a share of 120 videos comes in steps of 0.83 %.
"""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vivant.errors import UnknownNameError

__all__ = ["TABLES", "Printed", "PublishedRow", "flags", "published_table"]

TABLES = ("table1", "table2", "table3", "table4")

_NUM_VIDEOS = {"1": (240, 120), "2": (360, 360), "3": (720, 360), "4": (120, 120)}
"""OULU-NPU's test side by protocol: attacks of a PAI species, bona fide; all folds together."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A rate in per cent, as it is printed."""

    text: str
    mean: float
    std: float | None
    """Over folds; whether divided by n or n - 1 is not said."""
    num_decimals: int

    @property
    def step(self) -> float:
        """One unit of the last decimal."""
        return float(10**-self.num_decimals)


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """A row of one of the tables."""

    table: str
    data_set: str
    protocol: str
    method: str
    apcer: Printed | None
    """None: not printed."""
    bpcer: Printed | None
    acer: Printed


@cache
def _all_rows() -> tuple[PublishedRow, ...]:
    path = Path(__file__).with_suffix(".csv")
    with path.open(newline="", encoding="utf-8") as file:
        return tuple(_row(line) for line in csv.DictReader(file))


def published_table(name: str) -> tuple[PublishedRow, ...]:
    """The rows of a table, in the paper's order. Table 4's are of the set that is tested on.

    Args:
        name: One of `TABLES`.

    Raises:
        UnknownNameError: no such table.

    >>> [(row.method, row.acer.mean) for row in published_table("table1")][-1]
    ('Model D', 0.6)
    """
    if name not in TABLES:
        raise UnknownNameError("table", name, TABLES)
    return tuple(row for row in _all_rows() if row.table == name)


def flags(row: PublishedRow) -> tuple[str, ...]:
    """What in a row does not add up, a sentence each."""
    return tuple(_flags(row))


def _flags(row: PublishedRow) -> Iterator[str]:
    apcer, bpcer, acer = row.apcer, row.bpcer, row.acer
    if apcer is None or bpcer is None:
        return
    # Each number is rounded: half a step for ACER, half of one for the mean of the two.
    slack = max(acer.step, apcer.step)
    mean = (apcer.mean + bpcer.mean) / 2
    if not _within(acer.mean, mean - slack, mean + slack):
        shown = f"{mean:.{acer.num_decimals + 1}f}"
        yield f"ACER {acer.mean} is not the mean of APCER and BPCER, {shown}"
    if apcer.std is not None and bpcer.std is not None and acer.std is not None:
        low, high = abs(apcer.std - bpcer.std) / 2, (apcer.std + bpcer.std) / 2
        if not _within(acer.std, low - slack, high + slack):
            span = f"{low:.3g} to {high:.3g}"
            yield f"no folds give ACER a deviation of {acer.std}: it lies within {span}"
    if row.data_set == "OULU-NPU" and row.table in ("table1", "table3"):
        for name, printed, num in zip(
            ("APCER", "BPCER"), (apcer, bpcer), _NUM_VIDEOS[row.protocol], strict=True
        ):
            if not _is_share(printed, num):
                yield f"{name} {printed.mean} is no share of {num} videos, rounded or cut off"


def _is_share(printed: Printed, num: int) -> bool:
    """Whether some count of `num` is printed so, rounded or cut off."""
    scale = 10**printed.num_decimals
    wanted = round(printed.mean * scale)
    shares = (100 * scale * count / num for count in range(num + 1))
    return any(wanted in (math.floor(share + 0.5), math.floor(round(share, 9))) for share in shares)


def _within(value: float, low: float, high: float) -> bool:
    """Whether it lies there, but for the rounding of binary numbers."""
    return low - 1e-9 <= value <= high + 1e-9


def _row(line: dict[str, str]) -> PublishedRow:
    acer = _printed(line["acer"])
    assert acer is not None
    return PublishedRow(
        table=line["table"],
        data_set=line["data_set"],
        protocol=line["protocol"],
        method=line["method"],
        apcer=_printed(line["apcer"]),
        bpcer=_printed(line["bpcer"]),
        acer=acer,
    )


def _printed(text: str) -> Printed | None:
    if not text:
        return None
    mean, _, std = text.partition(" ± ")
    return Printed(text, float(mean), float(std) if std else None, len(mean.partition(".")[2]))
