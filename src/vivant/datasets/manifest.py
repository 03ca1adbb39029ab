"""Anything: a table that says of each file what it shows."""

import csv
import io
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path, PurePosixPath

from vivant.datasets.dataset import DataSet, Problem, Protocol, Reading, by_split
from vivant.datasets.walk import folders_of
from vivant.errors import DataError
from vivant.records import Label, Presentation, Split

__all__ = ["manifest"]

_CSV = "manifest.csv"
_PARQUET = "manifest.parquet"
_REQUIRED = ("path", "label", "pai")
_RESERVED = {"frames", "num_pictures", "dataset"}  # Columns by which readers tell of themselves.
_LABELS = {"bona_fide": Label.BONA_FIDE, "attack": Label.ATTACK}


def manifest() -> DataSet:
    """Any files, by the table `manifest.csv` or `manifest.parquet` in their root.

    | column | what |
    |---|---|
    | `path` | a video, a picture or a folder of frames, below the root, with slashes |
    | `label` | `bona_fide` or `attack`; 0 and 1 are refused: half the field swaps them |
    | `pai` | the PAI species of an attack; empty for bona fide |
    | `subject` | optional: who is seen; empty where unknown |
    | `split` | optional: `train`, `dev`, `test` or empty |
    | `instrument` | optional: the finer kind of the pai, such as which printer |
    | `fold` and any other | optional: kept in `columns`, for breakdowns |

    CSV is UTF-8, separated by commas, with these names in its first row. Spaces around a value and
    empty rows do not count. A row that is not so, or whose file is missing, is a problem with its
    line (in CSV) or row (in parquet, from 1) and is not read. Parquet needs pyarrow.

    Protocol `split`: by that column.
    """
    return DataSet("manifest", _read, {"split": Protocol(by_split)})


def _read(root: Path) -> Reading:
    folders_of(root, "a manifest")
    tables = [name for name in (_CSV, _PARQUET) if (root / name).is_file()]
    if len(tables) != 1:
        found = " and ".join(tables) or "neither"
        raise DataError(f"expected {_CSV} or {_PARQUET} in {root}, one of them, found {found}")
    name = tables[0]
    header, rows, problems = (_read_csv if name == _CSV else _read_parquet)(root / name)
    if reserved := sorted(_RESERVED & set(header)):
        what = f"the columns {', '.join(reserved)} mean something of their own here: rename them"
        return Reading((), (Problem(name, what), *problems))
    missing = [each for each in _REQUIRED if each not in header]
    twice = sorted({each for each in header if header.count(each) > 1})
    if missing or twice or "" in header:
        hint = " (separated by semicolons? commas are expected)" if ";" in "".join(header) else ""
        what = (
            f"expected the columns {', '.join(_REQUIRED)}, each named and each once, got "
            f"{', '.join(map(repr, header)) or 'none'}{hint}"
        )
        return Reading((), (Problem(name, what), *problems))
    found_rows: dict[str, Presentation] = {}
    for place, row in rows:
        try:
            presentation = _parse(root, row)
            if presentation.path in found_rows:
                raise DataError(f"{presentation.path!r} is there twice")
        except DataError as error:
            problems.append(Problem(name, f"{place}: {error}"))
        else:
            found_rows[presentation.path] = presentation
    return Reading(tuple(found_rows[path] for path in sorted(found_rows)), tuple(problems))


_Table = tuple[list[str], Iterable[tuple[str, Mapping[str, str]]], list[Problem]]
"""Column names; rows with their places; what could not be read as a row."""


def _read_csv(path: Path) -> _Table:
    """The table of a CSV.

    Raises:
        DataError: it cannot be read as text.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"expected {path} in UTF-8, and it cannot be read: {error}") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    rows: list[tuple[str, Mapping[str, str]]] = []
    problems: list[Problem] = []
    while True:
        place = f"line {reader.line_num + 1}"
        try:
            values = [value.strip() for value in next(reader)]
        except StopIteration:
            break
        except csv.Error as error:
            problems.append(Problem(path.name, f"{place}: {error}"))
            continue
        if not any(values):
            continue
        if header is None:
            header = values
        elif len(values) != len(header):
            message = f"{place}: expected {len(header)} values, got {len(values)}"
            problems.append(Problem(path.name, message))
        else:
            rows.append((place, dict(zip(header, values, strict=True))))
    return header or [], rows, problems


def _read_parquet(path: Path) -> _Table:
    """The table of a parquet file.

    Raises:
        DataError: pyarrow is not installed, or cannot read it.
    """
    try:
        parquet = import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise DataError(
            f"{path.name} needs pyarrow, which is not installed: pip install pyarrow, or write it "
            f"as {_CSV}"
        ) from error
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError.
        raise DataError(f"expected {path} as parquet, and it cannot be read: {error}") from error
    rows = [
        (
            f"row {number}",
            {name: "" if value is None else str(value).strip() for name, value in row.items()},
        )
        for number, row in enumerate(table.to_pylist(), 1)
    ]
    return list(table.column_names), rows, []


def _parse(root: Path, row: Mapping[str, str]) -> Presentation:
    """A row's presentation.

    Raises:
        DataError: what is wrong with it.
    """
    path = _check_path(root, row["path"])
    if row["label"] not in _LABELS:
        raise DataError(f"expected the label bona_fide or attack, got {row['label']!r}")
    label = _LABELS[row["label"]]
    if (label is Label.ATTACK) != bool(row["pai"]):
        raise DataError(
            f"expected a pai for an attack and none for bona fide, got {row['label']} with "
            f"{row['pai']!r}"
        )
    split = row.get("split", "")
    if split not in ("", *Split):
        raise DataError(f"expected the split train, dev, test or none, got {split!r}")
    known = {*_REQUIRED, "subject", "split"}
    return Presentation(
        path,
        label,
        row["pai"] or None,
        row.get("subject") or None,
        Split(split) if split else None,
        {name: value for name, value in row.items() if name not in known and value},
    )


def _check_path(root: Path, path: str) -> str:
    """The path, if it is one of a file or folder below the root.

    A table may come from anybody, so it cannot name what lies elsewhere, nor through a link.

    Raises:
        DataError: it is empty, leaves the root, or nothing is there.
    """
    pure = PurePosixPath(path)
    if not path or "\0" in path or "\\" in path:
        raise DataError(f"expected a path with slashes, got {path!r}")
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise DataError(f"expected a path below the folder of the manifest, got {path!r}")
    try:
        real = (root / path).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{path!r} is missing") from error
    if not real.is_relative_to(root.resolve()):
        raise DataError(f"{path!r} is a link that leaves the folder of the manifest")
    return str(pure)
