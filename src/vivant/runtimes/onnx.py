"""Runs an exported graph with ONNX Runtime. Needs no torch."""

import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
from jaxtyping import Shaped

from vivant.errors import CardError
from vivant.networks.card import ModelCard, Precision, read_card
from vivant.networks.part_specs import output_fields, part_specs
from vivant.records import Scores
from vivant.runtimes.graph_file import cut_out, read_onnx
from vivant.runtimes.runner import check_clips, label, run_in_parts, to_scores

__all__ = ["OnnxRunner"]


class OnnxRunner:
    """An exported graph on the CPU.

    A graph in lower precision is run part by part: as a whole ONNX Runtime would join operations
    across the seams, and a stream would have other scores than a file.

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
        # Threads that spin between two runs take the cores from decoding and faces.
        self._options.add_session_config_entry("session.force_spinning_stop", "1")
        self._options.log_severity_level = 3  # Errors: warnings tell of the graph's optimisation.
        self._specs = part_specs(self.card.architecture)
        self._parts: dict[str, onnxruntime.InferenceSession] = {}
        self._lock = threading.Lock()
        self._whole: onnxruntime.InferenceSession | None = None
        if self.card.precision == Precision():
            self._whole = self._open(self._content)
            self._require_fields(self._whole)
        else:
            for part in self._specs:
                self._part(part)

    def run(
        self, clips: Shaped[np.ndarray, "..."], context: Shaped[np.ndarray, "..."] | None = None
    ) -> Scores:
        """Score clips: see `Runner.run`."""
        if self._whole is None:
            return run_in_parts(self, clips, context)
        check_clips(self.card, clips, context)
        fields = output_fields(self.card.architecture)
        names = [each.name for each in self._whole.get_inputs()]
        given = (clips,) if context is None else (clips, context)
        answer = self._whole.run(list(fields), dict(zip(names, given, strict=True)))
        return to_scores(dict(zip(fields, map(_native, answer), strict=True)))

    def run_part(self, part: str, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one part: see `Runner.run_part`. Each is prepared when it is first asked for."""
        spec = self._specs[part]
        inputs = {f"{part}/{name}": given[name] for name in spec.inputs}
        answer = self._part(part).run([f"{part}/{name}" for name in spec.outputs], inputs)
        return dict(zip(spec.outputs, map(_native, answer), strict=True))

    def _part(self, part: str) -> onnxruntime.InferenceSession:
        with self._lock:
            if part not in self._parts:
                name = self.card.weights.file_name
                self._parts[part] = self._open(
                    cut_out(self._content, part, self._specs[part], name)
                )
            return self._parts[part]

    def _require_fields(self, session: onnxruntime.InferenceSession) -> None:
        expected = output_fields(self.card.architecture)
        given = [output.name for output in session.get_outputs()]
        num_inputs = 1 + self.card.architecture.advisor.context
        types = [each.type for each in session.get_inputs()]
        if given != list(expected) or types != ["tensor(uint8)"] * num_inputs:
            raise CardError(
                f"{self.card.weights.file_name} is not the graph of its card: expected "
                f"{num_inputs} inputs of uint8 and the outputs {', '.join(expected)}, got "
                f"{', '.join(types)} and {', '.join(given)}"
            )

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
