"""`vivant bench`: how fast the network is here, against the paper's naive form and the floor."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from vivant.cli.check import Threads

if TYPE_CHECKING:
    from vivant.bench.bench import Bench

__all__ = ["bench"]


def bench(
    model: Annotated[
        str,
        typer.Argument(
            help="A model's name (`vivant model list`), with random weights, or the card of a "
            "checkpoint (*.safetensors.json).",
        ),
    ] = "model_d",
    repeats: Annotated[int, typer.Option(min=1, help="Clips for each way, after one more.")] = 7,
    stream: Annotated[
        float,
        typer.Option(min=0, max=60, help="Seconds of a made-up film to stream; 0: none."),
    ] = 6.0,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Time torch.compile too: minutes of compiling.")
    ] = False,
    threads: Threads = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Time one clip in every way that is installed, in turns, and a stream against whole clips.

    The naive way is the paper's text taken by the letter: frames and patches one by one, the
    Grad-CAM by a backward pass. The floor is the best rate of a convolution in the same runtime and
    precision, measured in the same run. Ratios count; milliseconds are this machine's today.
    """
    from vivant.bench.bench import made_up_checkpoint, run_bench
    from vivant.plugins import find

    console = Console(stderr=True)
    with tempfile.TemporaryDirectory() as folder, console.status("starting") as status:
        if model.endswith(".json"):
            card = Path(model)
        else:
            config = find("vivant.networks.models", model, "model")()
            card = made_up_checkpoint(model, config, Path(folder))
        found = run_bench(
            card,
            repeats=repeats,
            num_threads=threads,
            compiled=compiled,
            stream_s=stream,
            tell=lambda what: status.update(f"{model}: {what}"),
        )
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
    else:
        _print(found)


def _print(found: "Bench") -> None:
    console = Console()
    machine = found.machine
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    flags = " ".join(machine.flags) or "no flags known"
    console.print(
        f"{machine.processor}, {machine.cores} cores ({flags})"
        f"{'' if machine.gpu is None else f', {machine.gpu}'}; {versions}; {machine.date}",
        soft_wrap=True,
    )
    console.print(
        f"{found.model}: {found.gmacs:.1f} GMAC a clip, one clip at a time, median of "
        f"{found.repeats}. naive: frames and patches one by one, Grad-CAM by a backward pass",
        soft_wrap=True,
    )
    table = _table("way", "ms", "least", "most", "clips/s", "faster", "floor", "MiB", "logits",
                   "anchors")  # fmt: skip
    for line in found.lines:
        table.add_row(
            line.way,
            _ms(line.ms),
            _ms(line.least_ms),
            _ms(line.most_ms),
            f"{line.clips_per_s:.2f}",
            f"x {line.times_as_fast:.2f}",
            _share(line.of_floor),
            "" if line.memory_mib is None else f"{line.memory_mib:.0f}",
            "" if line.logit_difference is None else f"{line.logit_difference:.0e}",
            _share(line.same_anchors),
        )
    console.print(table)
    if not found.streaming:
        return
    table = _table("stream", "patches", "windows", "ms", "whole", "faster", "/parts",
                   "frames", "new", "score")  # fmt: skip
    for one in found.streaming:
        table.add_row(
            one.way,
            one.patches,
            str(one.num_windows),
            f"{one.ms:.1f}",
            f"{one.scratch_ms:.1f}",
            f"x {one.times_as_fast:.2f}",
            f"{one.overhead:.3f}",
            f"{one.encoded_per_window:.2f}",
            f"{one.patches_per_window:.1f}",
            f"{one.score_difference:.0e}",
        )
    console.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number == 0 else "right", no_wrap=number == 0)
    return table


def _ms(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"
