"""Exports a checkpoint as one ONNX graph that ONNX Runtime runs without torch."""

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch.export import ExportedProgram

from vivant.export.graph import ClipGraph, trace
from vivant.export.parity import ParityReport, check_parity, compare
from vivant.files import write_whole
from vivant.networks.card import ModelCard, WeightsFile, digest, write_card
from vivant.networks.checkpoint import load_checkpoint
from vivant.runtimes.onnx import OnnxRunner
from vivant.runtimes.torch import TorchRunner

__all__ = ["convert", "export_onnx"]

OPSET = 20
"""What parity was tested with; GridSample has its present form since."""

NUM_PARITY_CLIPS = 4


def export_onnx(card_path: Path, folder: Path) -> tuple[Path, ParityReport]:
    """Write `<model>.onnx` and its card, and prove that it answers like the checkpoint.

    Args:
        card_path: The checkpoint's card.
        folder: Made if it is not there. It may be the checkpoint's own.

    Returns:
        The new card's path, and how far the graph is from the checkpoint on made-up clips.

    Raises:
        CardError: the checkpoint is damaged.
        ParityError: the graph answers otherwise. Then nothing is written.
    """
    network, card = load_checkpoint(card_path)
    graph = ClipGraph(network, card.preprocessing)
    content = convert(trace(graph), ["clips"], graph.fields)
    exported = card.model_copy(
        update={
            "weights": WeightsFile(
                file_name=f"{card.model}.onnx", format="onnx", sha256=digest(content)
            ),
            "versions": {**card.versions, "onnx": version("onnx"), "opset": str(OPSET)},
        }
    )
    with tempfile.TemporaryDirectory() as draft:
        draft_card = _write(exported, content, Path(draft))
        clips = _parity_clips(card)
        report = compare(TorchRunner(card_path).run(clips), OnnxRunner(draft_card).run(clips))
    check_parity(report)
    return _write(exported, content, folder), report


def convert(program: ExportedProgram, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """A traced graph as an ONNX model, weights included.

    Args:
        program: From `torch.export`.
        inputs: Names for its inputs.
        outputs: Names for its outputs.
    """
    with _quiet_exporter():
        converted = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=OPSET,
            input_names=inputs,
            output_names=outputs,
            verbose=False,
        )
    assert converted is not None
    content: bytes = converted.model_proto.SerializeToString()
    return content


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Without what torch 2.13's exporter tells of itself, which a user cannot act on."""
    # It logs a warning for each operator of torchvision, which nothing here uses ...
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # ... and deprecates its own tree class (LeafSpec).
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
            yield
    finally:
        log.setLevel(level)


def _write(card: ModelCard, content: bytes, folder: Path) -> Path:
    write_whole(folder / card.weights.file_name, content)
    return write_card(card, folder)


def _parity_clips(card: ModelCard) -> UInt8[np.ndarray, "b n side side 3"]:
    """Clips with structure at all scales: coarse random colours under fine noise, seeded."""
    generator = np.random.default_rng(0)
    side, num_frames = card.preprocessing.crop_side_px, card.architecture.num_frames
    shape = (NUM_PARITY_CLIPS, num_frames)
    coarse = generator.integers(0, 256, (*shape, 7, 7, 3)).repeat(side // 7, 2).repeat(side // 7, 3)
    noise = generator.normal(0, 20, (*shape, side, side, 3))
    return (coarse + noise).clip(0, 255).astype(np.uint8)
