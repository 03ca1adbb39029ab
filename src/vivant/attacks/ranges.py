"""Records whose numbers are drawn: each field states its range once, beside itself.

@dataclass(frozen=True)
class Look:
blur_px: float = ranged(0.7, 0.3, 1.5, log=True)
screen: str = one_of("halftone", "dither")
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import numpy as np

from vivant.errors import InputError

__all__ = ["Options", "Range", "draw", "numbers", "one_of", "ranged", "stated"]

T = TypeVar("T")
_KEY = "range"


@dataclass(frozen=True, slots=True)
class Range:
    """From where to where a number is drawn, both ends included; whole numbers if both are."""

    low: float | int
    high: float | int
    log: bool = False
    """Each doubling is as likely as the next, and not each step."""

    def __post_init__(self) -> None:
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        if not self.low < self.high or (self.log and (self.low <= 0 or whole)):
            raise InputError(
                f"expected a range from low to high, above 0 and not of whole numbers where it "
                f"is logarithmic, got {self}"
            )

    def draw(self, generator: np.random.Generator) -> float | int:
        """A number of the range."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return int(generator.integers(self.low, self.high, endpoint=True))
        if self.log:
            drawn = math.exp(generator.uniform(math.log(self.low), math.log(self.high)))
            return min(max(drawn, float(self.low)), float(self.high))  # exp may miss by a bit.
        return float(generator.uniform(self.low, self.high))

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{', log' if self.log else ''}"


@dataclass(frozen=True, slots=True)
class Options:
    """What is drawn from, each equally likely."""

    names: tuple[str, ...]

    def draw(self, generator: np.random.Generator) -> str:
        """One of them."""
        return self.names[int(generator.integers(len(self.names)))]

    def __str__(self) -> str:
        return " or ".join(self.names)


def ranged(default: float | int, low: float | int, high: float | int, *, log: bool = False) -> Any:
    """A field of a dataclass that is drawn from `low` to `high`.

    Args:
        default: What it is where nothing is drawn; it may lie outside.
        low: The least.
        high: The most. Where it and `low` are whole numbers, whole numbers are drawn.
        log: See `Range`.

    Raises:
        InputError: there is no such range.
    """
    return field(default=default, metadata={_KEY: Range(low, high, log)})


def one_of(*names: str) -> Any:
    """A field of a dataclass that is one of these words; the first where nothing is drawn."""
    return field(default=names[0], metadata={_KEY: Options(names)})


def draw(record: type[T], generator: np.random.Generator, **fixed: Any) -> T:
    """A record with a value of its range for each field that states one.

    Every field draws, fixed or not, so that fixing one leaves the others as they were.

    Args:
        record: A dataclass.
        generator: Draws the values, in the order of the fields.
        fixed: Fields that are not to be drawn.

    Raises:
        InputError: a fixed field that the record does not have.
    """
    names = {each.name for each in fields(record)}  # type: ignore[arg-type]
    if set(fixed) - names:
        unknown = ", ".join(sorted(set(fixed) - names))
        raise InputError(
            f"{record.__name__} has no {unknown}: its fields are {', '.join(sorted(names))}"
        )
    drawn = {name: each.draw(generator) for name, each in stated(record).items()}
    return record(**(drawn | fixed))


def stated(record: type[Any]) -> Mapping[str, Range | Options]:
    """The ranges of a dataclass's fields, by name; fields without one are left out."""
    return {each.name: each.metadata[_KEY] for each in fields(record) if _KEY in each.metadata}


def numbers(record: Any, prefix: str = "") -> dict[str, str]:
    """What a record holds, as columns of a data set's row: six digits of each number.

    Args:
        record: A dataclass whose fields are numbers and words.
        prefix: Before each name.
    """
    values = {each.name: getattr(record, each.name) for each in fields(record)}
    return {
        prefix + name: f"{value:.6g}" if isinstance(value, float) else str(value)
        for name, value in values.items()
    }
