"""`vivant calibrate`: from a run's scores to a profile that says how they become decisions."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from vivant.cli.run_card import find_card
from vivant.errors import DataError, InputError

if TYPE_CHECKING:
    from vivant.metrics.rules import ThresholdRule
    from vivant.networks.card import ModelCard

__all__ = ["calibrate"]

_DEV = "dev"
_SCORES = Path("evaluation") / "scores.parquet"
_METRICS = "metrics.json"
"""Beside the scores; says whether they are of simulated presentations."""
_IDENTITY = "evaluation.json"
"""Says which model gave the scores; beside them, or in the folder below."""
_PARTS = "scoring"
_OF_STORE = (
    "the scores are of a store, whose frames are JPEG: those of files as `vivant check` decodes "
    "them differ a little. For the last word evaluate the data set's folder"
)


def calibrate(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or a model's card.")],
    scores: Annotated[
        str,
        typer.Option(
            metavar="dev|FILE.parquet",
            help="Scores of `vivant evaluate`: the run's own, or another file. What is fitted is "
            "fitted on its dev side; a test side is only measured.",
        ),
    ] = _DEV,
    target: Annotated[
        str,
        typer.Option(
            help="What the threshold is to keep on dev: bpcer=1%, apcer=0.5% (of each PAI "
            "species), or eer.",
        ),
    ] = "bpcer=1%",
    max_cost: Annotated[
        str,
        typer.Option(
            metavar="PERCENT",
            help="Share of dev's bona fide that each of OUT_OF_DISTRIBUTION and WINDOWS_DISAGREE "
            "may turn into no decision.",
        ),
    ] = "1%",
    out: Annotated[
        Path | None,
        typer.Option(help="The profile.", show_default="WEIGHTS.profile.json beside the card"),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a profile that is there.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the profile as JSON and nothing else.")
    ] = False,
) -> None:
    """Calibrate scores, find the threshold for a target, and set the limits of two doubts.

    All is fitted on the dev side, and judged on folds of it that share no subject. The profile is
    for these weights alone: `vivant check --profile FILE`.
    """
    from vivant.evaluation.deploying import fit_profile
    from vivant.evaluation.scored import load_scored
    from vivant.networks.card import read_card, refuse_to_replace
    from vivant.session.profile import default_path, write_profile

    rule, cost = _rule(target), _percent(max_cost)
    card_path = find_card(run)
    card = read_card(card_path)
    path = out or default_path(card, card_path.parent)
    refuse_to_replace(path, force=force)
    file = card_path.parent / _SCORES if scores == _DEV else Path(scores)
    if not file.is_file():
        raise DataError(f"expected scores at {file}, found none: `vivant evaluate` writes them")
    identity = _identity(file, card)
    profile = fit_profile(
        load_scored(file),
        card,
        rule,
        max_cost=cost,
        data=str(identity.get("protocol", file.name)),
        is_synthetic=_is_synthetic(file, card),
        notes=(_OF_STORE,) if "store" in identity else (),
    )
    write_profile(profile, path)
    if as_json:
        typer.echo(json.dumps(profile.model_dump(mode="json"), indent=2, allow_nan=False))
        return
    from vivant.cli.profile_tables import print_profile

    console = Console()
    print_profile(console, profile)
    console.print(Text(f"wrote {path}"), soft_wrap=True)
    console.print(
        Text(f"vivant check CLIP.mp4 --model {card_path} --profile {path}"), soft_wrap=True
    )


def _rule(target: str) -> "ThresholdRule":
    from vivant.metrics.rules import parse_rule

    try:
        rule = parse_rule(f"dev-{target}")
    except InputError:
        raise typer.BadParameter(
            f"expected bpcer=1%, apcer=0.5% or eer, got {target!r}", param_hint="--target"
        ) from None
    return rule


def _percent(text: str) -> float:
    """`1%` -> 0.01."""
    try:
        if not text.endswith("%"):
            raise ValueError
        share = float(text[:-1]) / 100
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:  # NaN too.
        raise typer.BadParameter(
            f"expected a share of 0% up to 100%, such as 1%, got {text!r}", param_hint="--max-cost"
        )
    return share


def _identity(scores: Path, card: "ModelCard") -> dict[str, Any]:
    """What is known about scores: model, protocol.

    Raises:
        DataError: nothing says whose they are, or they are another model's.
    """
    places = [scores.parent / _IDENTITY, scores.parent / _PARTS / _IDENTITY]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise DataError(
            f"expected {_IDENTITY} beside {scores}, found none: nothing says which model these "
            "scores are of. Take the folder that `vivant evaluate` wrote"
        )
    try:
        content = json.loads(found.read_text("utf-8"))
        weights = content["weights"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{found} does not say which model the scores are of: {error!r}") from error
    if weights != card.weights.sha256:
        raise DataError(
            f"the scores at {scores} are of weights with SHA-256 {weights}, {card.model} has "
            f"{card.weights.sha256}: run `vivant evaluate` with this model"
        )
    assert isinstance(content, dict)
    return content


def _is_synthetic(scores: Path, card: "ModelCard") -> bool:
    """Whether they are of simulated presentations; where nothing says so, whether the model is."""
    try:
        told = json.loads((scores.parent / _METRICS).read_text("utf-8"))["is_synthetic"]
    except (OSError, ValueError, KeyError, TypeError):
        told = None
    if isinstance(told, bool):
        return told
    return card.training is not None and card.training.is_synthetic
