"""`vivant reproduce`: the paper's tables and figures, ours beside the paper's."""

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vivant.cli.data.listing import Json
from vivant.cli.engine import Address, Engine, EngineName, NodePatience, require_ray_for
from vivant.errors import ConfigError
from vivant.plugins import find

if TYPE_CHECKING:
    from vivant.reproduction.reproduce import TrainAll
    from vivant.training.config import Experiment

__all__ = ["reproduce"]

RECIPES = "vivant.recipes"
_SYNTHETIC = "synthetic"
_SMOKE = "smoke"
_WIDTH = 200

Drawn = Annotated[
    str | None,
    typer.Option(
        metavar="synthetic[:SIZE]",
        help="Draw what is not given, and mark every table SYNTHETIC. SIZE: smoke, tiny "
        "(default), small, full.",
    ),
]
Vary = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PART.FIELD=V1,V2",
        help="For ablation: one more line for each value (of several: each combination), such "
        "as network.aam.num_patches=2,8, network.aam.depth_side=7,28, network.aam.grid_side=7, "
        "network.fusion=mean, network.crop_side_px=448.",
    ),
]
GpusPerRun = Annotated[
    float, typer.Option(min=0, help="With --engine ray: share of a GPU that each training takes.")
]


def reproduce(
    target: Annotated[
        str,
        typer.Argument(
            help="table1, table2, table3, table4, figure1, figure4, figure5, all; or ablation, "
            "beyond the paper, with --vary."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for runs, scores and the page.")],
    oulu: Annotated[
        Path | None, typer.Option(help="OULU-NPU: its owner's folder, or a store of it.")
    ] = None,
    siw: Annotated[
        Path | None, typer.Option(help="SiW: its owner's folder, or a store of it.")
    ] = None,
    data: Drawn = None,
    recipe: Annotated[
        str, typer.Option(help="Of the whole network; its variants are made of it.")
    ] = "model_d",
    pretrained: Annotated[
        str | None,
        typer.Option(help="ImageNet weights, as for `vivant train`.", show_default="the recipe's"),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PART.FIELD=VALUE", help="Change a field of all runs."),
    ] = None,
    vary: Vary = None,
    with_images: Annotated[
        bool, typer.Option("--with-images", help="Show faces in Figure 5.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the runs, and stop.")] = False,
    as_json: Json = False,
    engine: Engine = EngineName.LOCAL,
    address: Address = None,
    gpus_per_run: GpusPerRun = 0.0,
    patience: NodePatience = None,
) -> None:
    """Train, score and compare all that is behind a table or a figure, and write one page.

    Stopped or killed at any moment, the same command goes on where it was; what is done is not done
    again, and runs that tables share are trained once. OULU-NPU and SiW come from their owners.
    On a cluster, whose nodes must share the store and the folder, the trainings go on at once.
    """
    from vivant.reproduction.plan import wanted
    from vivant.reproduction.reproduce import Order
    from vivant.reproduction.reproduce import reproduce as run
    from vivant.training.progress import Progress
    from vivant.training.start import require_start

    require_ray_for(engine, address=address, gpus_per_run=gpus_per_run, patience=patience)
    targets = wanted(target)
    experiment = _experiment(recipe, settings or [], pretrained)
    require_start(experiment)
    drawn = _size(data, recipe)
    ablation = _combinations(vary or [], target)
    if dry_run:
        _list_runs(targets, ablation, experiment)
        return
    order = Order(
        name=target,
        targets=targets,
        recipe=experiment,
        given={"oulu_npu": oulu, "siw": siw},
        size=drawn,
        folder=out,
        ablation=ablation,
        with_images=with_images,
        is_smoke=recipe == _SMOKE,
        facts=_facts(recipe, oulu, siw, drawn),
    )
    console = Console(stderr=True)
    place = _trainings(engine, address, gpus_per_run, patience, console)
    with _telling(console) as tell, place as trainings:
        content = run(order, lambda: Progress(console), tell, trainings)
    if as_json:
        typer.echo(json.dumps(content, indent=2, allow_nan=False))
    else:
        _print(content, order.page)


def _experiment(recipe: str, settings: list[str], pretrained: str | None) -> "Experiment":
    from vivant.training.config import Experiment, apply_settings

    experiment = find(RECIPES, recipe, "recipe")()
    assert isinstance(experiment, Experiment)
    given = [] if pretrained is None else [f"pretrained={json.dumps(pretrained)}"]
    return apply_settings(experiment, [*settings, *given])


def _list_runs(
    targets: tuple[str, ...], ablation: tuple[tuple[str, ...], ...], experiment: "Experiment"
) -> None:
    from vivant.reproduction.plan import runs_of

    runs = runs_of(targets, ablation)
    for each in runs:
        each.experiment(experiment)  # A setting that does not fit is told.
    typer.echo("\n".join(each.name for each in runs))


def _size(data: str | None, recipe: str) -> str | None:
    """Of what is drawn; None: nothing is.

    Raises:
        ConfigError: it does not begin with `synthetic`.
    """
    if data is None:
        return None
    word, _, size = data.partition(":")
    if word != _SYNTHETIC:
        raise ConfigError(
            f"expected --data synthetic or synthetic:SIZE, got {data!r}; OULU-NPU and SiW are "
            "given with --oulu DIR and --siw DIR"
        )
    return size or (_SMOKE if recipe == _SMOKE else "tiny")


def _combinations(vary: list[str], target: str) -> tuple[tuple[str, ...], ...]:
    """The settings of each line of an ablation.

    Raises:
        ConfigError: not of the form, or not for this target.
    """
    if not vary:
        return ()
    if target != "ablation":
        raise ConfigError(f"--vary is for the target ablation, got {target}")
    options = []
    for each in vary:
        name, sign, values = each.partition("=")
        if not sign or not name or not values:
            raise ConfigError(f"expected --vary PART.FIELD=V1,V2, got {each!r}")
        options.append([f"{name}={value}" for value in values.split(",")])
    return tuple(product(*options))


def _facts(
    recipe: str, oulu: Path | None, siw: Path | None, size: str | None
) -> list[tuple[str, str]]:
    found = [f"OULU-NPU in {oulu}"] if oulu else []
    found += [f"SiW in {siw}"] if siw else []
    found += [f"drawn ({size})"] if size else []
    command = shlex.join(["vivant", *sys.argv[1:]])
    return [("recipe", recipe), ("data", ", ".join(found) or "none"), ("command", command)]


@contextmanager
def _telling(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """A line for each new thing that is done; on a terminal, how far it is."""
    state = {"what": ""}

    def tell(what: str, done: int, num: int) -> None:
        if what != state["what"]:
            state["what"] = what
            console.print(f"{what} ({done:,} of {num:,})", highlight=False, markup=False)

    yield tell


@contextmanager
def _trainings(
    engine: EngineName,
    address: str | None,
    gpus_per_run: float,
    patience_s: float | None,
    console: Console,
) -> Iterator["TrainAll | None"]:
    """How runs are trained; None: here. Who names a cluster that is not there hears it first."""
    if engine is EngineName.LOCAL:
        yield None
        return
    from vivant.distributed.cluster import connected
    from vivant.distributed.sweep import Sweep

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    with connected(address) as room:
        say(str(room))
        yield Sweep(say, gpus_per_run, patience_s or 0.0)


def _print(content: dict[str, Any], page: Path) -> None:
    from vivant.reproduction.page import table_lines

    console = Console()
    for notice in content["notices"]:
        console.print(notice, style="bold red", highlight=False, markup=False, soft_wrap=True)
    for name, rows in content["tables"].items():
        title, lines = table_lines(name, rows)
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for header in (
            "set", "method", "paper", "ours, by video", "less paper's", "ACER by clip", "n", "95 %"
        ):  # fmt: skip
            table.add_column(header, no_wrap=True)
        for cells in lines:
            table.add_row(*map(Text, cells))
        # Wide, and cut off by nothing: a narrow terminal wraps its lines.
        Console(width=max(console.width, _WIDTH)).print(table)
    if content["tables"]:
        console.print(
            "rates in %: APCER (worst PAI species) / BPCER / ACER (legacy), at the dev side's "
            "equal error; † printed numbers that do not add up: the page says which",
            soft_wrap=True,
            highlight=False,
        )
    figure1 = content["figures"].get("figure1")
    if figure1:
        found = figure1["difference"]
        console.print(
            f"displacement of patches, bona fide less attack: {found['mean_px']:+.2f} px of a crop "
            "of 224",
            highlight=False,
            soft_wrap=True,
        )
    console.print(str(page), highlight=False, markup=False, soft_wrap=True)
