"""`vivant export`: a checkpoint as one graph that runs without torch."""

import shlex
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vivant.errors import InputError

if TYPE_CHECKING:
    from vivant.export.drift import DriftReport
    from vivant.export.export import Exported
    from vivant.networks.card import Arithmetic

__all__ = ["export"]


class Target(StrEnum):
    """Formats of a graph."""

    ONNX = "onnx"
    OPENVINO = "openvino"
    TRITON = "triton"


def export(
    card: Annotated[
        Path, typer.Argument(help="Card of a checkpoint (*.safetensors.json).", show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option(help="Folder for the graph and its card; for triton, the model repository."),
    ],
    to: Annotated[
        Target,
        typer.Option(
            help="Format: onnx, for all runtimes of graphs; OpenVINO's own; or a model repository "
            "of the Triton Inference Server with the ONNX graph (docs/export.md)."
        ),
    ] = Target.ONNX,
    int8: Annotated[
        bool, typer.Option("--int8", help="Convolutions in int8. Needs --calibrate.")
    ] = False,
    bf16: Annotated[
        bool,
        typer.Option("--bf16", help="Convolutions in bf16, by OpenVINO. Needs --calibrate."),
    ] = False,
    fp16: Annotated[
        bool,
        typer.Option("--fp16", help="Weights stored in fp16: half the file. Needs --calibrate."),
    ] = False,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            help="Store of `vivant data prepare`: int8 is calibrated on every fourth of its "
            "subjects, and the graph's answers are judged on the others.",
            show_default="none: made-up clips, for float32 alone",
        ),
    ] = None,
    allow_drift: Annotated[
        bool,
        typer.Option(
            "--allow-drift",
            help="Write a graph of lower precision even where it changes too much. Where decisions "
            "change, its card has no operating point: set one with `vivant calibrate`.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
) -> None:
    """Write the whole network as one graph, and prove what it answers.

    In float32 it must answer like the checkpoint: logits, patches and scores within 1e-3, the same
    anchors on 99 % of frames. Lower precision may change 1 % of decisions, the anchors of 5 % of
    frames, and lose 0.005 of AUC; where it changes more, the backbone stays in float32, and where
    that does not help, the command fails and writes nothing.
    """
    from vivant.export.export import Target as Format
    from vivant.export.export import export_graph, file_name
    from vivant.export.judged_clips import read_clips
    from vivant.export.triton import export_repository, model_name
    from vivant.networks.card import read_card, refuse_to_replace

    asked = {"int8": int8, "bf16": bf16, "fp16": fp16}
    precision = _precision([name for name, is_asked in asked.items() if is_asked], to, calibrate)
    graph: Format = "openvino" if to is Target.OPENVINO else "onnx"
    read = read_card(card)
    if to is Target.TRITON:
        written = out / model_name(read.model, precision)
    else:
        written = out / file_name(read.model, graph, precision)
    refuse_to_replace(written, force=force)
    console = Console(stderr=True)
    with console.status(
        f"exporting {escape(card.name)} to {to.value} in {precision}: a minute or two"
    ):
        clips = None if calibrate is None else read_clips(calibrate, read)
        if to is Target.TRITON:
            exported = export_repository(card, out, precision, clips, allow_drift=allow_drift)
        else:
            exported = export_graph(card, out, graph, precision, clips, allow_drift=allow_drift)
    _print(exported, is_trained=read.training is not None)
    if to is Target.TRITON:
        _print_start(out, written.name)


def _precision(asked: list[str], to: Target, calibrate: Path | None) -> "Arithmetic":
    """The one that is asked for, if it can be had."""
    from vivant.export.triton import require_precision

    if len(asked) > 1:
        raise typer.BadParameter(f"one precision at a time, got {' and '.join(asked)}")
    precision: Arithmetic = asked[0] if asked else "float32"  # type: ignore[assignment]
    if to is Target.TRITON:
        require_precision(precision)
    if asked and calibrate is None:
        raise InputError(
            f"--{asked[0]} needs --calibrate STORE: what lower precision changes is judged on data"
        )
    return precision


def _print(exported: "Exported", *, is_trained: bool) -> None:
    """What was written, and what it answers."""
    untrained = "" if is_trained else " (UNTRAINED: no decision may rest on it)"
    print_line = partial(Console().print, markup=False)
    print_line(f"wrote {exported.card_path} in {exported.precision}{untrained}", soft_wrap=True)
    for runtime, report in exported.parity.items():
        agreement = ""
        if report.anchor_agreement is not None:
            agreement = f", same anchors on {report.anchor_agreement:.1%} of frames"
        print_line(
            f"{runtime}, {report.num_clips} clips: logits within {report.logit_difference:.1e} of "
            f"the largest, scores within {report.score_difference:.1e}{agreement}",
            soft_wrap=True,
        )
    if exported.drift:
        print_line(_drift_table(exported.drift))
    if not exported.keeps_operating_point:
        print_line(
            "decisions change: the card has no operating point, set one with `vivant calibrate`",
            style="yellow",
        )


def _print_start(repository: Path, model: str) -> None:
    """How Triton serves what was written. Which release of it is the reader's choice."""
    # To this machine alone: Triton asks nobody who they are.
    mount = shlex.quote(f"{repository.resolve()}:/models:ro")
    for line in (
        f"Triton's model {model} is in {repository}. To serve it, with a release of Triton for "
        "<TAG>, and without --gpus all where there is no GPU:",
        f"docker run --gpus all --rm -p 127.0.0.1:8000:8000 -v {mount} "
        "nvcr.io/nvidia/tritonserver:<TAG> tritonserver --model-repository /models",
    ):
        Console().print(line, soft_wrap=True, markup=False, highlight=False)


def _drift_table(reports: "tuple[DriftReport, ...]") -> Table:
    """Every variant that was tried beside float32."""
    from vivant.export.drift import too_far

    first = reports[0]
    table = Table(
        box=None,
        pad_edge=False,
        title=f"Beside float32 in the same runtime, on {first.num_clips} clips: score differences, "
        f"decisions that flip at {first.threshold:.3f} ({first.threshold_from}), frames with the "
        "same anchors",
        title_justify="left",
        title_style="",
    )
    for name in ("runtime", "mean", "max", "flips", "anchors", "AUC", "faster", "bounds"):
        is_text = name in ("runtime", "bounds")
        table.add_column(name, justify="left" if is_text else "right", no_wrap=is_text)
    for report in reports:
        anchors = report.anchor_agreement
        table.add_row(
            report.runtime,
            f"{report.mean_difference:.4f}",
            f"{report.max_difference:.4f}",
            f"{report.flips:.1%}",
            "" if anchors is None else f"{anchors:.1%}",
            f"{report.auc_before:.4f} {report.auc_after:.4f}",
            f"x {report.times_as_fast:.2f}",
            "too far" if too_far(report) else "within",
        )
    return table
