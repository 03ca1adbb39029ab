"""Opens the runtime that a card's weights are for."""

from importlib import import_module
from pathlib import Path

from vivant.networks.card import read_card
from vivant.runtimes.runner import Runner

__all__ = ["open_runner"]

# By format: module and class. Imported when it is needed: a graph is run without torch.
_RUNNERS = {"onnx": ("onnx", "OnnxRunner"), "safetensors": ("torch", "TorchRunner")}


def open_runner(card_path: Path) -> Runner:
    """A network on the CPU, ready to run: ONNX Runtime for a graph, torch for a checkpoint.

    Args:
        card_path: The card beside the weights.

    Raises:
        CardError: the card or its weights are damaged or missing.
        ModuleNotFoundError: a checkpoint without torch installed.
    """
    module, name = _RUNNERS[read_card(card_path).weights.format]
    runner: Runner = getattr(import_module(f"vivant.runtimes.{module}"), name)(card_path)
    return runner
