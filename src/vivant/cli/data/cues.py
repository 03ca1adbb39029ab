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
        str,
        typer.Option(help="DATA_SET:PROTOCOL, such as oulu-npu:1; DATA_SET alone: by its folders."),
    ],
    as_json: Json = False,
) -> None:
    """Tell attacks from bona fide by trivial cues: brightness, sharpness, noise, a border, flicker.

    A logistic regression on statistics of each presentation's middle clip, all together and each
    alone: learned on train, threshold of equal error on dev, rates on test.
    """
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
