"""Opens a runtime for a card: the one that is asked for, or the fastest of those that are there."""

from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from vivant.errors import InputError, MissingExtraError, UnknownNameError
from vivant.networks.card import ModelCard, read_card
from vivant.runtimes.choice import fastest
from vivant.runtimes.runner import Runner

__all__ = ["AUTO", "RUNTIMES", "chosen", "open_runner"]

AUTO = "auto"
RUNTIMES = {
    "onnx": ("onnx",),
    "openvino": ("onnx", "openvino"),
    "torch": ("safetensors",),
    "torch-compile": ("safetensors",),
    "torch-cuda-graphs": ("safetensors",),
}
"""By name: the formats of weights that each runs."""

# Module, class, and what is not there without the extra. Imported when they are needed: a graph is
# run without torch.
_CLASSES = {
    "onnx": ("OnnxRunner", "onnxruntime", ""),
    "openvino": ("OpenVinoRunner", "openvino", "openvino"),
    "torch": ("TorchRunner", "torch", "train"),
}
_AT_ONCE = ("onnx", "openvino", "torch")  # Compiling takes minutes: only who asks for it waits.


def open_runner(card_path: Path, runtime: str = AUTO, num_threads: int = 0) -> Runner:
    """A network, ready to run.

    Args:
        card_path: The card beside the weights.
        runtime: Of `RUNTIMES`; torch's may name a device: `torch:cuda`. `auto` is the fastest of
            those that are installed and run these weights, in the card's precision: where there are
            several, each is timed the first time, and the choice is kept (`choice.py`).
        num_threads: Threads of the network; 0: one a core.

    Raises:
        CardError: the card or its weights are damaged or missing.
        InputError: that runtime does not run these weights, or there is none of that name.
        MissingExtraError: it is not installed.
    """
    if num_threads < 0:
        raise InputError(f"expected a number of threads, 0 for one a core, got {num_threads}")
    card = read_card(card_path)
    if runtime != AUTO:
        name, _, device = runtime.partition(":")
        if name not in RUNTIMES:
            # `auto` alone is a name: it chooses no device.
            raise UnknownNameError("runtime", runtime if name == AUTO else name, (AUTO, *RUNTIMES))
        if card.weights.format not in RUNTIMES[name]:
            fitting = [other for other, runs in RUNTIMES.items() if card.weights.format in runs]
            raise InputError(
                f"{name} does not run {card.weights.file_name}: expected one of "
                f"{', '.join(fitting)}, or weights in {' or '.join(RUNTIMES[name])}"
            )
        return _open(name, device, card_path, num_threads)
    names = [name for name in _AT_ONCE if _can_run(name, card)]
    ready = [name for name in names if find_spec(_CLASSES[name][1]) is not None]
    if len(ready) < 2:
        return _open(ready[0] if ready else names[0], "", card_path, num_threads)
    builders = {name: partial(_open, name, "", card_path, num_threads) for name in ready}
    return fastest(builders, card, num_threads)


def chosen(asked: str, runner: Runner) -> str:
    """The runtime to ask for elsewhere, where `auto` might choose another: its last digits differ.

    Args:
        asked: As for `open_runner`.
        runner: What that opened.
    """
    return runner.runtime.partition(" ")[0] if asked == AUTO else asked


def _can_run(name: str, card: ModelCard) -> bool:
    """Whether a runtime has the format and the arithmetic."""
    in_bf16 = "bf16" in (card.precision.encode, card.precision.execute)
    return card.weights.format in RUNTIMES[name] and not (in_bf16 and name == "onnx")


def _open(name: str, device: str, card_path: Path, num_threads: int) -> Runner:
    family, _, mode = name.partition("-")
    class_name, package, extra = _CLASSES[family]
    if find_spec(package) is None:
        raise MissingExtraError(package, extra)
    build = getattr(import_module(f"vivant.runtimes.{family}"), class_name)
    if family != "torch":
        if device:
            raise InputError(f"expected a device for torch only, got {name}:{device}")
        runner: Runner = build(card_path, num_threads)
        return runner
    graphs = mode == "cuda-graphs"
    device = device or ("cuda" if graphs else "cpu")
    mode = mode.replace("-", "_") or "eager"
    of_torch: Runner = build(card_path, device, mode, num_threads=num_threads)
    return of_torch
