"""`vivant export`: a checkpoint as one graph that runs without torch."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

__all__ = ["export"]


class Target(StrEnum):
    """Formats of a graph."""

    ONNX = "onnx"


def export(
    card: Annotated[
        Path, typer.Argument(help="Card of a checkpoint (*.safetensors.json).", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Folder for the graph and its card.")],
    to: Annotated[Target, typer.Option(help="Format of the graph.")] = Target.ONNX,
    force: Annotated[bool, typer.Option("--force", help="Replace a graph that is there.")] = False,
) -> None:
    """Write the whole network as one graph, and prove that it answers like the checkpoint.

    The command fails, and writes nothing, where the graph answers otherwise.
    """
    from vivant.export.onnx import export_onnx
    from vivant.networks.card import read_card, refuse_to_replace

    read = read_card(card)
    refuse_to_replace(out / f"{read.model}.{to.value}", force=force)
    console = Console(stderr=True)
    with console.status(f"exporting {card.name} to {to.value}: about half a minute"):
        graph_card, report = export_onnx(card, out)
    untrained = "" if read.training else " (UNTRAINED: no decision may rest on it)"
    Console().print(f"wrote {graph_card}{untrained}", soft_wrap=True)
    agreement = (
        ""
        if report.anchor_agreement is None
        else (f", same anchors on {report.anchor_agreement:.1%} of frames")
    )
    Console().print(
        f"parity over {report.num_clips} made-up clips: logits within "
        f"{report.logit_difference:.1e} of the largest, scores within "
        f"{report.score_difference:.1e}{agreement}",
        soft_wrap=True,
    )
