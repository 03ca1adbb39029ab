import numpy as np
import pytest
import torch
from torch import Tensor
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


@pytest.mark.parametrize("depth_side", [7, 14, 28])
def test_outputs_have_the_specified_shapes(depth_side: int, generator: torch.Generator) -> None:
    output = stage(depth_side=depth_side)(torch.randn(2, 4, 3, 56, 56, generator=generator))
    assert output.logits.shape == (2, 2)
    assert output.embedding.shape == (2, 64)
    assert output.fused_feature.shape == (2, 64)
    assert output.depth is not None
    assert output.depth.shape == (2, 4, depth_side, depth_side)


def levels_of(network: Execution, patches: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The blocks' outputs, of sides 28, 14 and 7."""
    low = network.block1(network.stem(patches))
    middle = network.block2(low)
    return low, middle, network.block3(middle)


@pytest.mark.parametrize("lateral_fusion", ["add", "concat"])
def test_by_default_the_bits_are_those_of_fourteen_written_out(
    lateral_fusion: str, generator: torch.Generator
) -> None:
    """The path as it was before there was a choice (decisions D15, D27)."""
    network = stage(lateral_fusion=lateral_fusion)
    patches = torch.randn(2, 4, 3, 56, 56, generator=generator)
    low, middle, high = levels_of(network, patches.flatten(0, 1))
    levels = F.avg_pool2d(low, 2), middle, F.interpolate(high, size=(14, 14), mode="bilinear")
    a, b, c = (lateral(level) for lateral, level in zip(network.laterals, levels, strict=True))
    z = (torch.cat((a, b, c), dim=1) if lateral_fusion == "concat" else a + b + c).relu()
    embedding = network.class_head(z).mean((2, 3)).unflatten(0, (2, 4)).mean(1)
    output = network(patches)
    assert torch.equal(output.embedding, embedding)
    assert torch.equal(output.logits, network.classifier(embedding))
    assert torch.equal(output.fused_feature, z.mean((2, 3)).unflatten(0, (2, 4)).mean(1))
    assert output.depth is not None
    assert torch.equal(output.depth, network.depth_head(z)[:, 0].unflatten(0, (2, 4)))


def interpolated(level: Tensor, factor: int) -> Tensor:
    """Bilinear with half-pixel centres, by numpy: one axis after the other."""
    values = level.detach().double().numpy()
    old = np.arange(values.shape[-1])
    new = (np.arange(factor * len(old)) + 0.5) / factor - 0.5  # np.interp holds the ends.
    for axis in (2, 3):
        values = np.apply_along_axis(lambda line: np.interp(new, old, line), axis, values)
    return torch.tensor(values).float()


@pytest.mark.parametrize("depth_side", [7, 28])
def test_levels_meet_at_another_side(depth_side: int, generator: torch.Generator) -> None:
    network = stage(depth_side=depth_side)
    patches = torch.randn(2, 3, 56, 56, generator=generator)
    resized = []
    for level in levels_of(network, patches):
        now = level.shape[-1]
        if now >= depth_side:
            n = now // depth_side
            resized.append(level.unfold(2, n, n).unfold(3, n, n).mean((4, 5)))
        else:
            resized.append(interpolated(level, depth_side // now))
    by_hand = sum(lateral(r) for lateral, r in zip(network.laterals, resized, strict=True))
    torch.testing.assert_close(network.fuse_levels(patches), by_hand.relu(), rtol=1e-4, atol=1e-5)


def test_side_of_the_depth_map_is_no_weight_s_shape() -> None:
    for depth_side in (7, 28):
        stage(depth_side=depth_side).load_state_dict(stage().state_dict())


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
