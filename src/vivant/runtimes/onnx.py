"""Runs an exported graph with ONNX Runtime. Needs no torch."""

from pathlib import Path

import numpy as np
import onnxruntime
from jaxtyping import Shaped

from vivant.errors import CardError
from vivant.networks.card import read_card, read_weights
from vivant.records import Scores
from vivant.runtimes.external_data import refers_to_files
from vivant.runtimes.runner import check_clips, output_fields, to_scores

__all__ = ["OnnxRunner"]


class OnnxRunner:
    """An exported graph on the CPU.

    Args:
        card_path: The exported graph's card.
        num_threads: Threads of one operator; 0 for one a core.

    Raises:
        CardError: the card is damaged, or its file is missing, another one, or no usable graph.
    """

    def __init__(self, card_path: Path, num_threads: int = 0) -> None:
        self.card = read_card(card_path)
        if self.card.weights.format != "onnx":
            raise CardError(
                f"{card_path.name} is the card of a {self.card.weights.format} file, "
                "expected onnx: make one with vivant export"
            )
        content = read_weights(self.card, card_path.parent)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.log_severity_level = 3  # Errors: warnings tell of the graph's optimisation.
        name = self.card.weights.file_name
        try:
            external = refers_to_files(content)
        except ValueError as error:
            raise CardError(f"{name} is not an ONNX file: {error}") from error
        if external:
            raise CardError(
                f"{name} keeps weights in other files, which no card vouches for: "
                "export it as one file"
            )
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors share no base class but this.
            raise CardError(f"{name} is not a usable graph: {error}") from error
        self._input = self._session.get_inputs()[0].name
        self._fields = [output.name for output in self._session.get_outputs()]
        expected = output_fields(self.card.architecture)
        if self._fields != list(expected) or self._session.get_inputs()[0].type != "tensor(uint8)":
            raise CardError(
                f"{name} is not the graph of its card: expected uint8 clips and the outputs "
                f"{', '.join(expected)}, got {', '.join(self._fields)}"
            )

    def run(self, clips: Shaped[np.ndarray, "..."]) -> Scores:
        """Score clips: see `Runner.run`."""
        check_clips(self.card, clips)
        answer = self._session.run(self._fields, {self._input: clips})
        fields = dict(zip(self._fields, answer, strict=True))
        if "anchors" in fields:
            # ONNX Runtime answers in C's long long: the same 64 bits under another name.
            fields["anchors"] = fields["anchors"].view(np.int64)
        return to_scores(fields)
