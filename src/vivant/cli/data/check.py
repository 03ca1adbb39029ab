"""`vivant data check`: what is in a data set's folder, and whether all of it is there."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vivant.cli.data.listing import DATASETS, Json
from vivant.plugins import find

if TYPE_CHECKING:
    from vivant.datasets.dataset import DataSet, Reading, Splits

__all__ = ["check"]

_SHOWN = 20  # Problems printed; --json has all.


def check(
    name: Annotated[str, typer.Argument(help="A data set, as in `vivant data list`.")],
    root: Annotated[Path, typer.Argument(help="Its folder, as its owner gave it.")],
    protocol: Annotated[
        str | None, typer.Option(help="Divide by this protocol; without it by folders.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Divide by subject instead: subject:0.6/0.2/0.2 (train/dev/test)."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the division by subject.")] = 0,
    as_json: Json = False,
) -> None:
    """Count what is there, and say what is missing, misnamed or not readable.

    Exit code: 0 where all that is expected is there and readable, 1 where not.
    """
    dataset: DataSet = find(DATASETS, name, "data set")()
    reading = dataset.read(root)
    splits, expected = _divided(dataset, reading, protocol, split, seed)
    unreadable = _unreadable(root, reading)
    content = _content(reading, splits, expected, unreadable)
    if as_json:
        typer.echo(json.dumps(content, indent=2))
    else:
        _print(name, protocol or split, content)
    raise typer.Exit(int(not content["complete"]))


def _divided(
    dataset: "DataSet", reading: "Reading", protocol: str | None, split: str | None, seed: int
) -> tuple["Splits", dict[str, tuple[int, int]] | None]:
    from vivant.datasets.dataset import by_split, check_apart
    from vivant.datasets.subjects import parse_shares, split_by_subject

    if protocol is not None and split is not None:
        raise typer.BadParameter("say --protocol or --split, not both")
    if split is not None:
        return split_by_subject(reading.presentations, parse_shares(split), seed=seed), None
    if protocol is None:
        splits = by_split(reading.presentations)
        check_apart(splits)
        return splits, None
    splits = dataset.split(reading.presentations, protocol)
    known = dataset.protocols[protocol].expected
    if known is None:
        return splits, None
    return splits, {side.value: numbers for side, numbers in known.items()}


def _unreadable(root: Path, reading: "Reading") -> list[dict[str, str]]:
    """Files whose first bytes are no video's and no picture's."""
    from vivant.errors import MediaError
    from vivant.video.sniff import sniff

    found = []
    for row in reading.presentations:
        path = root / row.path
        try:
            if path.is_file():
                with path.open("rb") as file:
                    sniff(file.read(64))
        except (OSError, MediaError) as error:
            found.append({"path": row.path, "message": str(error)})
    return found


def _content(
    reading: "Reading",
    splits: "Splits",
    expected: dict[str, tuple[int, int]] | None,
    unreadable: list[dict[str, str]],
) -> dict[str, Any]:
    from vivant.datasets.dataset import counts

    there = {side.value: numbers for side, numbers in counts(splits).items()}
    sides = {
        side.value: {
            "bona_fide": there[side.value][0],
            "attack": there[side.value][1],
            "expected": None if expected is None else list(expected.get(side.value, (0, 0))),
            "subjects": len({row.subject for row in rows if row.subject is not None}),
            "pai_species": dict(
                sorted(Counter(row.pai_species for row in rows if row.pai_species).items())
            ),
        }
        for side, rows in splits.items()
    }
    missing = expected is not None and any(
        there.get(side, (0, 0)) != tuple(numbers) for side, numbers in expected.items()
    )
    problems = [{"path": p.path, "message": p.message} for p in reading.problems]
    return {
        "presentations": len(reading.presentations),
        "undivided": len(reading.presentations) - sum(len(rows) for rows in splits.values()),
        "splits": sides,
        "problems": problems,
        "unreadable": unreadable,
        "complete": not (missing or problems or unreadable or not reading.presentations),
    }


def _print(name: str, division: str | None, content: dict[str, Any]) -> None:
    console = Console()
    title = f"{name}: {division or 'as its folders divide it'}"
    table = Table(title=title, title_justify="left")
    table.add_column("split")
    for header in ("subjects", "bona fide", "attack", "expected"):
        table.add_column(header, justify="right")
    table.add_column("PAI species")
    for side, numbers in content["splits"].items():
        expected = numbers["expected"]
        table.add_row(
            side,
            str(numbers["subjects"]),
            str(numbers["bona_fide"]),
            str(numbers["attack"]),
            "" if expected is None else f"{expected[0]} + {expected[1]}",
            ", ".join(f"{species} {count}" for species, count in numbers["pai_species"].items()),
        )
    console.print(table)
    if content["undivided"]:
        console.print(f"{content['undivided']} of {content['presentations']} are on no side")
    for label in ("problems", "unreadable"):
        for finding in content[label][:_SHOWN]:
            line = Text.assemble((f"{label}: ", "red"), f"{finding['path']}: {finding['message']}")
            console.print(line, soft_wrap=True)
        if len(content[label]) > _SHOWN:
            console.print(f"... and {len(content[label]) - _SHOWN} more: --json lists all")
    if content["complete"]:
        console.print(Text("complete", "bold green"))
    else:
        console.print(Text("incomplete: see above", "bold red"))
