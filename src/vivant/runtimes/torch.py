"""Runs a checkpoint with torch: as it is, compiled, or as CUDA graphs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Shaped

from vivant.errors import InputError
from vivant.networks.card import Arithmetic, Precision
from vivant.networks.checkpoint import load_checkpoint
from vivant.networks.parts import NetworkParts
from vivant.records import Scores
from vivant.runtimes.runner import check_clips, label, to_scores

__all__ = ["TorchMode", "TorchRunner"]

TorchMode = Literal["eager", "compile", "cuda_graphs"]
_NAMES = {"eager": "torch", "compile": "torch-compile", "cuda_graphs": "torch-cuda-graphs"}
_CONVOLUTIONS = ("encode", "execute")


class TorchRunner:
    """A safetensors checkpoint on a torch device.

    Args:
        card_path: The checkpoint's card.
        device: Where to run: `cpu`, `cuda`, `cuda:1`.
        mode: `compile` runs the convolutions through `torch.compile`, which takes minutes at the
            first clip; `cuda_graphs` also replays them as CUDA graphs, on a GPU.
        precision: Of the convolutions; `float32` or `bf16`.
        num_threads: Of torch, in the whole process; 0: as it is.

    Raises:
        CardError: the checkpoint is damaged; see `load_checkpoint`.
        InputError: torch has no such device, or the device no CUDA graphs.
    """

    def __init__(
        self,
        card_path: Path,
        device: str = "cpu",
        mode: TorchMode = "eager",
        precision: Arithmetic = "float32",
        num_threads: int = 0,
    ) -> None:
        if num_threads:
            torch.set_num_threads(num_threads)
        self.network, self.card = load_checkpoint(card_path)
        if precision not in ("float32", "bf16"):
            raise InputError(f"expected float32 or bf16 for torch, got {precision}: export a graph")
        self.runtime = label(_NAMES[mode], Precision(encode=precision, execute=precision))
        try:
            self._device = torch.device(device)
            parts = NetworkParts(self.network, self.card.preprocessing).eval()
            self._parts = parts.to(self._device)
        except (RuntimeError, AssertionError) as error:  # torch asserts that it has CUDA.
            raise InputError(
                f"torch {torch.__version__} cannot run on {device}: {error}"
            ) from error
        if mode == "cuda_graphs" and self._device.type != "cuda":
            raise InputError(f"expected a CUDA device for CUDA graphs, got {device}")
        for part in _CONVOLUTIONS:
            if part in self._parts:  # Crops come with colour last: nothing has to be turned.
                self._parts[part].to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._precision = torch.bfloat16 if precision == "bf16" else torch.float32
        for part in _CONVOLUTIONS:
            if part in self._parts and mode != "eager":
                with_graphs = "reduce-overhead" if mode == "cuda_graphs" else "default"
                self._parts[part].compile(mode=with_graphs)

    def run(
        self, clips: Shaped[np.ndarray, "..."], context: Shaped[np.ndarray, "..."] | None = None
    ) -> Scores:
        """Score clips: see `Runner.run`."""
        check_clips(self.card, clips, context)
        given = (clips,) if context is None else (clips, context)
        with torch.inference_mode(), self._autocast():
            fields = self._parts(*map(self._on_device, given))
        return to_scores({name: tensor.cpu().numpy() for name, tensor in fields.items()})

    def run_part(self, part: str, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one part: see `Runner.run_part`."""
        inputs = {name: self._on_device(given[name]) for name in self._parts.specs[part].inputs}
        with torch.inference_mode(), self._autocast():
            answer = self._parts.run(part, inputs)
        return {name: tensor.cpu().numpy() for name, tensor in answer.items()}

    def _on_device(self, values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.array(values, order="C")).to(self._device)

    def _autocast(self) -> torch.autocast:
        on = self._precision != torch.float32
        return torch.autocast(self._device.type, self._precision if on else None, enabled=on)
