"""What a backbone is."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from vivant.plugins import find

__all__: list[str] = []

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Backbone(nn.Module, ABC):
    """Features of face crops, and how crops must be normalised for its weights (decision D23)."""

    mean_rgb: ClassVar[tuple[float, float, float]] = IMAGENET_MEAN
    """Subtracted from RGB values in 0..1."""
    std_rgb: ClassVar[tuple[float, float, float]] = IMAGENET_STD
    """Then divided by this."""
    num_channels: int
    """Channels of the last feature map."""
    level_channels: tuple[int, ...]
    """Channels of each block's output, by the block's number."""

    @abstractmethod
    def forward(
        self, crops: Float[Tensor, "m 3 side side"], levels: tuple[int, ...] | None = None
    ) -> Tensor | tuple[Tensor, ...]:
        """The last feature map, before pooling: 7x7 at 224 pixels.

        Args:
            crops: RGB, normalised by `mean_rgb` and `std_rgb`.
            levels: Numbers of blocks whose outputs are wanted too, ascending from 0.

        Returns:
            (m, c, map, map); with `levels`, a tuple of that and of each block's output, (m,
            channels, height, width).
        """

    @abstractmethod
    def rename(self, name: str) -> str | None:
        """Our name of a tensor that a published checkpoint calls `name`.

        Returns:
            None for tensors that have no place here: the ImageNet classifier.
        """

    def start_like_plain(self) -> None:
        """Make parts that a plain checkpoint lacks pass their input on unchanged (decision D3).

        Raises:
            NotImplementedError: this backbone has no such parts.
        """
        raise NotImplementedError

    @property
    def optional_parts(self) -> tuple[str, ...]:
        """Fragments of tensor names that a plain checkpoint lacks: `start_like_plain` sets them."""
        return ()


def through_blocks(
    x: Tensor, blocks: Iterable[nn.Module], levels: tuple[int, ...] | None
) -> tuple[Tensor, list[Tensor]]:
    """The output of the last block, and of those whose numbers are in `levels`."""
    kept = []
    for number, block in enumerate(blocks):
        x = block(x)
        if number in (levels or ()):
            kept.append(x)
    return x, kept


def build_backbone(name: str) -> Backbone:
    """A backbone with random weights.

    Raises:
        UnknownNameError: no file of the folder offers that name.
    """
    backbone = find("vivant.networks.backbones", name, "backbone")()
    assert isinstance(backbone, Backbone)
    return backbone
