"""An exported ONNX file: read with care, and cut where its parts were joined."""

from pathlib import Path

from vivant.errors import CardError
from vivant.networks.card import ModelCard, read_weights
from vivant.networks.part_specs import PartSpec
from vivant.runtimes.external_data import refers_to_files

__all__ = ["cut_out", "read_onnx"]


def read_onnx(card: ModelCard, card_path: Path) -> bytes:
    """The graph that a card belongs to.

    Args:
        card: The card.
        card_path: Where it lies.

    Raises:
        CardError: its file is missing, another one, or no ONNX file, or has weights elsewhere.
    """
    name = card.weights.file_name
    if card.weights.format != "onnx":
        raise CardError(
            f"{card_path.name} is the card of a {card.weights.format} file, expected onnx: make "
            "one with vivant export"
        )
    (content,) = read_weights(card, card_path.parent)
    try:
        external = refers_to_files(content)
    except ValueError as error:
        raise CardError(f"{name} is not an ONNX file: {error}") from error
    if external:
        raise CardError(
            f"{name} keeps weights in other files, which no card vouches for: export it as one file"
        )
    return content


def cut_out(content: bytes, part: str, spec: PartSpec, name: str) -> bytes:
    """One part of a graph, as a graph of its own with the names `part/field`.

    Args:
        content: The whole graph.
        part: Which.
        spec: What it takes and gives.
        name: What to call the file in errors.

    Raises:
        CardError: the graph has no such part.
    """
    import onnx  # noqa: PLC0415 - 0.2 s that only streams pay for.
    from onnx.utils import Extractor  # noqa: PLC0415

    inputs, outputs = (
        [f"{part}/{field}" for field in fields] for fields in (spec.inputs, spec.outputs)
    )
    model = onnx.load_model_from_string(content)
    there = {value.name for value in model.graph.value_info}
    if not there.issuperset([*inputs, *outputs]):
        raise CardError(
            f"{name} has no part {part!r}: it was exported by an older version of vivant, export "
            "it again"
        )
    cut: bytes = Extractor(model).extract_model(inputs, outputs).SerializeToString()
    return cut
