"""What every backbone owes, tested for every file in the folder: a new one needs no new test."""

import pytest
import torch

from vivant.networks.backbones.backbone import Backbone, build_backbone
from vivant.plugins import discover

BACKBONES = list(discover("vivant.networks.backbones"))
# The others differ from these in the number of blocks alone.
RUN = [name for name in BACKBONES if not name.endswith(("34", "50", "101"))]


@pytest.mark.parametrize("name", BACKBONES)
def test_is_a_backbone_with_channels_and_normalisation(name: str) -> None:
    with torch.device("meta"):
        backbone = build_backbone(name)
        features = backbone.eval()(torch.empty(2, 3, 224, 224))
    assert isinstance(backbone, Backbone)
    assert features.shape == (2, backbone.num_channels, 7, 7)
    assert all(0 < value < 1 for value in (*backbone.mean_rgb, *backbone.std_rgb))


@pytest.mark.parametrize("name", RUN)
def test_frames_do_not_see_each_other(name: str, generator: torch.Generator) -> None:
    backbone = build_backbone(name).eval()
    crops = torch.randn(2, 3, 224, 224, generator=generator)
    with torch.inference_mode():
        torch.testing.assert_close(backbone(crops)[1:], backbone(crops[1:]), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", RUN)
def test_has_no_tensor_that_it_would_lose_in_a_checkpoint(name: str) -> None:
    backbone = build_backbone(name)
    other = build_backbone(name)
    other.load_state_dict(backbone.state_dict())
    pairs = zip(backbone.parameters(), other.parameters(), strict=True)
    assert all(torch.equal(mine, theirs) for mine, theirs in pairs)
