"""What is known of when the pictures of a folder were taken."""

import re
from collections.abc import Sequence
from enum import StrEnum

from vivant.errors import MediaError, Refusal

__all__ = ["Series", "frame_numbers"]


class Series(StrEnum):
    """How the pictures of one folder follow each other."""

    EVEN = "even"
    """At the camera's rate, each a frame after the one before."""
    NUMBERED = "numbered"
    """By the last number in each name, which counts the camera's frames: where numbers are
    missing, time has passed."""
    STILL = "still"
    """At no known rate: each picture is a still, and nothing is known of motion."""


def frame_numbers(names: Sequence[str]) -> list[int]:
    """The frame that each picture is, counted from the first.

    Args:
        names: Of files, in the order of time; the last number before the ending counts.

    Raises:
        MediaError: UNSUPPORTED_FORMAT where a name has no number, or the numbers do not ascend.

    >>> frame_numbers(["a_2_07.jpg", "a_2_09.jpg", "a_2_12.jpg"])
    [0, 2, 5]
    """
    numbers: list[int] = []
    for place, name in enumerate(names):
        found = re.findall(r"[0-9]+", name.rpartition(".")[0] or name)
        if not found:
            raise MediaError(
                Refusal.UNSUPPORTED_FORMAT,
                f"{name}: expected the number of its frame in the name, as --series numbered says. "
                "Without numbers, use --series even or still",
            )
        # Longer ones are no frames, and Python refuses to read those of thousands of digits.
        numbers.append(int(found[-1][-18:]))
        if place and numbers[-1] <= numbers[-2]:
            raise MediaError(
                Refusal.UNSUPPORTED_FORMAT,
                f"{name}: expected a number above {numbers[-2]}, that of {names[place - 1]}. If "
                "the numbers do not count frames, use --series even or still",
            )
    return [number - numbers[0] for number in numbers]
