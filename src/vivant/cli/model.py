"""`vivant model`: which networks there are, what they cost, and how to start one from weights."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vivant.plugins import discover, find

if TYPE_CHECKING:
    from vivant.networks.config import NetworkConfig

__all__ = ["app"]

MODELS = "vivant.networks.models"

app = typer.Typer(
    help="The networks: list them, see what they cost, make one.", no_args_is_help=True
)

Name = Annotated[
    str, typer.Argument(help="A model, as in `vivant model list`.", show_default=False)
]
Backbone = Annotated[
    str | None,
    typer.Option(
        help="Another backbone than the model's, such as se_resnet18 or legacy_se_resnet101.",
        show_default="the model's",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """Name the models and say what each is."""
    first_lines = {
        name: (build.__doc__ or "").partition("\n")[0] for name, build in discover(MODELS).items()
    }
    if as_json:
        typer.echo(json.dumps(first_lines, indent=2))
        return
    table = Table("model", "what it is", box=None, pad_edge=False)
    for name, line in first_lines.items():
        table.add_row(name, line)
    Console().print(table)


@app.command()
def summary(name: Name, backbone: Backbone = None, as_json: Json = False) -> None:
    """Print output shape, parameters and multiply-adds of each part, for one clip.

    Multiply-adds are those of convolutions and matrix products, for one clip of N frames.
    """
    from vivant.networks.summary import summarise

    config = _config(name, backbone)
    costs = summarise(config)
    if as_json:
        content = {
            "model": name,
            "architecture": config.model_dump(mode="json"),
            "parts": [asdict(cost) for cost in costs],
        }
        typer.echo(json.dumps(content, indent=2))
        return
    side = config.crop_side_px
    table = Table(
        title=f"{name}: one clip of {config.num_frames} frames of {side}x{side}",
        title_justify="left",
    )
    table.add_column("part")
    table.add_column("output", justify="right")
    table.add_column("parameters", justify="right")
    table.add_column("GMAC", justify="right")
    for cost in costs:
        if cost is costs[-1]:
            table.add_section()
        shape = " x ".join(str(size) for size in cost.output_shape)
        table.add_row(cost.part, shape, f"{cost.num_parameters:,}", f"{cost.gmacs:.3f}")
    Console().print(table)


@app.command()
def init(
    name: Name,
    out: Annotated[Path, typer.Option(help="Folder for the weights and their card.")],
    pretrained: Annotated[
        str | None,
        typer.Option(
            help="ImageNet weights for the backbone: a file (safetensors, or a torch state dict in "
            "torchvision's or timm's names), hub:<owner>/<repository>, or 'package' for the "
            "installed weights of EfficientNet-Lite0.",
            show_default="random weights",
        ),
    ] = None,
    backbone: Backbone = None,
    seed: Annotated[int, typer.Option(help="Seed of the random weights.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace weights that are there.")] = False,
) -> None:
    """Make an UNTRAINED network: random weights, and ImageNet's in the backbone if asked for."""
    import torch

    from vivant.networks.card import refuse_to_replace
    from vivant.networks.checkpoint import save_checkpoint
    from vivant.networks.network import Network
    from vivant.networks.pretrained import load_pretrained

    config = _config(name, backbone)
    refuse_to_replace(out / f"{name}.safetensors", force=force)
    torch.manual_seed(seed)
    network = Network(config)
    console = Console()
    if pretrained is not None:
        report = load_pretrained(network.advisor.backbone, pretrained)
        table = Table(title=f"{config.advisor.backbone} from {report.source}", title_justify="left")
        table.add_column("tensors")
        table.add_column("number", justify="right")
        table.add_column("which")
        for label, names in (
            ("matched", report.matched),
            ("left (no place here)", report.left),
            ("missing (start as if absent)", report.missing),
        ):
            table.add_row(label, str(len(names)), _by_part(names))
        console.print(table)
    card = save_checkpoint(network, out, name)
    console.print(f"wrote {card} (UNTRAINED: no decision may rest on it)", soft_wrap=True)


@app.command("card")
def show_card(
    run: Annotated[
        Path, typer.Argument(help="Card of a model, or a run's folder.", show_default=False)
    ],
    as_json: Json = False,
) -> None:
    """Say what a model is: training data, operating point, and its profile's where there is one.

    The profile is the one that lies beside the card, as `vivant calibrate` writes it.
    """
    from vivant.cli.profile_tables import print_point
    from vivant.cli.run_card import find_card
    from vivant.networks.card import read_card
    from vivant.session.profile import default_path, read_profile

    path = find_card(run)
    card = read_card(path)
    place = default_path(card, path.parent)
    profile = read_profile(place) if place.is_file() else None
    if profile is not None:
        profile.require_model(card)
    if as_json:
        content = {
            "card": card.model_dump(mode="json"),
            "profile": None if profile is None else profile.model_dump(mode="json"),
        }
        typer.echo(json.dumps(content, indent=2))
        return
    training, point = card.training, card.operating_point
    trained = "UNTRAINED: no decision may rest on it"
    if training is not None:
        simulated = "SIMULATED ATTACKS: " if training.is_synthetic else ""
        trained = f"{simulated}{training.data} ({', '.join(training.pai_species)})"
    told = "none: it decides nothing without a profile"
    if point is not None:
        told = f"bona fide from {point.threshold:.4f} on ({point.rule} on {point.data})"
    console = Console()
    for name, value in (
        ("model", f"{card.model}, {card.weights.file_name}"),
        ("SHA-256", card.weights.sha256),
        ("trained on", trained),
        ("operating point", told),
        ("profile", f"{place.name}" if profile else "none beside it: `vivant calibrate` writes it"),
    ):
        console.print(Text(f"{name}: {value}"), soft_wrap=True)
    if profile is not None:
        print_point(console, profile)
        for note in profile.notes:
            console.print(Text(f"note: {note}", "yellow"), soft_wrap=True)


def _by_part(names: list[str]) -> str:
    """Names of tensors, counted by the part that they belong to; a few stand for themselves."""
    if len(names) <= 4:
        return ", ".join(names)
    parts = Counter(name.partition(".")[0] for name in names)
    return ", ".join(f"{part} ({count})" for part, count in parts.items())


def _config(name: str, backbone: str | None) -> "NetworkConfig":
    from vivant.networks.config import NetworkConfig

    config = find(MODELS, name, "model")()
    assert isinstance(config, NetworkConfig)
    if backbone is None:
        return config
    advisor = config.advisor.model_copy(update={"backbone": backbone})
    return config.model_copy(update={"advisor": advisor})
