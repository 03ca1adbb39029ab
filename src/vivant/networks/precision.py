"""Where a network under autocast keeps full precision."""

from contextlib import AbstractContextManager, nullcontext

import torch

__all__ = ["full_precision"]


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Autocast off, if it is on (decision D38).

    Convolutions take bf16 well. Coordinates do not: above 128, bf16 has steps of a whole pixel, and
    a cell would no longer be a patch. Nor do scores near a threshold. Both cost nothing in float32.
    """
    if torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()  # Not even entered: an exported graph must have no such region.
