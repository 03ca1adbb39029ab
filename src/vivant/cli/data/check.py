"""`vivant data check`: what is in a data set's folder, and whether all of it is there."""

import json
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from vivant.cli.data.listing import Json, SiwDev, find_data_set

if TYPE_CHECKING:
    from vivant.datasets.dataset import DataSet, Problem, Reading, Splits

__all__ = ["check"]

_SHOWN = 20  # Problems printed; --json has all.
_BATCH = 32  # Presentations that are looked at in one go.


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
    siw_dev: SiwDev = None,
    decode: Annotated[
        bool,
        typer.Option(
            "--decode",
            help="Decode the first frame of each file too, isolated: half a second each on a core.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Count what is there, and say what is missing, misnamed or not readable.

    Where the owner's lists of a protocol lie in the folder, they divide; each difference from the
    package's own rule is a problem.

    Exit code: 0 where all that is expected is there and readable, 1 where not.
    """
    from vivant.datasets.synthetic import expected_counts, read_marker

    dataset: DataSet = find_data_set(name, siw_dev)
    reading = dataset.read(root)
    dataset = dataset.at(root)
    splits, expected = _divided(dataset, reading, protocol, split, seed)
    synthetic = read_marker(root)
    if synthetic and protocol and (known := expected_counts(root, protocol, siw_dev or "bob")):
        expected = {side.value: numbers for side, numbers in known.items()}
    from_lists = protocol is not None and dataset.protocols[protocol].from_lists
    gaps, unreadable = _files(root, reading, decode=decode)
    content = _content(reading, splits, expected, gaps, unreadable)
    content["by"] = "lists" if from_lists else "rules"
    content["synthetic"] = synthetic.size if synthetic else None
    if as_json:
        typer.echo(json.dumps(content, indent=2))
    else:
        division = f"{protocol}, by its owner's lists" if from_lists else protocol or split
        _print(name, division, content)
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
        shared = any(each.shares_subjects for each in dataset.protocols.values())
        check_apart(splits, subjects=not shared)
        return splits, None
    splits = dataset.split(reading.presentations, protocol)
    known = dataset.protocols[protocol].expected
    if known is None:
        return splits, None
    return splits, {side.value: numbers for side, numbers in known.items()}


def _files(
    root: Path, reading: "Reading", *, decode: bool
) -> tuple[list["Problem"], list["Problem"]]:
    """Pictures that seem to be missing, and files that do not open."""
    from vivant.datasets.readable import find_gaps, find_unreadable
    from vivant.preparation.settings import PreparationSettings
    from vivant.video.isolation import DecoderPool

    gaps: list[Problem] = []
    unreadable: list[Problem] = []
    rows = reading.presentations
    limits = PreparationSettings().video_limits
    batches = [rows[at : at + _BATCH] for at in range(0, len(rows), _BATCH)]
    errors = Console(stderr=True)
    num_threads = (os.cpu_count() or 1) if decode else 1
    with (
        DecoderPool(limits, num_spares=num_threads) if decode else nullcontext() as pool,
        ThreadPoolExecutor(num_threads) as threads,
        Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress,
    ):
        task = progress.add_task("files", total=len(rows))
        for batch, found in zip(
            batches,
            threads.map(lambda batch: find_unreadable(root, batch, limits, pool), batches),
            strict=True,
        ):
            unreadable += found
            gaps += [gap for row in batch for gap in find_gaps(root, row, limits)]
            progress.advance(task, len(batch))
    return gaps, unreadable


def _content(
    reading: "Reading",
    splits: "Splits",
    expected: dict[str, tuple[int, int]] | None,
    gaps: list["Problem"],
    unreadable: list["Problem"],
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
    problems = [*reading.problems, *gaps]
    return {
        "presentations": len(reading.presentations),
        "undivided": len(reading.presentations) - sum(len(rows) for rows in splits.values()),
        "splits": sides,
        "problems": [{"path": each.path, "message": each.message} for each in problems],
        "unreadable": [{"path": each.path, "message": each.message} for each in unreadable],
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
    if content["synthetic"]:
        message = f"SYNTHETIC ({content['synthetic']}): drawn by a program, not people"
        console.print(Text(message, "bold yellow"))
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
