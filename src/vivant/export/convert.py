"""Traced graphs as ONNX models."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from onnx import ModelProto
from torch.export import ExportedProgram

__all__ = ["OPSET", "convert"]

OPSET = 20
"""What parity was tested with; GridSample has its present form since."""


def convert(program: ExportedProgram, inputs: Sequence[str], outputs: Sequence[str]) -> ModelProto:
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
    model: ModelProto = converted.model_proto
    _forget_the_source(model)
    return model


def _forget_the_source(model: ModelProto) -> None:
    """Drop what the exporter notes of each node: lines and paths of this machine's files."""
    graph = model.graph
    for holder in (model, graph, *graph.node, *graph.initializer, *graph.value_info):
        del holder.metadata_props[:]
        holder.ClearField("doc_string")
    for value in (*graph.input, *graph.output):
        del value.metadata_props[:]
        value.ClearField("doc_string")


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
