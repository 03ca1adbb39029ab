"""Runs an exported graph with ONNX Runtime. Needs no torch."""

import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
from jaxtyping import Shaped

from vivant.errors import CardError
from vivant.networks.card import ModelCard, read_card
from vivant.networks.part_specs import output_fields, part_specs
from vivant.records import Scores
from vivant.runtimes.graph_file import cut_out, read_onnx
from vivant.runtimes.runner import check_clips, label, to_scores

__all__ = ["OnnxRunner"]


class OnnxRunner:
    """An exported graph on the CPU.

    Args:
        card_path: The exported graph's card.
        num_threads: Threads of one operator; 0 for one a core.

    Raises:
        CardError: the card is damaged, or its file is missing, another one, no usable graph, or to
            be computed in what ONNX Runtime has not.
    """

    def __init__(self, card_path: Path, num_threads: int = 0) -> None:
        self.card = read_card(card_path)
        self._require_precision(self.card)
        self._content = read_onnx(self.card, card_path)
        self.runtime = label("onnx", self.card.precision)
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = num_threads
        self._options.log_severity_level = 3  # Errors: warnings tell of the graph's optimisation.
        self._session = self._open(self._content)
        self._input = self._session.get_inputs()[0].name
        self._fields = [output.name for output in self._session.get_outputs()]
        expected = output_fields(self.card.architecture)
        if self._fields != list(expected) or self._session.get_inputs()[0].type != "tensor(uint8)":
            raise CardError(
                f"{self.card.weights.file_name} is not the graph of its card: expected uint8 clips "
                f"and the outputs {', '.join(expected)}, got {', '.join(self._fields)}"
            )
        self._parts: dict[str, onnxruntime.InferenceSession] = {}
        self._lock = threading.Lock()

    def run(self, clips: Shaped[np.ndarray, "..."]) -> Scores:
        """Score clips: see `Runner.run`."""
        check_clips(self.card, clips)
        answer = self._session.run(self._fields, {self._input: clips})
        return to_scores(dict(zip(self._fields, map(_native, answer), strict=True)))

    def run_part(self, part: str, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one part: see `Runner.run_part`. Each is prepared when it is first asked for."""
        spec = part_specs(self.card.architecture)[part]
        with self._lock:
            if part not in self._parts:
                name = self.card.weights.file_name
                self._parts[part] = self._open(cut_out(self._content, part, spec, name))
        inputs = {f"{part}/{name}": given[name] for name in spec.inputs}
        answer = self._parts[part].run([f"{part}/{name}" for name in spec.outputs], inputs)
        return dict(zip(spec.outputs, map(_native, answer), strict=True))

    def _open(self, content: bytes) -> onnxruntime.InferenceSession:
        try:
            return onnxruntime.InferenceSession(
                content, self._options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors share no base class but this.
            name = self.card.weights.file_name
            raise CardError(f"{name} is not a usable graph: {error}") from error

    @staticmethod
    def _require_precision(card: ModelCard) -> None:
        if "bf16" in (card.precision.encode, card.precision.execute):
            raise CardError(
                f"{card.model} is to be computed in bf16, which ONNX Runtime's CPU part has not: "
                "use --runtime openvino, or export it in float32 or int8"
            )


def _native(values: np.ndarray) -> np.ndarray:
    # ONNX Runtime answers in C's long long: the same 64 bits under another name.
    return values.view(np.int64) if values.dtype.kind == "i" else values
