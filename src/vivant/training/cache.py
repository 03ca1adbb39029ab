"""What the frozen Advisor said of clips, trained and judged: kept for later epochs of stage 2."""

from collections.abc import Iterable

import torch
from torch import Tensor

from vivant.networks.network import Advice
from vivant.training.loader import Batch

__all__ = ["AdviceCache"]


class AdviceCache:
    """Advice by the key of a draw, in memory.

    It is filled before the first step and in one fixed order, so that a training that goes on
    has the same bits.

    Args:
        device: Where batches are wanted.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._advice: dict[int, list[Tensor | None]] = {}

    def keep(self, batch: Batch, advice: Advice) -> None:
        """Keep what was said of each clip of a batch."""
        for place, key in enumerate(batch.keys.tolist()):
            # Copies: a view would keep all frames of the batch, of which one may be wanted.
            self._advice[key] = [
                None if part is None else part[place].to("cpu", copy=True) for part in advice
            ]

    def has(self, batch: Batch) -> bool:
        """Whether all clips of a batch are known."""
        return all(key in self._advice for key in batch.keys.tolist())

    def of(self, batch: Batch) -> Advice:
        """What was said of the clips of a batch."""
        clips = [self._advice[key] for key in batch.keys.tolist()]
        parts = [self._stacked(of_clips) for of_clips in zip(*clips, strict=True)]
        return Advice._make(parts)

    @property
    def num_bytes(self) -> int:
        """What it holds."""
        return sum(
            part.nbytes for parts in self._advice.values() for part in parts if part is not None
        )

    def _stacked(self, parts: Iterable[Tensor | None]) -> Tensor | None:
        found = [part for part in parts if part is not None]
        return torch.stack(found).to(self._device) if found else None
