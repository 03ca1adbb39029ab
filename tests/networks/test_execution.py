import pytest
import torch
from torch.nn import functional as F

from vivant.networks.config import AamConfig
from vivant.networks.execution import Execution


def stage(crop_side_px: int = 224, **config: object) -> Execution:
    torch.manual_seed(1)
    return Execution(AamConfig(**config), crop_side_px).eval()


@pytest.mark.parametrize(
    ("widths", "count"), [((32, 64, 96), 531_779), ((64, 128, 196), 2_147_995)]
)
def test_sizes_are_the_specified_ones(widths: tuple[int, int, int], count: int) -> None:
    assert sum(parameter.numel() for parameter in stage(widths=widths).parameters()) == count


def test_outputs_have_the_specified_shapes(generator: torch.Generator) -> None:
    output = stage()(torch.randn(2, 4, 3, 56, 56, generator=generator))
    assert output.logits.shape == (2, 2)
    assert output.embedding.shape == (2, 64)
    assert output.fused_feature.shape == (2, 64)
    assert output.depth is not None
    assert output.depth.shape == (2, 4, 14, 14)


def test_levels_are_added_at_14(generator: torch.Generator) -> None:
    network = stage()
    patches = torch.randn(3, 3, 56, 56, generator=generator)
    low = network.block1(network.stem(patches))
    middle = network.block2(low)
    high = network.block3(middle)
    assert [tensor.shape[-1] for tensor in (low, middle, high)] == [28, 14, 7]
    lateral = network.laterals
    by_hand = (
        lateral[0](low.unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5)))
        + lateral[1](middle)
        + lateral[2](F.interpolate(high, scale_factor=2, mode="bilinear", align_corners=False))
    )
    torch.testing.assert_close(network.fuse_levels(patches), by_hand.clamp(min=0))


def test_order_of_patches_changes_their_depth_maps_and_nothing_else(
    generator: torch.Generator,
) -> None:
    patches = torch.randn(1, 4, 3, 56, 56, generator=generator)
    network = stage()
    forward, backward = network(patches), network(patches.flip(1))
    torch.testing.assert_close(forward.logits, backward.logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(forward.depth, backward.depth.flip(1), rtol=1e-4, atol=1e-5)


def test_no_depth_head_no_depth(generator: torch.Generator) -> None:
    output = stage(depth_head=False)(torch.randn(1, 4, 3, 56, 56, generator=generator))
    assert output.depth is None


def test_concat_keeps_the_levels_apart(generator: torch.Generator) -> None:
    output = stage(lateral_fusion="concat")(torch.randn(1, 4, 3, 56, 56, generator=generator))
    assert output.fused_feature.shape == (1, 3 * 64)


def test_mean_depth_may_be_a_feature_of_the_class(generator: torch.Generator) -> None:
    network = stage(depth_to_class=True)
    patches = torch.randn(2, 4, 3, 56, 56, generator=generator)
    output = network(patches)
    features = torch.cat([output.embedding, output.depth.mean((1, 2, 3))[:, None]], dim=1)
    torch.testing.assert_close(output.logits, network.classifier(features))


@pytest.mark.parametrize(("crop_side_px", "patch"), [(448, 112), (672, 168)])
def test_larger_patches_come_down_by_one_more_pooling(crop_side_px: int, patch: int) -> None:
    network = stage(crop_side_px)
    output = network(torch.zeros(1, 4, 3, patch, patch))
    assert output.depth is not None
    assert output.depth.shape == (1, 4, 14, 14)
    # A line one pixel wide, lost in the mean of a smaller crop, is still seen by the stem.
    lines = torch.zeros(1, 4, 3, patch, patch)
    lines[..., ::2] = 1
    assert not torch.allclose(network(lines).embedding, network(lines.mean() + 0 * lines).embedding)
