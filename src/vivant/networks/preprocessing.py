"""From pictures to what the network eats: the one place where uint8 becomes float."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from vivant.errors import InputError
from vivant.networks.backbones.backbone import Backbone

__all__ = ["Normalise"]


class Normalise(nn.Module):
    """Crops as every other part of the package has them, normalised for a backbone.

    Args:
        mean_rgb: Subtracted from RGB values in 0..1.
        std_rgb: Then divided by this.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, mean_rgb: tuple[float, float, float], std_rgb: tuple[float, float, float]
    ) -> None:
        super().__init__()
        dtype = torch.get_default_dtype()
        for name, values in (("mean", mean_rgb), ("std", std_rgb)):
            tensor = torch.tensor(values, dtype=dtype)[:, None, None]  # (3, 1, 1)
            self.register_buffer(name, tensor, persistent=False)

    @classmethod
    def of(cls, backbone: Backbone) -> "Normalise":
        """The normalisation that a backbone's published weights expect (decision D23)."""
        return cls(backbone.mean_rgb, backbone.std_rgb)

    def forward(self, crops: Shaped[Tensor, "..."]) -> Float[Tensor, "b n 3 side side"]:
        """Normalise.

        Args:
            crops: uint8, (b, n, side, side, 3), RGB, 0..255.

        Raises:
            InputError: the crops are not uint8, or colour is not the last axis.
        """
        if crops.dtype != torch.uint8:
            raise InputError(f"expected uint8 crops in RGB, 0..255, got {crops.dtype}")
        if crops.ndim != 5 or crops.shape[4] != 3:
            raise InputError(
                f"expected crops of shape (clips, frames, side, side, 3), got {tuple(crops.shape)}"
            )
        scaled = crops.to(self.mean.dtype) / 255
        return (scaled.movedim(4, 2) - self.mean) / self.std
