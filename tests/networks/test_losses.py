from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from builders import moved, seeded, small_config
from vivant.errors import ConfigError, InputError
from vivant.geometry.grid import cell_centres
from vivant.networks.config import AdvisorConfig, NetworkConfig
from vivant.networks.losses import LossConfig, depth_loss, depth_targets, total_loss
from vivant.networks.network import Network, NetworkOutput
from vivant.networks.region_proposal import sample_patches

HALF = torch.full((3, 4, 14, 14), 0.5)


def loss_of(norm: str, estimates: Tensor, targets: Tensor, **options: object) -> Tensor:
    config = LossConfig(depth_norm=norm)
    return depth_loss(config, estimates, targets, **options)


@pytest.mark.parametrize(
    ("norm", "one_patch"), [("mse", 0.25), ("l1", 0.5), ("literal", 9604), ("contrastive", 0.25)]
)
def test_uniform_error_of_a_half_costs_the_specified_amount(norm: str, one_patch: float) -> None:
    loss = loss_of(norm, HALF, torch.zeros_like(HALF))
    assert loss.item() == pytest.approx(4 * one_patch), "summed over K = 4 patches"


@pytest.mark.parametrize("norm", ["mse", "l1", "literal", "contrastive"])
def test_perfect_estimate_costs_nothing(norm: str, generator: torch.Generator) -> None:
    maps = torch.rand(3, 4, 14, 14, generator=generator)
    assert loss_of(norm, maps, maps).item() == 0


@pytest.mark.parametrize("side", [7, 14, 28])
@pytest.mark.parametrize("norm", ["mse", "l1", "literal", "contrastive"])
def test_losses_are_those_of_plain_loops(norm: str, side: int, generator: torch.Generator) -> None:
    estimates = torch.rand(2, 3, side, side, generator=generator)
    targets = torch.rand(2, 3, side, side, generator=generator)
    inner = slice(1, side - 1)
    total = 0.0
    for error in (estimates - targets).flatten(0, 1).double().numpy():
        squares = np.mean(error**2)
        neighbours = [
            np.roll(error, (-row, -column), (0, 1))[inner, inner] - error[inner, inner]
            for row in (-1, 0, 1)
            for column in (-1, 0, 1)
            if (row, column) != (0, 0)
        ]
        total += {
            "mse": squares,
            "l1": np.mean(np.abs(error)),
            "literal": np.abs(error).sum() ** 2,
            "contrastive": squares + np.mean(np.square(neighbours)),
        }[norm]
    assert loss_of(norm, estimates, targets).item() == pytest.approx(total / 2, rel=1e-5)


@pytest.mark.parametrize("side", [7, 14, 28])
@pytest.mark.parametrize("norm", ["mse", "l1", "literal", "contrastive"])
def test_invalid_pixels_cost_nothing_and_carry_no_gradient(
    norm: str, side: int, generator: torch.Generator
) -> None:
    zero = torch.zeros(2, 4, side, side)
    validity = torch.ones_like(zero)
    validity[0] = 0
    estimates = torch.rand(2, 4, side, side, generator=generator, requires_grad=True)
    loss = loss_of(norm, estimates, zero, validity=validity)
    loss.backward()
    assert estimates.grad is not None
    assert not estimates.grad[0].any()
    assert estimates.grad[1].any()
    assert bool(estimates.grad.isfinite().all())
    alone = loss_of(norm, estimates[1:].detach(), zero[1:])
    assert loss.item() == pytest.approx(alone.item() / 2, rel=1e-5), "M is the number of images"


@pytest.mark.parametrize("side", [7, 14, 28])
@pytest.mark.usefixtures("double")
def test_target_of_a_cell_is_the_area_pooled_map(side: int, generator: torch.Generator) -> None:
    depth = torch.rand(2, 224, 224, generator=generator, dtype=torch.float64)
    centres = torch.tensor(cell_centres()).expand(2, 16, 2)
    targets, weights = depth_targets(depth, centres, None, side)
    assert targets.shape == weights.shape == (2, 16, side, side)
    assert bool((weights == 1).all())
    pooled = F.avg_pool2d(depth[:, None], 56 // side)[:, 0]  # the whole map, 4 sides a side
    for cell in range(16):
        row, column = divmod(cell, 4)
        expected = pooled[:, side * row :, side * column :][:, :side, :side]
        torch.testing.assert_close(targets[:, cell], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("side", [7, 28])
@pytest.mark.usefixtures("double")
def test_targets_of_another_side_are_those_of_plain_loops(
    side: int, generator: torch.Generator
) -> None:
    """The patch at pixels (28, 84), each block's mean over what is known of it."""
    depth = torch.rand(1, 224, 224, generator=generator)
    validity = (torch.rand(1, 224, 224, generator=generator) > 0.5).double()
    centres = torch.tensor([[[28 / 112 - 0.75, 84 / 112 - 0.75]]])
    targets, weights = depth_targets(depth, centres, validity, side)
    size = 56 // side
    for row in range(side):
        for column in range(side):
            y, x = 84 + row * size, 28 + column * size
            known = validity[0, y : y + size, x : x + size]
            of_block = (depth[0, y : y + size, x : x + size] * known).sum()
            expected = of_block / known.sum() if known.any() else torch.tensor(0.0)
            torch.testing.assert_close(targets[0, 0, row, column], expected, rtol=0, atol=1e-8)
            torch.testing.assert_close(weights[0, 0, row, column], known.mean(), rtol=0, atol=1e-8)


def test_targets_are_averaged_over_what_is_known() -> None:
    """True depth 1, known up to column 30: the cell at the border is 1 at half weight, not 1/2."""
    depth, validity = torch.full((1, 224, 224), float("nan")), torch.zeros(1, 224, 224)
    depth[..., :30], validity[..., :30] = 1.0, 1.0
    centres = torch.tensor(cell_centres()[None, :1], dtype=torch.float32)
    targets, weights = depth_targets(depth, centres, validity)
    torch.testing.assert_close(targets[0, 0, :, :8], torch.ones(14, 8))
    torch.testing.assert_close(weights[0, 0, 0, 6:9], torch.tensor([1, 0.5, 0]))
    assert not targets[0, 0, :, 8:].any()
    for norm in ("mse", "l1", "literal", "contrastive"):
        perfect = torch.where(weights > 0, 1.0, 7.0)
        assert loss_of(norm, perfect, targets, validity=weights).item() == pytest.approx(
            0, abs=1e-9
        )


def test_neighbours_count_only_where_both_are_known() -> None:
    """A constant error has no differences, however it is masked."""
    validity = torch.ones(3, 4, 14, 14)
    validity[..., 7:] = 0
    zero = torch.zeros_like(HALF)
    masked = loss_of("contrastive", HALF, zero, validity=validity)
    assert masked.item() == pytest.approx(loss_of("mse", HALF, zero, validity=validity).item())


def test_attack_has_zero_depth_whatever_its_map_says(generator: torch.Generator) -> None:
    output = seeded(small_config()).eval()(torch.rand(2, 5, 3, 224, 224, generator=generator))
    only_depth = LossConfig(depth_weight=1, advisor_weight=0, aam_weight=0)
    ones = torch.ones(2, 5, 224, 224)
    said_flat = ones.clone()
    said_flat[1] = 0
    losses = [
        total_loss(only_depth, output, torch.tensor([0, 1]), depth).total
        for depth in (ones, said_flat)
    ]
    assert losses[0] == losses[1]
    by_hand = (output.depth[0] - 1).square().mean((2, 3)).sum(1).mean()
    by_hand = (by_hand + output.depth[1].square().mean((2, 3)).sum(1).mean()) / 2
    torch.testing.assert_close(losses[0], by_hand)


def test_depth_loss_moves_offsets_through_the_sampler_alone(generator: torch.Generator) -> None:
    """The gradient is that of a target which was never sampled in this graph."""
    depth = torch.rand(1, 224, 224, generator=generator)
    crop = torch.rand(1, 1, 224, 224, generator=generator)
    start = torch.rand(1, 4, 2, generator=generator) - 0.5

    def gradient(targets_of: Callable[[Tensor], Tensor]) -> Tensor:
        centres = start.clone().requires_grad_()
        estimates = F.avg_pool2d(sample_patches(crop, centres)[:, :, 0], 4)
        loss_of("mse", estimates, targets_of(centres)).backward()
        assert centres.grad is not None
        return centres.grad

    constant = depth_targets(depth, start)[0]
    through_input = gradient(lambda centres: depth_targets(depth, centres)[0])
    torch.testing.assert_close(through_input, gradient(lambda _: constant))
    leaking = gradient(lambda c: F.avg_pool2d(sample_patches(depth[:, None], c)[:, :, 0], 4))
    assert not torch.allclose(through_input, leaking), "the test would not notice a leak"


def step(config: LossConfig, network: Network, labels: list[int]) -> tuple[NetworkOutput, Tensor]:
    generator = torch.Generator().manual_seed(7)
    clips = torch.randn(len(labels), 5, 3, 224, 224, generator=generator)
    output = network(clips)
    depth = torch.rand(len(labels), 5, 224, 224, generator=generator)
    losses = total_loss(config, output, torch.tensor(labels), network.select_frames(depth))
    return output, losses.total


@pytest.mark.parametrize(
    "aam", [{}, {"grid_side": 7, "depth_side": 28, "frames": "last"}], ids=["paper", "finer"]
)
def test_gradient_of_the_depth_loss_alone_reaches_the_offsets(aam: dict[str, object]) -> None:
    network = moved(seeded(small_config(**aam))).eval()
    config = LossConfig(depth_weight=1, advisor_weight=0, aam_weight=0)
    _, loss = step(config, network, [0])
    loss.backward()
    assert network.aam is not None
    gradient = network.aam.region_proposal.pointwise.weight.grad
    assert gradient is not None
    assert gradient.abs().max() > 0
    assert network.aam.execution.classifier.weight.grad is None
    assert network.advisor.classifier.weight.grad is None, "the Advisor's classifier has no part"
    assert network.advisor.backbone.conv1.weight.grad is not None, "joint training: through F"


def test_total_is_the_weighted_sum_of_the_parts() -> None:
    network = seeded(small_config()).eval()
    with torch.no_grad():
        generator = torch.Generator().manual_seed(7)
        output = network(torch.randn(2, 5, 3, 224, 224, generator=generator))
        depth = torch.rand(2, 5, 224, 224, generator=generator)
        losses = total_loss(LossConfig(), output, torch.tensor([0, 1]), depth)
    assert losses.depth is not None
    assert losses.advisor is not None
    assert losses.aam is not None
    expected = 0.5 * losses.depth + 10 * losses.advisor + 10 * losses.aam
    torch.testing.assert_close(losses.total, expected)
    # By hand: cross-entropy of the clip, and the mean over all frames of the clip's label.
    by_hand = -torch.stack([output.advisor_logits.log_softmax(1)[i, i] for i in (0, 1)]).mean()
    torch.testing.assert_close(losses.advisor, by_hand)
    frames = output.aam_logits.log_softmax(2)
    torch.testing.assert_close(losses.aam, -torch.stack([frames[0, :, 0], frames[1, :, 1]]).mean())


def test_scale_of_the_depth_loss_is_a_factor() -> None:
    config = LossConfig(depth_scale=30)
    assert depth_loss(config, HALF, torch.zeros_like(HALF)).item() == pytest.approx(30)


def test_a_loss_without_its_part_is_refused() -> None:
    advisor_alone = seeded(
        NetworkConfig(advisor=AdvisorConfig(backbone="resnet18"), aam=None, fusion="am")
    ).eval()
    output = advisor_alone(torch.zeros(1, 5, 3, 224, 224))
    labels = torch.tensor([1])
    with pytest.raises(ConfigError, match="aam_weight > 0 needs the Attended-Auxiliary Module"):
        total_loss(LossConfig(), output, labels)
    only = LossConfig(depth_weight=0, aam_weight=0)
    losses = total_loss(only, output, labels)
    assert losses.aam is None
    assert losses.depth is None
    with pytest.raises(ConfigError, match="needs a depth head"):
        total_loss(LossConfig(aam_weight=0), output, labels)


def test_wrong_labels_and_missing_depth_are_refused() -> None:
    network = seeded(small_config()).eval()
    output = network(torch.zeros(1, 5, 3, 224, 224))
    with pytest.raises(InputError, match=r"expected labels 0 .* got \[2\]"):
        total_loss(LossConfig(), output, torch.tensor([2]))
    with pytest.raises(InputError, match="expected depth maps for J_D, got none"):
        total_loss(LossConfig(), output, torch.tensor([0]))
    three_frames = torch.zeros(1, 3, 224, 224)
    with pytest.raises(InputError, match=r"expected depth maps of 1 clips and 5 frames .* \(1, 3"):
        total_loss(LossConfig(), output, torch.tensor([0]), three_frames)
    with pytest.raises(ValueError, match="at least one loss"):
        LossConfig(depth_weight=0, advisor_weight=0, aam_weight=0)
