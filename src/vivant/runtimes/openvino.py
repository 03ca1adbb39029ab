"""Runs an exported graph with OpenVINO: the extra `openvino`. Needs no torch."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from vivant.errors import CardError
from vivant.networks.card import Precision, read_card, read_weights
from vivant.networks.part_specs import PartSpec, output_fields, part_specs
from vivant.records import Scores
from vivant.runtimes.graph_file import read_onnx
from vivant.runtimes.runner import check_clips, label, run_in_parts, to_scores
from vivant.runtimes.silent_openvino import CORE, openvino, opset15

__all__ = ["OpenVinoRunner"]

# What is not quantised already: int8 stands in the graph.
_HINTS = {"float32": "f32", "fp16": "f32", "int8": "f32", "bf16": "bf16"}


class OpenVinoRunner:
    """An exported graph, ONNX or OpenVINO's own, on the CPU.

    A graph in lower precision is run part by part: OpenVINO would round what stands between the
    convolutions too (decision D38).

    Args:
        card_path: The exported graph's card.
        num_threads: Threads of one inference; 0 for one a core.

    Raises:
        CardError: the card is damaged, or its file is missing, another one or no usable graph.
    """

    def __init__(self, card_path: Path, num_threads: int = 0) -> None:
        self.card = read_card(card_path)
        self.runtime = label("openvino", self.card.precision)
        self._core = CORE
        self._num_threads = num_threads
        if self.card.weights.format == "openvino":
            self._content = read_weights(self.card, card_path.parent)
        else:
            self._content = [read_onnx(self.card, card_path)]
        self._lock = threading.Lock()
        self._compiled: dict[str, openvino.CompiledModel] = {}
        self._requests = threading.local()  # A request is one thread's.
        self._fields = output_fields(self.card.architecture)
        self._specs = part_specs(self.card.architecture)
        self._in_parts = self.card.precision != Precision()
        if self._in_parts:
            for part in self._specs:
                self._compile(part)
        else:
            self._compile("whole")

    def run(
        self, clips: Shaped[np.ndarray, "..."], context: Shaped[np.ndarray, "..."] | None = None
    ) -> Scores:
        """Score clips: see `Runner.run`."""
        if self._in_parts:
            return run_in_parts(self, clips, context)
        check_clips(self.card, clips, context)
        given = [clips] if context is None else [clips, context]
        return to_scores(self._infer("whole", given, self._fields))

    def run_part(self, part: str, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one part: see `Runner.run_part`. Each is prepared when it is first asked for."""
        spec = self._specs[part]
        with self._lock:
            self._compile(part)
        return self._infer(part, [given[name] for name in spec.inputs], spec.outputs)

    def _infer(
        self, what: str, inputs: Sequence[np.ndarray], names: Sequence[str]
    ) -> dict[str, np.ndarray]:
        requests = self._requests.__dict__
        if what not in requests:
            requests[what] = self._compiled[what].create_infer_request()
        given = {at: np.ascontiguousarray(values) for at, values in enumerate(inputs)}
        answer = requests[what].infer(given, share_inputs=True)  # Outputs are copies.
        return {name: answer[at] for at, name in enumerate(names)}

    def _compile(self, what: str) -> None:
        if what in self._compiled:
            return
        name = self.card.weights.file_name
        try:
            model = self._core.read_model(*self._content)
        except RuntimeError as error:
            raise CardError(f"{name} is not a usable graph: {error}") from error
        precision = "float32"
        if what == "whole":
            given = [output.get_names() for output in model.outputs]
            fits = all(map(set.__contains__, given, self._fields))
            if len(given) != len(self._fields) or not fits:
                raise CardError(
                    f"{name} is not the graph of its card: expected the outputs "
                    f"{', '.join(self._fields)}, got {', '.join(map(min, given))}"
                )
        else:
            model = _cut_out(model, what, self._specs[what], name)
            precision = self.card.precision.model_dump().get(what, "float32")
        config = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": self._num_threads,
        }
        self._compiled[what] = self._core.compile_model(model, "CPU", config)


def _cut_out(model: openvino.Model, part: str, spec: PartSpec, name: str) -> openvino.Model:
    """One part of a graph, which the cut destroys."""
    tensors = {
        tensor: output
        for operation in model.get_ordered_ops()
        for output in operation.outputs()
        for tensor in output.get_names()
    }
    inputs, outputs = (
        [f"{part}/{field}" for field in fields] for fields in (spec.inputs, spec.outputs)
    )
    if not tensors.keys() >= {*inputs, *outputs}:
        raise CardError(
            f"{name} has no part {part!r}: it was exported by an older version of vivant, export "
            "it again"
        )
    parameters = []
    for tensor in inputs:
        output = tensors[tensor]
        parameter = opset15.parameter(output.get_partial_shape(), output.get_element_type())
        for taker in output.get_target_inputs():
            taker.replace_source_output(parameter.output(0))
        parameters.append(parameter)
    results = [opset15.result(tensors[tensor]) for tensor in outputs]
    return openvino.Model(results, parameters, part)
