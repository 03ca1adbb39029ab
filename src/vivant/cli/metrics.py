"""`vivant metrics`: error rates of anybody's scores, with intervals and conventions."""

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from vivant.cli.data.listing import Json

if TYPE_CHECKING:
    from vivant.evaluation.scores import ScoreTable

__all__ = ["Rule", "metrics", "print_rates"]

Rule = Annotated[
    str,
    typer.Option(
        metavar="RULE",
        help="dev-eer, dev-apcer=1%, dev-bpcer=1%, fixed-0.5, or test-eer (optimistic).",
    ),
]


def metrics(
    scores: Annotated[
        Path,
        typer.Argument(
            help="CSV with label (bona_fide, attack), score (higher is bona fide; empty: no "
            "answer), and where there are: pai, subject, split, path, ..."
        ),
    ],
    dev: Annotated[
        Path | None,
        typer.Option(
            help="Where the threshold is found. Without it: the lines with split dev. Where lines "
            "have split test, those alone are judged."
        ),
    ] = None,
    threshold: Rule = "dev-eer",
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Rates for each value of a column: device, site, ..."),
    ] = None,
    video: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Lines are clips: judge the mean of each such video."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Folder for a page with curves, histograms and tables: report.html."),
    ] = None,
    as_json: Json = False,
) -> None:
    """APCER by PAI species, BPCER and what follows, of this package's scores or anybody's."""
    from vivant.evaluation.judging import measure
    from vivant.evaluation.scores import read_scores
    from vivant.metrics.rules import parse_rule

    rule = parse_rule(threshold)
    table = read_scores(scores)
    side = read_scores(dev) if dev is not None else table.split("dev")
    if table.split("test").rows or (dev is None and side.rows):
        table = table.split("test")  # Lines of train or dev are not judged beside them.
    if video is not None:
        table, side = _means(table, video), _means(side, video)
    unit = f"mean by {video}" if video else "line of the file"
    content = measure(table, side, rule, unit, by or ())
    if report is not None:
        _write_report(report, scores, content, table)
    if as_json:
        typer.echo(json.dumps(content, indent=2, allow_nan=False))
    else:
        print_rates(content)


def _write_report(folder: Path, scores: Path, content: dict[str, Any], table: "ScoreTable") -> None:
    """The page of a file of scores."""
    from vivant.evaluation.report import Section, find_mistakes, render_report
    from vivant.files import write_whole

    section = Section("score", content["convention"]["unit"], content, table)
    threshold = content["convention"]["threshold"]
    has_names = "path" in table.rows[0].columns
    limit = float("inf") if threshold is None else threshold
    page = render_report(
        f"{scores.name}: presentation attack detection",
        [("scores", str(scores)), ("command", shlex.join(["vivant", *sys.argv[1:]]))],
        [section],
        worst=find_mistakes(table, limit) if has_names else None,
    )
    write_whole(folder / "report.html", page)


def _means(table: "ScoreTable", column: str) -> "ScoreTable":
    return table.mean_by(column) if table.rows else table


def print_rates(content: Mapping[str, Any]) -> None:
    """Show what `judging.measure` gives, as a table for people."""
    console = Console()
    convention, rates = content["convention"], content["rates"]
    shown = "infinite (nothing is accepted)"
    if convention["threshold"] is not None:
        shown = f"{convention['threshold']:.4g}"
    rule = convention["threshold_rule"]
    if convention["is_optimistic"]:
        rule += ", OPTIMISTIC: found on the judged scores"
    _say(console, f"unit: {convention['unit']}; accepted: score >= {shown} ({rule})")
    named = {"BPCER": rates["bpcer"]}
    named |= {f"APCER {name}": found for name, found in rates["apcer"].items()}
    console.print(_table({"": named}, None))
    for line in _lines(content):
        _say(console, line)
    for column, groups in content["by"].items():
        console.print(_table(groups, column))
    marked = [rates["bpcer"], *rates["apcer"].values()]
    marked += [
        rate for of in content["by"].values() for found in of.values() for rate in found.values()
    ]
    if any(rate["is_too_few"] for rate in marked):
        _say(console, "* too few to tell: the interval is wider than most differences")


def _say(console: Console, line: str) -> None:
    console.print(line, soft_wrap=True, highlight=False, markup=False)


def _table(groups: dict[str, dict[str, Any]], column: str | None) -> Table:
    """Rates, grouped by the values of a column; without a column there is one group."""
    headers = ["%", "errors", "n", "95 % (Wilson)"]
    if column is None:
        headers.append("95 % (by subject)")  # `breakdown` has none.
    table = Table(*(() if column is None else (column,)), "rate")
    for header in headers:
        table.add_column(header, justify="right")
    for value, found in groups.items():
        for name, rate in found.items():
            kind, _, species = name.partition(" ")
            shown = f"{kind.upper()} {species}".rstrip()
            of_group = () if column is None else (value,)
            table.add_row(*of_group, shown, *_cells(rate)[: len(headers)])
    return table


def _lines(content: Mapping[str, Any]) -> list[str]:
    rates, free = content["rates"], content["threshold_free"]
    worst = rates["apcer_max"]
    at_apcer = ", ".join(
        f"{name.upper()} {_percent(free[name]['bpcer'])}"
        for name in ("bpcer10", "bpcer20", "bpcer100")
    )
    auc = ", ".join(f"{name} {value:.4f}" for name, value in free["auc"].items())
    return [
        f"APCER of the worst species ({worst['species']}): {_percent(worst['rate'])}; "
        f"ACER (legacy): {_percent(rates['acer_legacy'])}; "
        f"HTER (pooled): {_percent(content['hter_pooled'])}",
        "thresholds on these scores, optimistic: "
        f"D-EER {_percent(free['d_eer_worst']['rate'])} (worst species), "
        f"{_percent(free['d_eer_pooled']['rate'])} (pooled); {at_apcer}",
        f"AUC: {auc}",
        *(
            f"no answer: {of['missing']} of {of['n']} {name} ({_percent(of['rate'])}), not counted "
            "in the rates above"
            for name, of in rates["no_answer"].items()
            if of["missing"]
        ),
    ]


def _cells(found: dict[str, Any]) -> list[str]:
    ends = found["subject_bootstrap_95"]
    return [
        f"{100 * found['rate']:.2f}",
        str(found["errors"]),
        f"{found['n']:,}{'*' if found['is_too_few'] else ''}",
        _range(found["wilson_95"]),
        _range(ends) if ends else "",
    ]


def _range(ends: list[float]) -> str:
    return f"{100 * ends[0]:.2f} to {100 * ends[1]:.2f}"


def _percent(rate: float) -> str:
    return f"{100 * rate:.2f} %"
