"""Division by subject: nobody on two sides, the same in any order, both classes where possible."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.trees import rows_of
from vivant.datasets.dataset import check_apart, counts
from vivant.datasets.subjects import parse_shares, split_by_subject
from vivant.errors import DataError
from vivant.records import Label, Presentation, Split

# Bona fide presentations and attacks of each subject; one of both at least.
SUBJECTS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2)).filter(any), min_size=3, max_size=25
)
SHARES = st.sampled_from(
    [(0.6, 0.2, 0.2), (0.8, 0.0, 0.2), (0.34, 0.33, 0.33), (1.0, 0.0, 0.0), (0.05, 0.9, 0.05)]
)


def rows_from(subjects: list[tuple[int, int]]) -> list[Presentation]:
    return rows_of([(f"s{at}", *numbers) for at, numbers in enumerate(subjects)])


@given(SUBJECTS, SHARES, st.integers(0, 2**40))
def test_every_row_is_on_one_side_and_no_subject_on_two(
    subjects: list[tuple[int, int]], shares: tuple[float, float, float], seed: int
) -> None:
    rows = rows_from(subjects)
    splits = split_by_subject(rows, shares, seed=seed)
    check_apart(splits)
    assert sorted(row.path for side in splits.values() for row in side) == sorted(
        row.path for row in rows
    )
    for split, share in zip(Split, shares, strict=True):
        assert bool(splits[split]) == (share > 0)


@given(SUBJECTS, SHARES, st.integers(0, 2**40), st.randoms(use_true_random=False))
def test_order_does_not_matter(
    subjects: list[tuple[int, int]],
    shares: tuple[float, float, float],
    seed: int,
    shuffler: random.Random,
) -> None:
    rows = rows_from(subjects)
    splits = split_by_subject(rows, shares, seed=seed)
    shuffler.shuffle(rows)
    assert split_by_subject(rows, shares, seed=seed) == splits


@given(SUBJECTS, SHARES, st.integers(0, 2**40))
def test_each_side_has_both_classes_where_that_is_possible(
    subjects: list[tuple[int, int]], shares: tuple[float, float, float], seed: int
) -> None:
    both = sum(bool(a and b) for a, b in subjects)
    alone = min(sum(not b for _, b in subjects), sum(not a for a, _ in subjects))
    num_sides = sum(share > 0 for share in shares)
    if both + alone < num_sides:
        return
    found = counts(split_by_subject(rows_from(subjects), shares, seed=seed))
    for split, share in zip(Split, shares, strict=True):
        assert share == 0 or all(found[split])


def test_shares_are_of_the_subjects() -> None:
    rows = rows_of([(f"s{at:03}", 1, 3) for at in range(100)])
    assert counts(split_by_subject(rows, seed=1)) == {
        Split.TRAIN: (60, 180),
        Split.DEV: (20, 60),
        Split.TEST: (20, 60),
    }


def test_each_kind_of_subject_is_dealt_by_the_shares() -> None:
    kinds = [("both", 1, 1), ("bona", 1, 0), ("attack", 0, 1)]
    rows = rows_of([(f"{name}{at}", a, b) for name, a, b in kinds for at in range(20)])
    splits = split_by_subject(rows, (0.5, 0.25, 0.25), seed=3)
    for name, _, _ in kinds:
        numbers = [
            len({row.subject for row in splits[split] if (row.subject or "").startswith(name)})
            for split in Split
        ]
        assert numbers == [10, 5, 5]


def test_another_seed_is_another_division() -> None:
    rows = rows_of([(f"s{at:03}", 1, 1) for at in range(30)])
    assert split_by_subject(rows, seed=1) != split_by_subject(rows, seed=2)
    first = {row.subject for row in split_by_subject(rows, seed=7)[Split.TEST]}
    assert first == {"s007", "s009", "s014", "s019", "s022", "s026"}, "an old seed must not change"


def test_refuses_rows_without_a_subject() -> None:
    rows = [*rows_of([("a", 1, 1)]), Presentation("x.mp4", Label.BONA_FIDE, None)]
    with pytest.raises(DataError, match=r"expected a subject for each .* got none for 'x.mp4'"):
        split_by_subject(rows, seed=1)


def test_refuses_too_few_subjects() -> None:
    with pytest.raises(DataError, match="at least 3 subjects for as many sides, got 2"):
        split_by_subject(rows_of([("a", 1, 1), ("b", 1, 1)]), seed=1)
    with pytest.raises(DataError, match="got 0"):
        split_by_subject([], seed=1)


def test_refuses_a_file_twice_even_under_two_subjects() -> None:
    rows = [Presentation("x.mp4", Label.BONA_FIDE, None, name) for name in "abc"]
    with pytest.raises(DataError, match=r"expected each file once, got 'x.mp4' twice"):
        split_by_subject(rows, seed=1)


def test_refuses_a_subject_on_two_sides() -> None:
    rows = rows_of([("a", 1, 1)])
    with pytest.raises(DataError, match="the subject 'a' is on two sides, train and test"):
        check_apart({Split.TRAIN: (rows[0],), Split.TEST: (rows[1],)})


def test_refuses_a_negative_seed() -> None:
    with pytest.raises(DataError, match="seed of 0 or more"):
        split_by_subject(rows_of([("a", 1, 1)]), seed=-1)


@pytest.mark.parametrize(
    "shares", [(0.6, 0.2, 0.1), (1.2, -0.1, -0.1), (math.nan, 0.5, 0.5), (math.inf, 0.0, 0.0)]
)
def test_refuses_shares_that_are_none(shares: tuple[float, float, float]) -> None:
    with pytest.raises(DataError, match="whose sum is 1"):
        split_by_subject(rows_of([(name, 1, 1) for name in "abc"]), shares, seed=1)


@pytest.mark.parametrize(
    "text",
    ["0.6/0.2/0.2", "subject:0.8/0.2", "subject:", "subject:a/b/c", "user:0.6/0.2/0.2", ""],
)
def test_refuses_text_that_names_no_shares(text: str) -> None:
    with pytest.raises(DataError, match="expected subject:TRAIN/DEV/TEST"):
        parse_shares(text)


def test_reads_shares() -> None:
    assert parse_shares("subject:0.8/0/0.2") == (0.8, 0.0, 0.2)
    with pytest.raises(DataError, match="got 0.6/0.6/0.2"):
        parse_shares("subject:0.6/0.6/0.2")
