import numpy as np
import pytest
import torch

from vivant.errors import InputError
from vivant.networks.backbones.backbone import build_backbone
from vivant.networks.preprocessing import Normalise


@pytest.mark.parametrize(
    ("backbone", "mean", "std"),
    [
        ("resnet18", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("efficientnet_lite0", (127 / 255,) * 3, (128 / 255,) * 3),
    ],
)
def test_crops_are_normalised_for_their_backbone(
    backbone: str, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    crops = np.random.default_rng(2).integers(0, 256, (2, 5, 8, 8, 3), dtype=np.uint8)
    expected = np.moveaxis((crops / 255 - mean) / std, 4, 2)
    normalised = Normalise.of(build_backbone(backbone))(torch.from_numpy(crops))
    np.testing.assert_allclose(normalised, expected, atol=1e-5)


def test_red_stays_the_first_channel() -> None:
    red = torch.zeros(1, 1, 2, 2, 3, dtype=torch.uint8)
    red[..., 0] = 255
    normalised = Normalise((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))(red)
    assert normalised[0, 0, :, 0, 0].tolist() == [1, -1, -1]


def test_other_kinds_are_refused() -> None:
    normalise = Normalise((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    with pytest.raises(InputError, match=r"expected uint8 crops in RGB, 0..255, got torch.float32"):
        normalise(torch.zeros(1, 5, 8, 8, 3))
    with pytest.raises(InputError, match="expected crops of shape"):
        normalise(torch.zeros(1, 5, 3, 8, 8, dtype=torch.uint8))
