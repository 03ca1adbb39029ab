"""`vivant data cross`: tests that train on some data sets and test on another."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vivant.cli.data.listing import Json, SiwDev, find_data_set

if TYPE_CHECKING:
    from vivant.datasets.cross import CrossTest, PartCount

__all__ = ["cross"]


def cross(
    test: Annotated[str | None, typer.Argument(help="A test; without one, all are listed.")] = None,
    root: Annotated[
        list[str] | None,
        typer.Option(help="DATA_SET=FOLDER, for each data set of the test.", metavar="NAME=DIR"),
    ] = None,
    source_protocol: Annotated[
        str | None,
        typer.Option(help="Train by this protocol of the one source, instead of all its videos."),
    ] = None,
    siw_dev: SiwDev = None,
    as_json: Json = False,
) -> None:
    """List the tests over several data sets, or count what one of them finds on each side.

    Exit code: 0 where all that is expected is there, 1 where not.
    """
    from vivant.datasets.cross import cross_tests, find_test

    if test is None:
        _list(list(cross_tests().values()), as_json)
        return
    content = _counted(find_test(test), _roots(root or []), source_protocol, siw_dev)
    if as_json:
        typer.echo(json.dumps(content, indent=2))
    else:
        _print(content)
    raise typer.Exit(int(not content["complete"]))


def _roots(words: Sequence[str]) -> dict[str, Path]:
    roots: dict[str, Path] = {}
    for word in words:
        name, _, folder = word.partition("=")
        if not (name and folder):
            raise typer.BadParameter(f"expected --root DATA_SET=FOLDER, got {word!r}")
        if name in roots:
            raise typer.BadParameter(f"--root {name}=... is there twice")
        roots[name] = Path(folder)
    return roots


def _counted(
    test: "CrossTest", roots: dict[str, Path], source_protocol: str | None, siw_dev: str | None
) -> dict[str, Any]:
    from vivant.datasets.cross import (
        count_parts,
        divide,
        with_source_protocol,
        without_source_dev,
    )

    if strangers := sorted(set(roots) - set(test.datasets)):
        needed = ", ".join(test.datasets)
        raise typer.BadParameter(f"{test.name} needs {needed}, got a root of {strangers[0]}")
    if siw_dev is not None and "siw" not in test.datasets:
        raise typer.BadParameter(f"--siw-dev is for siw, which {test.name} does not use")
    if source_protocol is not None:
        test = with_source_protocol(test, source_protocol)
    if siw_dev == "none" and "siw" in test.sources:
        test = without_source_dev(test)
    sets, presentations, problems = {}, {}, {}
    for name, root in roots.items():
        data_set = find_data_set(name, siw_dev if name == "siw" else None)
        reading = data_set.read(root)
        sets[name] = data_set.at(root)
        presentations[name] = reading.presentations
        problems[name] = len(reading.problems)
    divided = divide(test, presentations, sets)
    parts = count_parts(test, divided, sets)
    return {
        **_described(test),
        "sides": [_part(part) for part in parts],
        "problems": problems,
        "complete": not any(problems.values())
        and all(part.expected in (None, (part.bona_fide, part.attack)) for part in parts),
    }


def _part(part: "PartCount") -> dict[str, Any]:
    return {
        "side": part.side,
        "dataset": part.dataset,
        "protocol": part.protocol,
        "bona_fide": part.bona_fide,
        "attack": part.attack,
        "expected": None if part.expected is None else list(part.expected),
    }


def _described(test: "CrossTest") -> dict[str, Any]:
    return {
        "name": test.name,
        "sources": list(test.sources),
        "target": test.target,
        "thresholds": [rule.value for rule in test.thresholds],
        "measures": list(test.measures),
        "source_frames": test.source_frames,
        "target_frames": test.target_frames,
    }


def _list(tests: "Sequence[CrossTest]", as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([_described(test) for test in tests], indent=2))
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("test", no_wrap=True)
    table.add_column("trained on")
    table.add_column("tested on")
    folds: dict[tuple[str, str], list[CrossTest]] = {}
    for test in tests:
        folds.setdefault((test.group, test.target), []).append(test)
    for first, *more in folds.values():
        name = f"{first.name} to {more[-1].name.partition(':')[2]}" if more else first.name
        table.add_row(name, ", ".join(first.sources), first.target)
    Console().print(table)


def _print(content: dict[str, Any]) -> None:
    console = Console()
    table = Table(title=content["name"], title_justify="left")
    for header in ("side", "data set", "protocol"):
        table.add_column(header)
    for header in ("bona fide", "attack", "expected"):
        table.add_column(header, justify="right")
    for part in content["sides"]:
        expected = part["expected"]
        table.add_row(
            part["side"],
            part["dataset"],
            part["protocol"],
            str(part["bona_fide"]),
            str(part["attack"]),
            "" if expected is None else f"{expected[0]} + {expected[1]}",
        )
    console.print(table)
    console.print(f"thresholds: {', '.join(content['thresholds'])}")
    for name, count in content["problems"].items():
        if count:
            line = Text.assemble(("problems: ", "red"), f"{count} in {name}: vivant data check")
            console.print(line, soft_wrap=True)
    if content["complete"]:
        console.print(Text("complete", "bold green"))
    else:
        console.print(Text("incomplete: see above", "bold red"))
