"""A stand-in for Triton, which cannot run here: it serves a model repository over KServe's v2 protocol.

It believes `config.pbtxt` and nothing else, reads it by the schema that NVIDIA publishes, and refuses
what is not in it: a request's name, type, shape and number of clips, and a graph's answers alike. What
it knows of the protocol is from Triton's docs/protocol (binary data, model configuration), not from the
client that it tests.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from google.protobuf import json_format, text_format
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig

NUMPY = {"TYPE_UINT8": np.uint8, "TYPE_FP32": np.float32, "TYPE_INT64": np.int64}
LENGTH = "Inference-Header-Content-Length"


def read_config(path: Path) -> Any:
    """By the schema: a field that it does not have, or a value of another type, is an error."""
    return text_format.Parse(path.read_text(), ModelConfig())


def dtype(tensor: Any) -> np.dtype:
    return np.dtype(NUMPY[DataType.Name(tensor.data_type)])


class Served:
    """One model, as its configuration has it."""

    def __init__(self, folder: Path) -> None:
        self.config = read_config(folder / "config.pbtxt")
        assert self.config.name == folder.name
        assert self.config.platform == "onnxruntime_onnx"
        (self.version,) = self.config.version_policy.specific.versions
        path = folder / str(self.version) / self.config.default_model_filename
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.sizes: list[int] = []
        """Clips of each request."""

    def run(self, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What Triton returns: answers reshaped as the configuration says."""
        for tensor in self.config.input:
            values = given[tensor.name]
            if values.dtype != dtype(tensor) or list(values.shape[1:]) != list(tensor.dims):
                raise ValueError(f"unexpected shape or type for {tensor.name}: {values.shape}")
            if len(values) > self.config.max_batch_size:
                raise ValueError(f"batch-size must be <= {self.config.max_batch_size}")
        self.sizes.append(len(values))
        names = [tensor.name for tensor in self.config.output]
        answers = dict(zip(names, self.session.run(names, given), strict=True))
        for tensor in self.config.output:
            values = answers[tensor.name]
            dims = tensor.reshape.shape if tensor.HasField("reshape") else tensor.dims
            assert list(values.shape[1:]) == list(dims), tensor.name
            assert values.dtype == dtype(tensor), tensor.name
            answers[tensor.name] = values.reshape(len(values), *tensor.dims)
        return answers


class Handler(BaseHTTPRequestHandler):
    served: Served

    def do_GET(self) -> None:
        self.require_place("config")
        text = json_format.MessageToJson(self.served.config, preserving_proto_field_name=True)
        self.answer(200, text.encode())

    def do_POST(self) -> None:
        self.require_place("infer")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        at = int(self.headers[LENGTH])
        question = json.loads(body[:at])
        given = {}
        types = {tensor.name: tensor for tensor in self.served.config.input}
        for tensor in question["inputs"]:
            kind, size = dtype(types[tensor["name"]]), tensor["parameters"]["binary_data_size"]
            assert f"TYPE_{tensor['datatype']}" == DataType.Name(types[tensor["name"]].data_type)
            values = np.frombuffer(body, kind, size // kind.itemsize, at)
            given[tensor["name"]] = values.reshape(tensor["shape"])
            at += size
        assert at == len(body), "the binary data are all that comes after the JSON"
        try:
            found = self.served.run(given)
        except ValueError as error:
            self.answer(400, json.dumps({"error": str(error)}).encode())
            return
        outputs, data = [], b""
        kinds = {t.name: DataType.Name(t.data_type) for t in self.served.config.output}
        for asked in question["outputs"]:
            assert asked["parameters"] == {"binary_data": True}
            content = found[asked["name"]].tobytes()
            outputs.append(
                {
                    "name": asked["name"],
                    "datatype": kinds[asked["name"]].removeprefix("TYPE_"),
                    "shape": found[asked["name"]].shape,
                    "parameters": {"binary_data_size": len(content)},
                }
            )
            data += content
        head = {"model_name": self.served.config.name, "model_version": "1", "outputs": outputs}
        text = json.dumps(head).encode()
        self.answer(200, text + data, len(text))

    def require_place(self, what: str) -> None:
        place = f"/v2/models/{self.served.config.name}/versions/{self.served.version}/{what}"
        assert re.fullmatch(re.escape(place), self.path), self.path

    def answer(self, status: int, content: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if length is not None:
            self.send_header(LENGTH, str(length))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, Served]]:
    """The URL of a server with the model of that folder."""
    served = Served(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"served": served}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
