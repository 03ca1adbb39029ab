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
) -> None:
    """Write the whole network as one graph, and prove that it answers like the checkpoint.

    The command fails, and writes nothing, where the graph answers otherwise.
    """
    from vivant.export.onnx import export_onnx

    console = Console(stderr=True)
    with console.status(f"exporting {card.name} to {to.value}: about half a minute"):
        graph_card, report = export_onnx(card, out)
    Console().print(f"wrote {graph_card}", soft_wrap=True)
    agreement = (
        ""
        if report.anchor_agreement is None
        else (f", same anchors on {report.anchor_agreement:.1%} of frames")
    )
    Console().print(
        f"parity over {report.num_clips} made-up clips: logits within "
        f"{report.logit_difference:.1e} of the largest{agreement}",
        soft_wrap=True,
    )
