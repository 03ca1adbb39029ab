"""Tables: good rows, bad rows by their line, and paths that lead elsewhere."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from datasets.trees import plant
from vivant.datasets.dataset import Reading, counts
from vivant.datasets.manifest import manifest
from vivant.errors import DataError
from vivant.records import Label, Presentation, Split

GOOD = """path,label,pai,subject,split,fold,device
clips/b.mp4,attack,print,s1,train,1,phone
clips/a.mp4,bona_fide,,s2,test,,
frames,bona_fide,,,,2,laptop
"""


def read_text(root: Path, text: str | bytes) -> Reading:
    """The reading of a manifest beside three things that it may name."""
    plant(root, ["clips/a.mp4", "clips/b.mp4", "frames/1.jpg"])
    (root / "manifest.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return manifest().read(root)


EXPECTED = (
    Presentation("clips/a.mp4", Label.BONA_FIDE, None, "s2", Split.TEST),
    Presentation(
        "clips/b.mp4", Label.ATTACK, "print", "s1", Split.TRAIN, {"fold": "1", "device": "phone"}
    ),
    Presentation("frames", Label.BONA_FIDE, None, columns={"fold": "2", "device": "laptop"}),
)


def test_reads_rows_and_keeps_further_columns(tmp_path: Path) -> None:
    reading = read_text(tmp_path, GOOD)
    assert reading == Reading(EXPECTED)
    found = counts(manifest().split(reading.presentations, "split"))
    assert found == {Split.TRAIN: (0, 1), Split.DEV: (0, 0), Split.TEST: (1, 0)}


def test_a_mark_line_ends_spaces_and_quotes_do_not_count(tmp_path: Path) -> None:
    text = GOOD.replace("\n", "\r\n\r\n").replace(",attack,", ' , attack ,"print",', 1)
    text = text.replace('"print",print', '"print"')
    assert read_text(tmp_path, b"\xef\xbb\xbf" + text.encode()) == Reading(EXPECTED)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("clips/a.mp4,real,", "the label bona_fide or attack, got 'real'"),
        ("clips/a.mp4,0,", "the label bona_fide or attack, got '0'"),
        ("clips/a.mp4,1,print", "the label bona_fide or attack, got '1'"),
        ("clips/a.mp4,Attack,print", "got 'Attack'"),
        ("clips/a.mp4,attack,", "expected a pai for an attack"),
        ("clips/a.mp4,bona_fide,print", "none for bona fide"),
        ("clips/a.mp4,bona_fide", "expected 3 values, got 2"),
        ("clips/a.mp4,bona_fide,,", "expected 3 values, got 4"),
        (",bona_fide,", "expected a path with slashes"),
        ("clips\\a.mp4,bona_fide,", "expected a path with slashes"),
        ("../a.mp4,bona_fide,", "below the folder of the manifest"),
        ("clips/../clips/a.mp4,bona_fide,", "below the folder of the manifest"),
        ("/etc/passwd,bona_fide,", "below the folder of the manifest"),
        (".,bona_fide,", "below the folder of the manifest"),
        ("link/secret.mp4,bona_fide,", "is a link that leaves"),
        ("clips/none.mp4,bona_fide,", "is missing"),
        ("./clips//b.mp4,attack,print", "is there twice"),
        (f"{'x' * 5000},bona_fide,", "is missing"),
        ('"clips/a.mp4"x,bona_fide,', "',' expected after '\"'"),
    ],
)
def test_lists_bad_rows_with_their_line(tmp_path: Path, row: str, message: str) -> None:
    plant(tmp_path, ["elsewhere/secret.mp4"])
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "elsewhere")
    good = "clips/b.mp4,attack,print"
    reading = read_text(root, f"path,label,pai\n\n{good}\n{row}\nframes,bona_fide,\n")
    assert [row.path for row in reading.presentations] == ["clips/b.mp4", "frames"]
    (problem,) = reading.problems
    assert problem.path == "manifest.csv"
    assert problem.message.startswith("line 4: ")
    assert message in problem.message


def test_lists_an_unknown_split(tmp_path: Path) -> None:
    reading = read_text(tmp_path, "path,label,pai,split\nframes,bona_fide,,val")
    assert reading.presentations == ()
    assert "train, dev, test or none, got 'val'" in reading.problems[0].message


def test_a_row_over_two_lines_has_its_first_line(tmp_path: Path) -> None:
    text = 'path,label,pai,note\nframes,bona_fide,,"a\nb"\nclips/a.mp4,x,,'
    reading = read_text(tmp_path, text)
    assert reading.presentations[0].columns == {"note": "a\nb"}
    assert reading.problems[0].message.startswith("line 4: ")


def test_an_open_quote_is_a_problem(tmp_path: Path) -> None:
    reading = read_text(tmp_path, 'path,label,pai\nframes,bona_fide,\n"clips/a.mp4,bona_fide,\n')
    assert len(reading.presentations) == 1
    assert reading.problems[0].message.startswith("line 3: unexpected end")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got none"),
        ("path,label\n", "got 'path', 'label'"),
        ("path;label;pai\n", "separated by semicolons?"),
        ("path,label,pai,path\n", "each once"),
        ("path,label,pai,\n", "each named"),
        ("clips/a.mp4,bona_fide,\n", "expected the columns path, label, pai"),
    ],
)
def test_lists_a_wrong_header(tmp_path: Path, text: str, message: str) -> None:
    reading = read_text(tmp_path, text)
    assert reading.presentations == ()
    assert message in reading.problems[0].message


def test_refuses_a_folder_without_one_manifest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="one of them, found neither"):
        manifest().read(tmp_path)
    plant(tmp_path, ["manifest.csv", "manifest.parquet"])
    with pytest.raises(DataError, match=r"found manifest.csv and manifest.parquet"):
        manifest().read(tmp_path)
    with pytest.raises(DataError, match="found a file: name its folder"):
        manifest().read(tmp_path / "manifest.csv")


def test_refuses_another_encoding(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="in UTF-8"):
        read_text(tmp_path, GOOD.encode("utf-16"))


def fake_parquet(monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, object]]) -> None:
    """A pyarrow whose tables hold these rows."""
    table = SimpleNamespace(column_names=list(rows[0]), to_pylist=lambda: rows)
    parquet = ModuleType("pyarrow.parquet")
    parquet.read_table = lambda _: table  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyarrow", ModuleType("pyarrow"))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", parquet)


def test_reads_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, ["a.mp4", "b.mp4", "manifest.parquet"])
    row: dict[str, object] = {"path": "a.mp4", "label": "attack", "pai": "print", "fold": 3}
    other: dict[str, object] = {"path": "b.mp4", "label": 0, "pai": None, "fold": None}
    fake_parquet(monkeypatch, [row, other])
    reading = manifest().read(tmp_path)
    assert reading.presentations == (
        Presentation("a.mp4", Label.ATTACK, "print", columns={"fold": "3"}),
    )
    (problem,) = reading.problems
    assert problem.message.startswith("row 2: expected the label")


def test_reads_a_real_parquet_file(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    plant(tmp_path, ["a.mp4"])
    columns = {"path": ["a.mp4"], "label": ["attack"], "pai": ["print"], "fold": [3]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "manifest.parquet")
    assert manifest().read(tmp_path).presentations[0].columns == {"fold": "3"}
    (tmp_path / "manifest.parquet").write_bytes(b"PAR0")
    with pytest.raises(DataError, match="as parquet, and it cannot be read"):
        manifest().read(tmp_path)


def test_parquet_needs_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, ["manifest.parquet"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)
    with pytest.raises(DataError, match="pip install pyarrow"):
        manifest().read(tmp_path)


@pytest.mark.parametrize("column", ["frames", "num_pictures", "dataset"])
def test_columns_by_which_readers_tell_of_themselves_are_refused(
    tmp_path: Path, column: str
) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "manifest.csv").write_text(f"path,label,pai,{column}\na.mp4,bona_fide,,120\n")
    reading = manifest().read(tmp_path)
    assert reading.presentations == ()
    assert f"the columns {column} mean something of their own" in reading.problems[0].message
