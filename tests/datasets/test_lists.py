import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivant.datasets.dataset import Problem
from vivant.datasets.lists import Entry, Listing, read_list, some_of
from vivant.errors import DataError

ID = re.compile(r"[0-9]{3}")


def labels(name: str) -> list[str]:
    return ["+1"] if name.startswith("0") else ["-1", "-2"]


def read(tmp_path: Path, content: bytes | str, *, labelled: bool = True) -> Listing:
    data = content.encode() if isinstance(content, str) else content
    (tmp_path / "lists").mkdir(exist_ok=True)
    (tmp_path / "lists" / "Train.txt").write_bytes(data)
    return read_list(tmp_path, "lists/Train.txt", ID, labels if labelled else None)


@pytest.mark.parametrize(
    "content",
    [
        "+1,001\n-1,101\n",
        "+1,001\n-1,101",
        "\ufeff+1,001\r\n-1,101\r\n",
        "+1,001\r-1,101\r",
        "  +1 ,\t001  \n -1,101 \n",
    ],
    ids=["plain", "no last newline", "BOM and CRLF", "CR", "spaces"],
)
def test_how_it_was_saved_does_not_matter(tmp_path: Path, content: str) -> None:
    expected = (Entry(1, "001", "+1"), Entry(2, "101", "-1"))
    assert read(tmp_path, content) == Listing(expected, ())


def test_blank_lines_count_but_say_nothing(tmp_path: Path) -> None:
    listing = read(tmp_path, "\n\n+1,001\n  \n-2,101\n\n")
    assert listing == Listing((Entry(3, "001", "+1"), Entry(5, "101", "-2")), ())
    assert read(tmp_path, "") == Listing((), ())


def test_ids_alone(tmp_path: Path) -> None:
    listing = read(tmp_path, "001\n002", labelled=False)
    assert listing.entries == (Entry(1, "001", None), Entry(2, "002", None))
    assert (
        "expected one id, got '+1,003'"
        in read(tmp_path, "+1,003", labelled=False).problems[0].message
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("001", "line 2: expected label,id, got '001'"),
        ("+1,001,", "line 2: expected label,id, got '+1,001,'"),
        ("+1 001", "line 2: expected label,id, got '+1 001'"),
        ("+1,1", "line 2: expected an id like [0-9]{3}, got '1'"),
        ("+1,001.avi", "line 2: expected an id like [0-9]{3}, got '001.avi'"),
        ("+1,\u0660\u0660\u0661", "line 2: expected an id like [0-9]{3}, got '\u0660\u0660\u0661'"),
        ("-1,001", "line 2: expected the label +1 for 001, got '-1'"),
        ("1,001", "line 2: expected the label +1 for 001, got '1'"),
        ("+1,101", "line 2: expected the label -1 or -2 for 101, got '+1'"),
        ("+1,000", "line 2: 000 again, after line 1: remove one"),
    ],
)
def test_damaged_line_is_listed_and_not_used(tmp_path: Path, line: str, message: str) -> None:
    listing = read(tmp_path, f"+1,000\n{line}\n-1,102\n")
    assert listing.entries == (Entry(1, "000", "+1"), Entry(3, "102", "-1"))
    assert listing.problems == (Problem("lists/Train.txt", message),)


def test_list_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected UTF-8 text in .*Train.txt.*save it as UTF-8"):
        read(tmp_path, "+1,001\n".encode("utf-16"))
    with pytest.raises(DataError, match="expected a list at .*Dev.txt"):
        read_list(tmp_path, "Dev.txt", ID)
    with pytest.raises(DataError, match="expected a list at .*lists"):
        read_list(tmp_path, "lists", ID)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    try:
        listing = read(folder, data)
    except DataError:
        return
    assert all(ID.fullmatch(entry.id) for entry in listing.entries)


@given(st.lists(st.from_regex(r"[0-9]{3}", fullmatch=True), unique=True))
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, ids: list[str]) -> None:
    content = "\r\n".join(f"{labels(name)[0]}, {name}" for name in ids)
    listing = read(tmp_path_factory.getbasetemp(), content)
    assert [entry.id for entry in listing.entries] == ids
    assert not listing.problems


def test_only_some_names_are_shown() -> None:
    assert some_of(list("cab")) == "a, b, c"
    assert some_of([str(number) for number in range(1000, 3000)]).endswith("1004 and 1,995 more")
