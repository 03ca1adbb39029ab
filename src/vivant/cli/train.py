"""`vivant train`: three stages, from a prepared store to a model with its card."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vivant.cli.engine import Address, Engine, EngineName, NodePatience, require_ray_for
from vivant.plugins import find

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from vivant.training.config import Experiment
    from vivant.training.data import TrainingData
    from vivant.training.folder import Best, RunFolder
    from vivant.training.plan import Plan

__all__ = ["train"]

RECIPES = "vivant.recipes"

Devices = Annotated[
    int | None,
    typer.Option(min=1, help="GPUs, or processes without one.", show_default="1, or torchrun's"),
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="With --engine ray: how many train together.", show_default="1"),
]
UseGpu = Annotated[
    bool, typer.Option("--use-gpu", help="With --engine ray: each worker takes a GPU.")
]


def train(
    recipe: Annotated[
        str,
        typer.Argument(
            help="model_a to model_d of the paper, cnn_lstm, stasn, lite; starter (of bona fide "
            "alone), tiny (minutes), smoke (plumbing only); small_: Table 1 in small.",
        ),
    ],
    data: Annotated[str, typer.Option(help="A store of `vivant data prepare`, here or at a URL.")],
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
    devices: Devices = None,
    precision: Annotated[
        str | None, typer.Option(help="32 or bf16-mixed.", show_default="the recipe's")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that is in --out.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan and the configuration, and stop.")
    ] = False,
    engine: Engine = EngineName.LOCAL,
    address: Address = None,
    workers: Workers = None,
    use_gpu: UseGpu = False,
    patience: NodePatience = None,
) -> None:
    """Train on the train side of a protocol, and choose the epoch on its dev side.

    The test side is not opened. Stopped or killed at any moment, the same command with --resume
    goes on where it was, with the same bits on a processor. The folder has the model with its card,
    the configuration, the environment, log.csv and TensorBoard's curves. torchrun starts it as
    `torchrun ... -m vivant train ...`; a cluster's nodes must share the store and the folder.
    """
    from vivant.preparation.place import to_place
    from vivant.training.data import data_for
    from vivant.training.folder import RunFolder
    from vivant.training.loop import require_even_batches
    from vivant.training.processes import was_restarted
    from vivant.training.start import require_start

    require_ray_for(engine, address=address, workers=workers, use_gpu=use_gpu, patience=patience)
    on_ray = engine is EngineName.RAY
    num = _num_processes(devices, workers, on_ray=on_ray)
    experiment = _experiment(recipe, settings or [], pretrained, seed, precision)
    require_start(experiment)
    require_even_batches(experiment, num)
    found = data_for(experiment, to_place(data), protocol)
    folder = RunFolder(out)
    goes_on = resume or (was_restarted() and folder.is_there)
    _require_place(folder, experiment, found, stage, resume=goes_on, dry_run=dry_run)
    order = _Order(recipe, experiment, (stage,) if stage else (1, 2, 3))
    best: Best | None
    if on_ray and not dry_run:
        best = _train_on_ray(order, found, folder, num, address, patience, use_gpu=use_gpu)
    else:
        best = _train_here(order, found, folder, 1 if on_ray else num, dry_run=dry_run)
    if best is not None:
        _print_end(folder, experiment, best)


def _num_processes(devices: int | None, workers: int | None, *, on_ray: bool) -> int:
    """How many train together.

    Raises:
        typer.BadParameter: --devices, for a cluster.
        ConfigError: torchrun has started another number.
    """
    from vivant.training.processes import num_processes

    if not on_ray:
        return num_processes(devices)
    if devices is not None:
        raise typer.BadParameter("expected --workers with --engine ray, got --devices")
    return workers or 1


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be trained; called, it says what that means."""

    recipe: str
    experiment: "Experiment"
    stages: tuple[int, ...]

    def __call__(self, console: Console, fabric: "Fabric", data: "TrainingData") -> None:
        """Say what will be done, on what, and about how long it takes on a device."""
        from vivant.training.plan import make_plan

        plan = make_plan(fabric, self.experiment, data, self.stages)
        _print_plan(console, self.recipe, self.experiment, data, plan)


def _train_here(
    order: _Order, data: "TrainingData", folder: "RunFolder", num_processes: int, *, dry_run: bool
) -> "Best | None":
    """In this process and those beside it; the first returns the best epoch.

    Where it is dry, say what would be done, and return nothing.
    """
    from vivant.training.folder import environment
    from vivant.training.loop import fit
    from vivant.training.processes import launched
    from vivant.training.progress import Progress

    experiment = order.experiment
    fabric = launched(num_processes, experiment.precision)
    console = Console(stderr=True) if fabric.is_global_zero else None
    if console is not None:
        order(console, fabric, data)
        if dry_run:
            typer.echo(experiment.model_dump_json(indent=2))
        elif not folder.is_there:
            made_with = environment(data.described, fabric.world_size, experiment.precision)
            folder.begin(experiment, made_with)
    if dry_run:
        return None
    fabric.barrier()
    with Progress(console) as progress:
        best = fit(fabric, experiment, data, folder, progress, stages=order.stages)
    return best if console is not None else None


def _train_on_ray(
    order: _Order,
    data: "TrainingData",
    folder: "RunFolder",
    num_workers: int,
    address: str | None,
    patience_s: float | None,
    *,
    use_gpu: bool,
) -> "Best":
    """In the workers of a cluster."""
    from vivant.distributed.cluster import connected
    from vivant.distributed.training import Job, train_on_cluster

    console = Console(stderr=True)
    job = Job(
        experiment=order.experiment,
        store=data.folder.absolute() if isinstance(data.folder, Path) else data.folder,
        protocol=data.name,
        out=folder.path.absolute(),
        stages=order.stages,
        use_gpu=use_gpu,
        folder=Path.cwd(),
        announce=order,
    )
    with connected(address) as room:
        console.print(f"{num_workers} workers; {room}", highlight=False, soft_wrap=True)
        return train_on_cluster(
            job,
            num_workers,
            lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True),
            patience_s or 0.0,
        )


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
    if experiment.fit is not None:
        console.print(
            "stage 1 is a fit: each frame of the train side is described once, as it is stored, "
            f"filmed and recaptured; {experiment.fit.most_per_set} frames of a set at most",
            highlight=False,
            soft_wrap=True,
        )
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
    told = (
        f"stage {best.stage}, epoch {best.epoch + 1}: dev ACER {best.acer:.1%} (APCER "
        f"{best.apcer:.1%} of the worst PAI species, BPCER {best.bpcer:.1%}, by video, at the dev "
        "side's own equal error): optimistic, it was chosen there"
    )
    if best.stage == 1 and experiment.fit is not None:
        told = (
            f"stage 1 is fitted: on sets that the fit has not seen, each counted alike, BPCER "
            f"{best.bpcer:.1%} and APCER {best.apcer:.1%} of the worst PAI species, simulated, by "
            f"frame, at the card's threshold {best.threshold:.4f}"
        )
    console.print(told, soft_wrap=True, highlight=False)
    card = folder.path / f"{experiment.model}.safetensors.json"
    if card.is_file():
        console.print(Text(f"vivant check CLIP.mp4 --model {card}"), soft_wrap=True)
    else:
        console.print(
            f"the next stage: --stage {best.stage + 1}; the model's card comes with the last",
            soft_wrap=True,
        )
