"""Divides any source by its subjects: who is seen in training is seen nowhere else."""

import hashlib
import math
from collections.abc import Sequence
from itertools import pairwise

from vivant.datasets.dataset import Splits, check_apart
from vivant.errors import DataError
from vivant.records import Label, Presentation, Split

__all__: list[str] = []

Shares = tuple[float, float, float]
"""Of the subjects: train, dev, test. Their sum is 1."""


def parse_shares(text: str) -> Shares:
    """The shares that a command's `--split` names.

    >>> parse_shares("subject:0.6/0.2/0.2")
    (0.6, 0.2, 0.2)

    Raises:
        DataError: it is not of this form, or the shares are none.
    """
    kind, _, numbers = text.partition(":")
    try:
        values = [float(number) for number in numbers.split("/")]
    except ValueError:
        values = []
    if kind != "subject" or len(values) != len(Split):
        raise DataError(
            "expected subject:TRAIN/DEV/TEST with three shares, such as subject:0.6/0.2/0.2, got "
            f"{text!r}"
        )
    shares = (values[0], values[1], values[2])
    _check_shares(shares)
    return shares


def split_by_subject(
    presentations: Sequence[Presentation], shares: Shares = (0.6, 0.2, 0.2), *, seed: int
) -> Splits:
    """Divide presentations by their subjects.

    The same subjects, shares and seed give the same division in whatever order the rows come.
    Subjects with both classes, with bona fide alone and with attacks alone are dealt out each by
    the shares, and first so that each side has both classes and nobody's side is empty. Where that
    is not possible, a side may have one class: look at its counts.

    Args:
        presentations: Each with its subject, each file once.
        shares: Of the subjects, 0..1: train, dev, test. A side of share 0 is empty.
        seed: Of the drawing, >= 0.

    Returns:
        The sides, each in the order of its paths.

    Raises:
        DataError: a presentation without subject, a file twice, fewer subjects than sides, or
            shares that are none.
    """
    _check_shares(shares)
    if seed < 0:
        raise DataError(f"expected a seed of 0 or more, got {seed}")
    rows = sorted(presentations, key=lambda row: row.path)
    for row, following in pairwise(rows):
        if row.path == following.path:
            raise DataError(f"expected each file once, got {row.path!r} twice")
    side_of = _deal(_strata(rows, seed), shares)
    splits: dict[Split, tuple[Presentation, ...]] = {
        split: tuple(row for row in rows if side_of[row.subject or ""] is split) for split in Split
    }
    check_apart(splits)
    return splits


def _check_shares(shares: Shares) -> None:
    total = math.fsum(shares)
    if not all(math.isfinite(share) and share >= 0 for share in shares) or abs(total - 1) > 1e-6:
        given = "/".join(f"{share:g}" for share in shares)
        raise DataError(f"expected shares of 0 or more whose sum is 1, got {given}")


def _strata(rows: Sequence[Presentation], seed: int) -> list[list[str]]:
    """Subjects with both classes, with bona fide alone, with attacks alone; each shuffled.

    Raises:
        DataError: a presentation has no subject.
    """
    labels: dict[str, set[Label]] = {}
    for row in rows:
        if not row.subject:
            raise DataError(
                f"expected a subject for each presentation, got none for {row.path!r}: division by "
                "subject needs to know who is seen, for example by a manifest's column `subject`"
            )
        labels.setdefault(row.subject, set()).add(row.label)
    kinds: list[set[Label]] = [set(Label), {Label.BONA_FIDE}, {Label.ATTACK}]
    # By a hash, which no version of a random generator can change.
    shuffled = sorted(labels, key=lambda each: hashlib.sha256(f"{seed}:{each}".encode()).digest())
    return [[subject for subject in shuffled if labels[subject] == kind] for kind in kinds]


def _deal(strata: list[list[str]], shares: Shares) -> dict[str, Split]:
    """The side of each subject, the last of each stratum first.

    Raises:
        DataError: fewer subjects than sides.
    """
    sides = {split: share for split, share in zip(Split, shares, strict=True) if share > 0}
    num_subjects = sum(len(subjects) for subjects in strata)
    if num_subjects < len(sides):
        raise DataError(
            f"expected at least {len(sides)} subjects for as many sides, got {num_subjects}"
        )
    drawn = [list(subjects) for subjects in strata]
    num_dealt = [dict.fromkeys(sides, 0) for _ in strata]
    side_of: dict[str, Split] = {}

    def give(stratum: int, split: Split) -> None:
        side_of[drawn[stratum].pop()] = split
        num_dealt[stratum][split] += 1

    # First both classes for each side, as long as something is left for the sides after it.
    by_share = sorted(sides, key=lambda split: -sides[split])
    for at, split in enumerate(by_share):
        both, bona_fide, attack = drawn
        num_after = len(by_share) - at - 1
        if both:
            give(0, split)
        elif bona_fide and attack and len(bona_fide) + len(attack) - 2 >= num_after:
            give(1, split)
            give(2, split)
        else:
            give(1 if len(bona_fide) >= len(attack) else 2, split)
    # Then each to the side that lacks most of its share, of its stratum and then of all.
    for stratum, subjects in enumerate(strata):
        while drawn[stratum]:
            lack = {
                split: (
                    share * len(subjects) - num_dealt[stratum][split],
                    share * num_subjects - sum(dealt[split] for dealt in num_dealt),
                )
                for split, share in sides.items()
            }
            give(stratum, max(sides, key=lambda split: lack[split]))
    return side_of
