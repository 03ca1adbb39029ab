"""Runs a small ONNX graph on one picture."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import onnxruntime

from vivant.errors import InputError

__all__ = ["Graph", "packaged", "read_model"]


class Graph:
    """An ONNX graph on one thread: it shares the machine with the decoder and the network.

    Safe to call from several threads.

    Args:
        model: The file's content.
        name: What to call it in errors.

    Raises:
        InputError: it is no usable graph.

    Attributes:
        outputs: Name and shape of each, in their order.
    """

    def __init__(self, model: bytes, name: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors share no base class but this.
            raise InputError(f"{name} is not a usable graph: {error}") from error
        self._input = self._session.get_inputs()[0].name
        self.outputs = {output.name: tuple(output.shape) for output in self._session.get_outputs()}

    def run(self, picture: np.ndarray) -> list[np.ndarray]:
        """Its outputs in their order."""
        return list(self._session.run(None, {self._input: picture}))


def packaged(name: str) -> bytes:
    """A graph that ships with `vivant`; NOTICE says where it comes from."""
    return Path(str(files("vivant.faces") / "models" / name)).read_bytes()


def read_model(path: Path) -> bytes:
    """A graph of the user's own.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read the detector's model {path}: {error.strerror or error}"
        ) from error
