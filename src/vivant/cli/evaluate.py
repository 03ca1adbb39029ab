"""`vivant evaluate`: a trained model on a protocol, threshold from the dev side."""

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vivant.cli.check import RuntimeName, Threads, Trusted
from vivant.cli.data.listing import Json
from vivant.cli.metrics import Rule, print_rates
from vivant.cli.run_card import find_card

if TYPE_CHECKING:
    from vivant.evaluation.report import Section

__all__ = ["evaluate", "progress_bar"]

FOLDER = "evaluation"
"""Where results lie, in the folder of the card."""
_PARTS = "scoring"


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or a model's card.")],
    data: Annotated[
        str,
        typer.Option(
            help="A data set's folder, or its store of `vivant data prepare`, here or at a URL."
        ),
    ],
    protocol: Annotated[
        str, typer.Option(help="Such as oulu-npu:1, siw:2_1, folder, folder:subject:0.6/0.2/0.2.")
    ],
    threshold: Rule = "dev-eer",
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results.", show_default="RUN/evaluation")
    ] = None,
    with_images: Annotated[
        bool,
        typer.Option("--with-images", help="Show the faces of the worst errors in the report."),
    ] = False,
    trusted: Trusted = False,
    runtime: RuntimeName = "auto",
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """Score the dev and test side as `vivant check` does, and judge the test side.

    The threshold comes from the dev side. The folder has report.html, metrics.json, scores.csv (for
    `vivant metrics`) and scores.parquet. Stopped or killed, the same command goes on where it was.
    """
    from vivant.evaluation.protocol_run import draw_mistakes, measure_rows, write_evaluation
    from vivant.evaluation.scoring import FileSource, open_source, score_sides
    from vivant.metrics.rules import parse_rule
    from vivant.preparation.place import to_place
    from vivant.runtimes.opening import open_runner
    from vivant.session.session import Session

    rule = parse_rule(threshold)
    card = find_card(run)
    folder = out or card.parent / FOLDER
    runner = open_runner(card, runtime, threads)
    place = to_place(data)
    source = open_source(runner, place, protocol, partial(Session, runner, isolated=not trusted))
    with progress_bar() as tell:
        rows = score_sides(source, protocol, folder / _PARTS, tell)
    sections = measure_rows(rows, rule)
    mistakes = draw_mistakes(source, rows, sections[0]) if with_images else None
    if isinstance(source, FileSource):
        source.close()
    facts = [
        ("data", data),
        ("protocol", protocol),
        ("command", shlex.join(["vivant", *sys.argv[1:]])),
    ]
    content = write_evaluation(
        folder, rows, sections, runner.card,
        facts=facts, is_synthetic=source.is_synthetic, mistakes=mistakes,
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(content, indent=2, allow_nan=False))
    else:
        _print(content["notices"], sections, folder)


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None]]:
    """Within, a bar on the terminal, which is told how many of how many are done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("scoring", total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _print(notices: list[str], sections: "list[Section]", folder: Path) -> None:
    console = Console()
    for notice in notices:
        console.print(notice, style="bold red", highlight=False, markup=False, soft_wrap=True)
    print_rates(sections[0].content)
    for section in sections[1:]:
        rates = section.content["rates"]
        worst = rates["apcer_max"]
        console.print(
            f"{section.name} by {section.unit}: BPCER {rates['bpcer']['rate']:.2%}, APCER "
            f"{worst['rate']:.2%} ({worst['species']}), ACER (legacy) {rates['acer_legacy']:.2%}",
            highlight=False,
            soft_wrap=True,
        )
    console.print(f"{folder / 'report.html'}", highlight=False, markup=False, soft_wrap=True)
