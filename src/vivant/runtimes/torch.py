"""Runs a checkpoint with torch."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Shaped

from vivant.errors import InputError
from vivant.networks.checkpoint import load_checkpoint
from vivant.networks.preprocessing import Normalise
from vivant.records import Scores
from vivant.runtimes.runner import check_clips, to_scores

__all__ = ["TorchRunner"]


class TorchRunner:
    """A safetensors checkpoint on a torch device.

    Args:
        card_path: The checkpoint's card.
        device: Where to run: `cpu`, `cuda`, `cuda:1`.

    Raises:
        CardError: the checkpoint is damaged; see `load_checkpoint`.
        InputError: torch has no such device.
    """

    def __init__(self, card_path: Path, device: str = "cpu") -> None:
        network, self.card = load_checkpoint(card_path)
        preprocessing = self.card.preprocessing
        try:
            self._device = torch.device(device)
            self.network = network.to(self._device)
        except (RuntimeError, AssertionError) as error:  # torch asserts that it has CUDA.
            raise InputError(
                f"torch {torch.__version__} cannot run on {device}: {error}"
            ) from error
        self._normalise = Normalise(preprocessing.mean_rgb, preprocessing.std_rgb).to(self._device)

    def run(self, clips: Shaped[np.ndarray, "..."]) -> Scores:
        """Score clips: see `Runner.run`."""
        check_clips(self.card, clips)
        with torch.inference_mode():
            crops = torch.from_numpy(np.array(clips, order="C")).to(self._device)
            output = self.network(self._normalise(crops))
        fields = output._asdict().items()
        return to_scores({name: t.cpu().numpy() for name, t in fields if t is not None})
