"""EfficientNet-Lite0: the small backbone of `lite` (Tan and Le 2019; its Lite variant of 2020).

No squeeze-and-excitation and ReLU6 instead of swish, so that it quantises well. TensorFlow's
padding ("SAME": one more pixel at the lower right where the sum is odd) is kept, because the
published weights were trained with it. `se_efficientnet_lite0` puts channel attention back, where
EfficientNet has it: for the ablation of Table 1 on small machines.
"""

import re
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vivant.networks.backbones.backbone import Backbone, through_blocks
from vivant.networks.backbones.resnet import OPEN_GATE_BIAS, SqueezeExcitation

__all__ = ["efficientnet_lite0", "se_efficientnet_lite0"]

_STAGES = (  # expansion, kernel side, stride, output channels, blocks
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
_STEM_CHANNELS, _HEAD_CHANNELS = 32, 1280


class ConvNorm(nn.Module):
    """Convolution with TensorFlow's SAME padding, batch norm, and ReLU6 unless told otherwise."""

    def __init__(
        self, num_in: int, num_out: int, side: int, stride: int = 1, groups: int = 1, *, act: bool
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(num_in, num_out, side, stride, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(num_out, eps=1e-3, momentum=0.01)
        self.side, self.stride, self.act = side, stride, act

    def forward(self, x: Float[Tensor, "m c h w"]) -> Float[Tensor, "m c2 h2 w2"]:
        """Output of size ceil(input / stride)."""
        top, bottom = self._padding(x.shape[2])
        left, right = self._padding(x.shape[3])
        x = self.bn(self.conv(F.pad(x, (left, right, top, bottom))))
        return F.relu6(x) if self.act else x

    def _padding(self, size: int) -> tuple[int, int]:
        size_out = -(-size // self.stride)
        total = max((size_out - 1) * self.stride + self.side - size, 0)
        return total // 2, total - total // 2


class InvertedResidual(nn.Module):
    """Expand 1x1, depthwise, project 1x1, and a shortcut where the shape stays."""

    def __init__(
        self, num_in: int, num_out: int, expansion: int, side: int, stride: int, *, se: bool
    ) -> None:
        super().__init__()
        width = num_in * expansion
        self.expand = None if expansion == 1 else ConvNorm(num_in, width, 1, act=True)
        self.depthwise = ConvNorm(width, width, side, stride, groups=width, act=True)
        self.se = SqueezeExcitation(width) if se else None
        self.project = ConvNorm(width, num_out, 1, act=False)
        self.has_shortcut = stride == 1 and num_in == num_out

    def forward(self, x: Float[Tensor, "m c h w"]) -> Float[Tensor, "m c2 h2 w2"]:
        """The block's output: linear, no activation after the projection."""
        expanded = x if self.expand is None else self.expand(x)
        wide = self.depthwise(expanded)
        branch: Tensor = self.project(wide if self.se is None else self.se(wide))
        return x + branch if self.has_shortcut else branch


class EfficientNetLite0(Backbone):
    """The 1280x7x7 map of EfficientNet-Lite0 at 224.

    Args:
        se: Whether each block has a squeeze-and-excitation block before its projection.
    """

    # (x - 127) / 128 on 0..255: the recipe that the weights were published with (decision D23).
    mean_rgb = (127 / 255, 127 / 255, 127 / 255)
    std_rgb = (128 / 255, 128 / 255, 128 / 255)

    def __init__(self, *, se: bool) -> None:
        super().__init__()
        self.num_channels = _HEAD_CHANNELS
        self.stem = ConvNorm(3, _STEM_CHANNELS, 3, stride=2, act=True)
        blocks: list[nn.Module] = []
        channels: list[int] = []
        num_in = _STEM_CHANNELS
        for expansion, side, stride, num_out, num_blocks in _STAGES:
            for index in range(num_blocks):
                of_block = stride if index == 0 else 1
                blocks.append(InvertedResidual(num_in, num_out, expansion, side, of_block, se=se))
                channels.append(num_out)
                num_in = num_out
        self.blocks = nn.Sequential(*blocks)
        self.level_channels = tuple(channels)
        self.head = ConvNorm(num_in, _HEAD_CHANNELS, 1, act=True)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(
        self, crops: Float[Tensor, "m 3 side side"], levels: tuple[int, ...] | None = None
    ) -> Tensor | tuple[Tensor, ...]:
        """The map after the last 1x1 convolution, before pooling; levels are blocks 0 to 15."""
        x, kept = through_blocks(self.stem(crops), self.blocks, levels)
        features: Tensor = self.head(x)
        return features if levels is None else (features, *kept)

    def rename(self, name: str) -> str | None:
        """From the names of `efficientnet-pytorch`, which count norms per block."""
        if name.startswith("_fc."):
            return None
        for pattern, ours in _NAMES:
            name = re.sub(pattern, ours, name)
        return name

    @property
    def optional_parts(self) -> tuple[str, ...]:
        """The published weights have no SE blocks."""
        return (".se.",)

    def start_like_plain(self) -> None:
        """Open the gates so that step 0 is the pretrained plain network exactly (decision D3b).

        Each gate starts at sigmoid(4) whatever its input is, and the projection behind it is scaled
        up by as much.
        """
        gate = torch.sigmoid(torch.tensor(OPEN_GATE_BIAS, dtype=torch.float64))
        for block in self.modules():
            if isinstance(block, InvertedResidual) and block.se is not None:
                nn.init.zeros_(block.se.fc2.weight)
                assert block.se.fc2.bias is not None
                nn.init.constant_(block.se.fc2.bias, OPEN_GATE_BIAS)
                with torch.no_grad():
                    block.project.conv.weight.div_(gate)


_NAMES = (
    (r"^_conv_stem\.", "stem.conv."),
    (r"^_bn0\.", "stem.bn."),
    (r"^_conv_head\.", "head.conv."),
    (r"^_bn1\.", "head.bn."),
    (r"^_blocks\.", "blocks."),
    (r"\._expand_conv\.", ".expand.conv."),
    (r"\._depthwise_conv\.", ".depthwise.conv."),
    (r"\._project_conv\.", ".project.conv."),
    (r"\._bn0\.", ".expand.bn."),
    (r"\._bn1\.", ".depthwise.bn."),
    (r"\._bn2\.", ".project.bn."),
)


efficientnet_lite0 = partial(EfficientNetLite0, se=False)
se_efficientnet_lite0 = partial(EfficientNetLite0, se=True)
