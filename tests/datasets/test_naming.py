import re

import pytest

from datasets import oulu_tree
from prepared import presentation, presentations
from vivant.datasets.naming import divide, parse_protocol
from vivant.datasets.oulu_npu import parse
from vivant.errors import DataError, UnknownNameError
from vivant.records import Label, Split


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("oulu-npu:1", ("oulu_npu", "1")),
        ("oulu_npu:3_6", ("oulu_npu", "3_6")),
        ("replay-attack:grandtest", ("replay_attack", "grandtest")),
        ("folder", ("folder", "")),
        ("folder:subject:0.6/0.2/0.2", ("folder", "subject:0.6/0.2/0.2")),
    ],
)
def test_data_set_and_protocol_are_told_apart(text: str, expected: tuple[str, str]) -> None:
    assert parse_protocol(text) == expected


@pytest.mark.parametrize("text", ["", ":1", "oulu-npu:", "oulu npu:1", "oulu-npu 1"])
def test_other_words_are_refused(text: str) -> None:
    message = f"expected DATA_SET:PROTOCOL, such as oulu-npu:1, or DATA_SET alone, got {text!r}"
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        parse_protocol(text)


@pytest.mark.parametrize("protocol", ["1", "4_2"])
def test_protocol_divides_by_its_rule(protocol: str) -> None:
    rows = [parse(path) for path in oulu_tree.paths()]
    for side, rows_of_it in divide("oulu_npu", rows, f"oulu-npu:{protocol}").items():
        found = [row.path.partition("/")[2].removesuffix(".avi") for row in rows_of_it]
        assert found == oulu_tree.chosen(protocol, side.value.title())


def test_without_a_protocol_rows_are_where_they_say() -> None:
    rows = [presentation(name, split=split) for name, split in zip("abc", Split, strict=True)]
    assert divide("folder", rows, "folder") == {
        split: (row,) for split, row in zip(Split, rows, strict=True)
    }


def test_rows_without_a_side_need_a_protocol() -> None:
    rows = [presentation("a", split=None)]
    with pytest.raises(DataError, match=r"use a protocol \(siw:all, siw:1, siw:2_1"):
        divide("siw", rows, "siw")


def test_protocol_of_another_data_set_is_refused() -> None:
    with pytest.raises(
        DataError, match="expected a protocol of oulu_npu, from which .* got 'siw:1'"
    ):
        divide("oulu_npu", presentations(2), "siw:1")


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="no protocol of oulu_npu is called '5'.*3_1, 3_2"):
        divide("oulu_npu", [], "oulu-npu:5")
    with pytest.raises(UnknownNameError, match="no data set is called 'mine'.*folder"):
        divide("mine", [], "mine:1")


def test_subject_on_two_sides_is_an_error_but_where_the_owner_shares_them() -> None:
    rows = [presentation("a", split=Split.TRAIN), presentation("ab", split=Split.TEST)]
    with pytest.raises(DataError, match="the subject 'a' is on two sides"):
        divide("folder", rows, "folder")
    assert divide("nuaa", rows, "nuaa")[Split.TEST] == (rows[1],)


def test_a_folder_without_sides_is_divided_by_its_subjects() -> None:
    rows = [presentation(f"{name}{i}", Label(i), split=None) for name in "abcde" for i in (0, 1)]
    splits = divide("folder", rows, "folder:subject:0.6/0.2/0.2")
    assert [len({row.subject for row in splits[split]}) for split in Split] == [3, 1, 1]
    with pytest.raises(DataError, match="expected shares of 0 or more whose sum is 1"):
        divide("folder", rows, "folder:subject:0.6/0.2/0.3")
