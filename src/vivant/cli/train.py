"""`vivant train`: three stages, from a prepared store to a model with its card."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vivant.plugins import find

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from vivant.training.config import Experiment
    from vivant.training.data import TrainingData
    from vivant.training.folder import Best, RunFolder
    from vivant.training.plan import Plan

__all__ = ["train"]

RECIPES = "vivant.recipes"


def train(
    recipe: Annotated[
        str,
        typer.Argument(
            help="model_a to model_d of the paper, cnn_lstm, stasn, lite, tiny (minutes, for the "
            "synthetic benchmark), smoke (plumbing only); the small_ ones are Table 1 in small.",
        ),
    ],
    data: Annotated[Path, typer.Option(help="A store, written by `vivant data prepare`.")],
    protocol: Annotated[
        str, typer.Option(help="Data set and protocol, such as oulu-npu:1 or siw:2_1.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the run: a new one, or with --resume.")],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="PART.FIELD=VALUE", help="Change a field of the configuration."
        ),
    ] = None,
    pretrained: Annotated[
        str | None,
        typer.Option(
            help="ImageNet weights of the backbone: a file, hub:<owner>/<repository>, 'package' "
            "for EfficientNet-Lite0's, or 'none'.",
            show_default="the recipe's",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, show_default="the recipe's")] = None,
    stage: Annotated[
        int | None,
        typer.Option(min=1, max=3, help="Only this stage; it starts from the one before in --out."),
    ] = None,
    devices: Annotated[int, typer.Option(min=1, help="GPUs, or processes without one.")] = 1,
    precision: Annotated[
        str | None, typer.Option(help="32 or bf16-mixed.", show_default="the recipe's")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that is in --out.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan and the configuration, and stop.")
    ] = False,
) -> None:
    """Train on the train side of a protocol, and choose the epoch on its dev side.

    The test side is not opened. Stopped or killed at any moment, the same command with --resume
    goes on where it was, with the same bits on a processor. The folder has the model with its card,
    the configuration, the environment, log.csv and TensorBoard's curves.
    """
    from vivant.training.data import open_data
    from vivant.training.folder import RunFolder, environment
    from vivant.training.loop import fit, require_even_batches
    from vivant.training.plan import make_plan
    from vivant.training.progress import Progress
    from vivant.training.start import require_start

    experiment = _experiment(recipe, settings or [], pretrained, seed, precision)
    require_start(experiment)
    require_even_batches(experiment, devices)
    found = open_data(data, protocol, experiment.network.num_frames)
    folder = RunFolder(out)
    stages = (stage,) if stage else (1, 2, 3)
    _require_place(folder, experiment, found, stage, resume=resume, dry_run=dry_run)
    fabric = _launched(devices, experiment)
    console = Console(stderr=True) if fabric.is_global_zero else None
    if console is not None:
        plan = make_plan(fabric, experiment, found, stages)
        _print_plan(console, recipe, experiment, found, plan)
        if dry_run:
            typer.echo(experiment.model_dump_json(indent=2))
        elif not folder.is_there:
            made_with = environment(found.described, devices, experiment.precision)
            folder.begin(experiment, made_with)
    if dry_run:
        return
    fabric.barrier()
    with Progress(console) as progress:
        best = fit(fabric, experiment, found, folder, progress, stages=stages)
    if console is not None:
        _print_end(folder, experiment, best)


def _launched(devices: int, experiment: "Experiment") -> "Fabric":
    """Processes and devices; each process but the first runs the same command from its start."""
    from lightning_fabric import Fabric

    strategy = "ddp" if devices > 1 else "auto"
    fabric = Fabric(devices=devices, strategy=strategy, precision=experiment.precision)
    fabric.launch()
    return fabric


def _experiment(
    recipe: str,
    settings: list[str],
    pretrained: str | None,
    seed: int | None,
    precision: str | None,
) -> "Experiment":
    from vivant.training.config import Experiment, apply_settings

    experiment = find(RECIPES, recipe, "recipe")()
    assert isinstance(experiment, Experiment)
    options = {"pretrained": pretrained, "seed": seed, "precision": precision}
    # As JSON, so that `--precision 32` stays a word and a file may be called 1.
    given = [f"{name}={json.dumps(value)}" for name, value in options.items() if value is not None]
    return apply_settings(experiment, [*settings, *given])


def _require_place(
    folder: "RunFolder",
    experiment: "Experiment",
    data: "TrainingData",
    stage: int | None,
    *,
    resume: bool,
    dry_run: bool,
) -> None:
    """Make sure that the run's folder is what the options take it for.

    Raises:
        TrainingError: nothing to go on with, or something in the way.
    """
    from vivant.errors import TrainingError

    if dry_run:
        return
    if not folder.is_there:
        if resume or stage not in (None, 1):
            what = "--resume goes on with" if resume else f"--stage {stage} goes on from"
            raise TrainingError(f"{what} a run, and there is none at {folder.path}")
        return
    folder.go_on(experiment, data.fingerprint, data.name)
    begun = [number for number in (1, 2, 3) if folder.has_begun(number)]
    if not resume and (stage is None or stage in begun):
        raise TrainingError(
            f"a run has begun at {folder.path}: go on with --resume, or name another folder"
        )


def _print_plan(
    console: Console, recipe: str, experiment: "Experiment", data: "TrainingData", plan: "Plan"
) -> None:
    """Say what will be done, on what, and about how long it takes."""
    first_line = (find(RECIPES, recipe, "recipe").__doc__ or "").partition("\n")[0]
    console.print(Text(f"{recipe}: {first_line}"), soft_wrap=True)
    mark = "  SYNTHETIC: the model will say so" if data.is_synthetic else ""
    console.print(Text(f"data: {data.name} in {data.folder}{mark}"), soft_wrap=True)
    counts = Table(box=None, pad_edge=False)
    counts.add_column("side")
    kinds = list(dict.fromkeys(kind for side in plan.counts.values() for kind in side))
    for kind in (*kinds, "without a clip"):
        counts.add_column(Text(kind), justify="right")
    for side, found in plan.counts.items():
        numbers = [*(found.get(kind, 0) for kind in kinds), plan.without_clip[side]]
        counts.add_row(side, *(f"{number:,}" for number in numbers))
    console.print(counts)
    table = Table(box=None, pad_edge=False)
    for header in ("stage", "epochs", "steps", "clips", "learning rate", "about", "memory"):
        table.add_column(header, justify="right")
    for stage in plan.stages:
        config = experiment.stage(stage.number)
        assert config is not None
        table.add_row(
            str(stage.number),
            str(stage.epochs),
            f"{stage.steps:,}",
            f"{stage.clips:,}",
            f"{config.learning_rate:g}",
            _duration(stage.seconds),
            f"{stage.memory_bytes / 2**20:,.0f} MiB",
        )
    console.print(table)
    total_s = sum(stage.seconds for stage in plan.stages)
    console.print(
        f"about {_duration(total_s)} in all, from one measured step of each stage; reading not "
        "counted",
        highlight=False,
        soft_wrap=True,
    )


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _print_end(folder: "RunFolder", experiment: "Experiment", best: "Best") -> None:
    console = Console()
    console.print(
        f"stage {best.stage}, epoch {best.epoch + 1}: dev ACER {best.acer:.1%} (APCER "
        f"{best.apcer:.1%} of the worst PAI species, BPCER {best.bpcer:.1%}, by video, at the dev "
        "side's own equal error): optimistic, it was chosen there",
        soft_wrap=True,
        highlight=False,
    )
    card = folder.path / f"{experiment.model}.safetensors.json"
    if card.is_file():
        console.print(Text(f"vivant check CLIP.mp4 --model {card}"), soft_wrap=True)
    else:
        console.print(
            f"the next stage: --stage {best.stage + 1}; the model's card comes with the last",
            soft_wrap=True,
        )
