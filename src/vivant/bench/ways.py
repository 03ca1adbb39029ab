"""The ways to run a network that this machine has, and the floor of each."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from vivant.bench.floor import Shape, chain
from vivant.export.low_precision import quantised
from vivant.networks.card import Arithmetic
from vivant.runtimes.opening import open_runner
from vivant.runtimes.runner import Runner
from vivant.runtimes.torch import TorchMode, TorchRunner

__all__ = ["Way", "ways"]


@dataclass(frozen=True, slots=True)
class Way:
    """A runtime in a precision."""

    name: str
    precision: Arithmetic
    build: Callable[[], Runner]
    floor: Callable[[Shape], Callable[[], object]]
    """Prepares a chain of convolutions in the same runtime and precision."""


def ways(
    checkpoint: Path, graphs: dict[Arithmetic, Path], num_threads: int, *, compiled: bool
) -> list[Way]:
    """Those that are installed.

    Args:
        checkpoint: Its card.
        graphs: Cards of its exports, by precision: float32, int8, bf16.
        num_threads: Of each; 0: one a core.
        compiled: Whether torch.compile is among them: minutes of compiling.
    """
    found = []
    modes: tuple[TorchMode, ...] = ("eager", "compile") if compiled else ("eager",)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        modes = (*modes, "cuda_graphs")
    for mode in modes:
        for precision in ("float32", "bf16"):
            found.append(_torch(checkpoint, device, mode, precision, num_threads))
    for name in ("onnx", "openvino"):
        if find_spec("onnxruntime" if name == "onnx" else name) is None:
            continue
        for precision, card in graphs.items():
            if (name, precision) != ("onnx", "bf16"):
                floor = _onnx_floor if name == "onnx" else _openvino_floor
                found.append(
                    Way(
                        f"{name} {precision}",
                        precision,
                        lambda card=card, name=name: open_runner(card, name, num_threads),  # type: ignore[misc]
                        lambda shape, floor=floor, precision=precision: floor(  # type: ignore[misc]
                            shape, precision, num_threads
                        ),
                    )
                )
    return found


def _torch(
    checkpoint: Path, device: str, mode: TorchMode, precision: Arithmetic, num_threads: int
) -> Way:
    def build() -> Runner:
        return TorchRunner(checkpoint, device, mode, precision, num_threads)

    def floor(shape: Shape) -> Callable[[], object]:
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        convs = [
            torch.nn.Conv2d(
                shape.channels, shape.channels, shape.kernel, padding=shape.kernel // 2, bias=False
            )
            for _ in range(4)
        ]
        net = torch.nn.Sequential(*convs).to(device, dtype)
        net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        x = torch.randn(shape.batch, shape.channels, shape.side, shape.side, device=device)
        x = x.to(dtype, memory_format=torch.channels_last)

        def work() -> None:
            with torch.inference_mode():
                net(x)
            if device == "cuda":
                torch.cuda.synchronize()

        return work

    middle = "" if mode == "eager" else f"-{mode.replace('_', '-')}"
    where = "" if device == "cpu" else f":{device}"
    return Way(f"torch{middle}{where} {precision}", precision, build, floor)


def _onnx_floor(shape: Shape, precision: Arithmetic, num_threads: int) -> Callable[[], object]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        _chain(shape, precision), options, providers=["CPUExecutionProvider"]
    )
    given = {"x": _values(shape)}
    return lambda: session.run(None, given)


def _openvino_floor(shape: Shape, precision: Arithmetic, num_threads: int) -> Callable[[], object]:
    from vivant.runtimes.silent_openvino import CORE  # noqa: PLC0415 - an extra.

    config = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "INFERENCE_NUM_THREADS": num_threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    model = CORE.read_model(_chain(shape, precision))
    request = CORE.compile_model(model, "CPU", config).create_infer_request()
    given = [_values(shape)]
    return lambda: request.infer(given, share_inputs=True)


def _chain(shape: Shape, precision: Arithmetic) -> bytes:
    model = chain(shape)
    if precision == "int8":
        model = quantised(model, [{model.graph.input[0].name: _values(shape)}])
    content: bytes = model.SerializeToString()
    return content


def _values(shape: Shape) -> np.ndarray:
    axes = (shape.batch, shape.channels, shape.side, shape.side)
    return np.random.default_rng(1).normal(size=axes).astype(np.float32)
