"""Runs a small ONNX graph on one picture."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import onnxruntime

__all__ = ["Graph", "packaged"]


class Graph:
    """An ONNX graph on one thread: it shares the machine with the decoder and the network.

    Args:
        model: The file's content.
        name: What to call it in errors.
    """

    def __init__(self, model: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name
        self.outputs = tuple(output.name for output in self._session.get_outputs())

    def run(self, picture: np.ndarray) -> list[np.ndarray]:
        """Its outputs in their order."""
        return list(self._session.run(None, {self._input: picture}))


def packaged(name: str) -> bytes:
    """A graph that ships with `vivant`; NOTICE says where it comes from."""
    return Path(str(files("vivant.faces") / "models" / name)).read_bytes()
