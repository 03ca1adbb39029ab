"""`vivant data cues`: does something trivial give the attacks away?"""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from vivant.cli.data.listing import Json

if TYPE_CHECKING:
    from vivant.evaluation.cues import CueReport
    from vivant.metrics.rates import Rates

__all__ = ["cues"]


def cues(
    store: Annotated[str, typer.Argument(help="Written by `vivant data prepare`.")],
    protocol: Annotated[
        str | None,
        typer.Option(help="DATA_SET:PROTOCOL, such as oulu-npu:1; DATA_SET alone: by its folders."),
    ] = None,
    views: Annotated[
        int | None,
        typer.Option(
            min=10,
            help="Instead: so many bona fide pictures, recaptured from a screen and from paper.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Tell attacks from bona fide by trivial cues: brightness, sharpness, noise, a border, flicker.

    A logistic regression on statistics of each presentation's middle clip, all together and each
    alone: learned on train, threshold of equal error on dev, rates on test.

    With --views the store's attacks are left out: bona fide pictures are rendered as training
    renders them, and the regression is fitted on half of the subjects and measured on the others.
    """
    if (protocol is None) == (views is None):
        raise typer.BadParameter("expected either --protocol or --views")
    if views is not None:
        _check_views(store, views, as_json)
    else:
        assert protocol is not None
        _check_store(store, protocol, as_json)


def _check_store(store: str, protocol: str, as_json: bool) -> None:
    from vivant.datasets.naming import divide
    from vivant.evaluation.cues import check_cues, measure, with_clips
    from vivant.preparation.clips import ClipStore
    from vivant.preparation.manifest import load_manifest
    from vivant.preparation.place import to_place

    place = to_place(store)
    dataset = load_manifest(place).dataset
    clips = ClipStore(place)
    splits = divide(dataset, clips.presentations, protocol)
    rows = with_clips(clips, splits)
    errors = Console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
        sides = {
            split.value: measure(clips, progress.track(side, description=split.value))
            for split, side in rows.items()
        }
    num_without = sum(map(len, splits.values())) - sum(map(len, rows.values()))
    content = _content(check_cues(**sides), num_without)
    if as_json:
        typer.echo(json.dumps(content, indent=2))
    else:
        _print(protocol, content)


def _check_views(store: str, num_views: int, as_json: bool) -> None:
    from vivant.evaluation.view_cues import MEDIA, check_views, render_views
    from vivant.preparation.clips import ClipStore
    from vivant.preparation.place import to_place

    clips = ClipStore(to_place(store), num_frames=1)
    errors = Console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
        rendered = render_views(clips, num_views)
        report = check_views([*progress.track(rendered, num_views, description="views")])
    if as_json:
        content = {
            "views": report.num_views,
            "subjects": report.num_subjects,
            "together": report.together,
            "alone": report.alone,
        }
        typer.echo(json.dumps(content, indent=2))
        return
    console = Console()
    table = Table("statistic", title="views: equal error rate, in %", title_justify="left")
    for medium in MEDIA:
        table.add_column(f"bona fide and {medium}", justify="right")
    for name, rates in (("all together", report.together), *report.alone.items()):
        cells = (f"{100 * rates[medium]:.1f}" for medium in MEDIA)
        table.add_row(name.replace("_", " "), *cells, end_section=name == "all together")
    console.print(table)
    lines = (
        f"{report.num_views:,} bona fide views of {report.num_subjects:,} subjects, and each of "
        "them recaptured from a screen and from paper",
        "50 % tells nothing. Tone, colour and blur are a medium's own; border and JPEG size should "
        "stay at or above 40 %.",
    )
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _content(report: "CueReport", num_without: int) -> dict[str, Any]:
    return {
        "sides": {
            split.value: {"bona_fide": bona_fide, "attack": attack}
            for split, (bona_fide, attack) in report.counts.items()
        },
        "without_clip": num_without,
        "regularisation": report.regularisation,
        "dev_eer": report.dev_eer,
        "together": _rates(report.together),
        "alone": {name: _rates(found) for name, found in report.alone.items()},
    }


def _rates(found: "Rates") -> dict[str, Any]:
    by_species = dict(sorted(found.apcer_by_species.items()))
    return {"acer": found.acer, "bpcer": found.bpcer, "apcer_by_species": by_species}


def _print(protocol: str, content: dict[str, Any]) -> None:
    console = Console()
    table = Table("statistic", title=Text(f"{protocol}: test, in %"), title_justify="left")
    species = list(content["together"]["apcer_by_species"])
    for header in ("ACER", "BPCER", *(f"APCER {name}" for name in species)):
        table.add_column(header, justify="right")
    for name, found in (("all together", content["together"]), *content["alone"].items()):
        shares = (found["acer"], found["bpcer"], *found["apcer_by_species"].values())
        table.add_row(
            name.replace("_", " "),
            *(f"{100 * share:.1f}" for share in shares),
            end_section=name == "all together",
        )
    console.print(table)
    counted = ", ".join(
        f"{side} {numbers['bona_fide']:,} + {numbers['attack']:,}"
        for side, numbers in content["sides"].items()
    )
    lines = (
        f"bona fide + attack: {counted}; {content['without_clip']:,} without a clip",
        "An ACER far below 50 % means that a trivial cue gives attacks away: the network may learn "
        "it instead of the attack. Where BPCER and the APCER of one species have a sum far below "
        "100 %, it gives that species away. On few presentations the best of many statistics is "
        "below 50 % by chance.",
    )
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)
