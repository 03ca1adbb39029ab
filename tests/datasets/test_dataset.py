from pathlib import Path

import pytest

from vivant.datasets.dataset import DataSet, Protocol, Reading, by_split, check_apart, counts
from vivant.errors import DataError, UnknownNameError
from vivant.records import Label, Presentation, Split


def row(
    path: str, split: Split | None, subject: str | None = None, species: str | None = None
) -> Presentation:
    label = Label.BONA_FIDE if species is None else Label.ATTACK
    return Presentation(path, label, species, subject, split)


ROWS = [
    row("a", Split.TRAIN, "ann"),
    row("b", Split.TRAIN, "ann", "print"),
    row("c", Split.DEV, "ben"),
    row("d", Split.TEST, "cat", "replay"),
    row("e", None),
]


def data_set() -> DataSet:
    return DataSet("made_up", lambda root: Reading(()), {"all": Protocol(by_split)})


def test_folders_divide() -> None:
    splits = data_set().split(ROWS, "all")
    assert {split: [r.path for r in rows] for split, rows in splits.items()} == {
        Split.TRAIN: ["a", "b"],
        Split.DEV: ["c"],
        Split.TEST: ["d"],
    }
    assert counts(splits) == {Split.TRAIN: (1, 1), Split.DEV: (1, 0), Split.TEST: (0, 1)}


def test_side_that_is_not_there_is_empty() -> None:
    assert counts(data_set().split([], "all")) == dict.fromkeys(Split, (0, 0))


@pytest.mark.parametrize(
    ("one", "other"), [(Split.TRAIN, Split.TEST), (Split.TRAIN, Split.DEV), (Split.DEV, Split.TEST)]
)
def test_subject_on_two_sides_is_refused(one: Split, other: Split) -> None:
    rows = [row("x", one, "ann"), row("y", other, "ann", "print")]
    message = f"the subject 'ann' is on two sides, {one.value} and {other.value}"
    with pytest.raises(DataError, match=message):
        data_set().split(rows, "all")


def test_file_on_two_sides_is_refused() -> None:
    with pytest.raises(DataError, match="the file 'x' is on two sides, train and test"):
        check_apart({Split.TRAIN: (row("x", None),), Split.TEST: (row("x", None),)})


def test_subject_that_is_not_named_is_nobodys() -> None:
    check_apart({Split.TRAIN: (row("x", None),), Split.TEST: (row("y", None),)})


def test_subject_and_file_of_one_name_are_two_things() -> None:
    check_apart({Split.TRAIN: (row("ann", None, "ben"),), Split.TEST: (row("y", None, "ann"),)})


def test_unknown_protocol_names_the_known() -> None:
    with pytest.raises(UnknownNameError, match="no protocol of made_up is called 'al': .*'all'"):
        data_set().split(ROWS, "al")


def test_reader_is_the_data_sets_own(tmp_path: Path) -> None:
    assert data_set().read(tmp_path) == Reading((), ())


def test_the_owners_lists_replace_the_rules_of_their_protocols(tmp_path: Path) -> None:
    def listed(root: Path) -> dict[str, Protocol]:
        return {"all": Protocol(lambda rows: {Split.TEST: tuple(rows)}, from_lists=True)}

    by_rule = DataSet("x", lambda root: Reading(()), {"all": Protocol(by_split)}, listed)
    assert not by_rule.protocols["all"].from_lists
    by_list = by_rule.at(tmp_path)
    assert by_list.protocols["all"].from_lists
    assert by_list.split(ROWS, "all")[Split.TEST] == tuple(ROWS)


def test_without_lists_a_data_set_is_the_same_anywhere(tmp_path: Path) -> None:
    made_up = data_set()
    assert made_up.at(tmp_path) == made_up
