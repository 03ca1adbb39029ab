"""ResNet 18 to 101, plain and with squeeze-and-excitation in every residual block (paper Fig. 3).

Three layouts, because published weights come in three:

- `resnet*`: torchvision's and timm's ResNet.
- `se_resnet*`: the same with an SE block on each residual branch, before the addition: timm's
  `seresnet50` and deeper (timm squeezes 64 channels to 8 and not to 4, so its `seresnet18` and `34`
  do not fit). The paper's backbone is `se_resnet101` (decisions D2, D3).
- `legacy_se_resnet*`: timm's `legacy_seresnet*`, ported from Caffe: the stride sits in a
  bottleneck's first convolution, the stem pools unpadded, and a basic block has one more ReLU.
"""

from functools import partial
from itertools import chain

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vivant.networks.backbones.backbone import Backbone, through_blocks

SE_REDUCTION = 16
"""r: an SE block squeezes C channels to C / 16 (Hu et al. 2018; the paper does not say: D3)."""

OPEN_GATE_BIAS = 4.0
"""A gate that starts at sigmoid(4) = 0.982, so that it may close but begins open (D3)."""

_DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


class SqueezeExcitation(nn.Module):
    """Channel attention: X~ = s * X, s = sigmoid(W2 relu(W1 GAP(X) + b1) + b2) (paper Fig. 3)."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        squeezed = max(num_channels // SE_REDUCTION, 1)
        self.fc1 = nn.Conv2d(num_channels, squeezed, kernel_size=1)
        self.fc2 = nn.Conv2d(squeezed, num_channels, kernel_size=1)

    def forward(self, x: Float[Tensor, "m c h w"]) -> Float[Tensor, "m c h w"]:
        """The channels of x, each weighted by 0..1."""
        squeezed = x.mean((2, 3), keepdim=True)  # (m, c, 1, 1)
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(squeezed))))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: the residual block of ResNet-18 and -34."""

    expansion = 1

    def __init__(self, num_in: int, width: int, stride: int, se: bool, legacy: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_in, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.se = SqueezeExcitation(width) if se else None
        self.downsample = _shortcut(num_in, width, stride)
        self.rectify_branch = legacy

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The norm that closes the residual branch."""
        return self.bn2

    def forward(self, x: Float[Tensor, "m c h w"]) -> Float[Tensor, "m c2 h2 w2"]:
        """The block's output, after the addition and its ReLU."""
        branch = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.rectify_branch:
            branch = F.relu(branch)
        if self.se is not None:
            branch = self.se(branch)
        return F.relu(branch + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions and a shortcut: the residual block of ResNet-50 and -101."""

    expansion = 4

    def __init__(self, num_in: int, width: int, stride: int, se: bool, legacy: bool) -> None:
        super().__init__()
        stride1, stride2 = (stride, 1) if legacy else (1, stride)
        num_out = width * self.expansion
        self.conv1 = nn.Conv2d(num_in, width, 1, stride1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, num_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(num_out)
        self.se = SqueezeExcitation(num_out) if se else None
        self.downsample = _shortcut(num_in, num_out, stride)

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The norm that closes the residual branch."""
        return self.bn3

    def forward(self, x: Float[Tensor, "m c h w"]) -> Float[Tensor, "m c2 h2 w2"]:
        """The block's output, after the addition and its ReLU."""
        branch = F.relu(self.bn1(self.conv1(x)))
        branch = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(branch)))))
        if self.se is not None:
            branch = self.se(branch)
        return F.relu(branch + (x if self.downsample is None else self.downsample(x)))


class ResNet(Backbone):
    """A residual network without its classifier.

    Args:
        depth: 18, 34, 50 or 101: its layers, not its blocks (decision D2).
        se: Whether each residual block has a squeeze-and-excitation block.
        legacy: Whether it is laid out like timm's `legacy_seresnet*`.
    """

    def __init__(self, depth: int, *, se: bool, legacy: bool = False) -> None:
        super().__init__()
        block = BasicBlock if depth < 50 else Bottleneck
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, padding=0 if legacy else 1, ceil_mode=legacy)
        num_in = 64
        channels: list[int] = []
        for stage, num_blocks in enumerate(_DEPTHS[depth]):
            blocks: list[nn.Module] = []
            for index in range(num_blocks):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(block(num_in, 64 * 2**stage, stride, se, legacy))
                num_in = 64 * 2**stage * block.expansion
                channels.append(num_in)
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.num_channels = num_in
        self.level_channels = tuple(channels)
        self.legacy = legacy
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(
        self, crops: Float[Tensor, "m 3 side side"], levels: tuple[int, ...] | None = None
    ) -> Tensor | tuple[Tensor, ...]:
        """The last map F (paper 3.2), 2048x7x7 for ResNet-101; levels are blocks of all stages."""
        x = self.maxpool(F.relu(self.bn1(self.conv1(crops))))  # (m, 64, 56, 56) at 224
        stages = (self.get_submodule(f"layer{stage}").children() for stage in range(1, 5))
        x, kept = through_blocks(x, chain.from_iterable(stages), levels)
        return x if levels is None else (x, *kept)

    def rename(self, name: str) -> str | None:
        """Ours are torchvision's and timm's names; `legacy_seresnet*` has its own stem and SE."""
        if name.startswith(("fc.", "last_linear.")):
            return None
        if not self.legacy:
            return name
        # A stem named otherwise belongs to another layout: no name here answers to it.
        stem, _, rest = name.partition(".")
        if stem in ("layer0", "conv1", "bn1"):
            return rest if stem == "layer0" else f"{name} of another layout"
        return name.replace(".se_module.", ".se.")

    @property
    def optional_parts(self) -> tuple[str, ...]:
        """SE blocks are missing in a plain ResNet's weights. Not so in the legacy layout."""
        return () if self.legacy else (".se.",)

    def start_like_plain(self) -> None:
        """Open the gates so that step 0 is the pretrained plain ResNet exactly (decision D3b).

        Each gate starts at sigmoid(4) = 0.982 whatever its input is, and the norm before it is
        scaled up by as much: without that, the loss compounds over the blocks.
        """
        gate = torch.sigmoid(torch.tensor(OPEN_GATE_BIAS, dtype=torch.float64))
        for block in self.modules():
            if isinstance(block, BasicBlock | Bottleneck) and block.se is not None:
                nn.init.zeros_(block.se.fc2.weight)
                assert block.se.fc2.bias is not None
                nn.init.constant_(block.se.fc2.bias, OPEN_GATE_BIAS)
                with torch.no_grad():
                    block.last_norm.weight.div_(gate)
                    block.last_norm.bias.div_(gate)


def _shortcut(num_in: int, num_out: int, stride: int) -> nn.Sequential | None:
    """A 1x1 convolution where the block changes the shape."""
    if stride == 1 and num_in == num_out:
        return None
    conv = nn.Conv2d(num_in, num_out, 1, stride, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(num_out))


resnet18 = partial(ResNet, 18, se=False)
resnet34 = partial(ResNet, 34, se=False)
resnet50 = partial(ResNet, 50, se=False)
resnet101 = partial(ResNet, 101, se=False)
se_resnet18 = partial(ResNet, 18, se=True)
se_resnet34 = partial(ResNet, 34, se=True)
se_resnet50 = partial(ResNet, 50, se=True)
se_resnet101 = partial(ResNet, 101, se=True)
legacy_se_resnet18 = partial(ResNet, 18, se=True, legacy=True)
legacy_se_resnet34 = partial(ResNet, 34, se=True, legacy=True)
legacy_se_resnet50 = partial(ResNet, 50, se=True, legacy=True)
legacy_se_resnet101 = partial(ResNet, 101, se=True, legacy=True)

__all__ = [f"{layout}resnet{depth}" for layout in ("", "se_", "legacy_se_") for depth in _DEPTHS]
