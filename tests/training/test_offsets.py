import numpy as np
import pytest
import torch

from builders import moved
from training.small import made_up_batch, thin_network
from vivant.networks.losses import LossConfig
from vivant.training.config import StageConfig
from vivant.training.offsets import gradient_ratios, offset_statistics
from vivant.training.stages import StageModule, set_modes

CONFIG = StageConfig(
    epochs=1,
    learning_rate=1e-3,
    loss=LossConfig(depth_weight=2, advisor_weight=0, aam_weight=10),
)


def test_statistics_by_hand() -> None:
    offsets = torch.tensor([[[0.3, 0.4], [0.5, 0.0]], [[0.3, -0.4], [-0.5, 0.0]]])
    assert offset_statistics(offsets) == pytest.approx(
        {"offset_size": 0.5, "offset_spread": (0 + 0.4 + 0.5 + 0) / 4, "offset_saturated": 2 / 8}
    )


def test_statistics_are_numpys() -> None:
    offsets = np.random.default_rng(3).uniform(-0.5, 0.5, (6, 4, 2))
    found = offset_statistics(torch.from_numpy(offsets))
    assert found["offset_size"] == pytest.approx(np.hypot(offsets[..., 0], offsets[..., 1]).mean())
    assert found["offset_spread"] == pytest.approx(offsets.std(axis=0).mean())
    assert found["offset_saturated"] == pytest.approx((np.abs(offsets) > 0.475).mean())


def test_one_shift_for_all_images_has_no_spread() -> None:
    found = offset_statistics(torch.full((5, 4, 2), 0.2))
    assert found["offset_spread"] == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("number", [2, 3])
def test_ratios_are_those_of_two_backward_passes(number: int) -> None:
    network = moved(thin_network())
    set_modes(network, number, CONFIG, 4)
    assert network.aam is not None
    step = StageModule(network, number, CONFIG)(made_up_batch())
    found = gradient_ratios(network, CONFIG, step.losses)
    assert all(each.grad is None for each in network.parameters()), "gradients are left alone"

    execution = network.aam.execution
    trunk = [*execution.stem.parameters(), *execution.laterals.parameters()]
    for block in (execution.block1, execution.block2, execution.block3):
        trunk += [*block.parameters()]
    offsets = [network.aam.region_proposal.pointwise.weight]
    lengths = []
    for loss in (2 * step.losses.depth, 10 * step.losses.aam):
        network.zero_grad()
        loss.backward(retain_graph=True)
        parts = ([each.grad.flatten() for each in part] for part in (trunk, offsets))
        lengths.append([torch.cat(part).norm().item() for part in parts])
    (depth_trunk, depth_offsets), (class_trunk, class_offsets) = lengths
    assert found == pytest.approx(
        {
            "depth_to_class_trunk": depth_trunk / class_trunk,
            "depth_to_class_offsets": depth_offsets / class_offsets,
        }
    )


def test_no_ratio_without_a_depth_loss() -> None:
    config = StageConfig(
        epochs=1,
        learning_rate=1e-3,
        loss=LossConfig(depth_weight=0, advisor_weight=0, aam_weight=10),
    )
    network = thin_network(depth_head=False)
    step = StageModule(network, 2, config)(made_up_batch())
    assert gradient_ratios(network, config, step.losses) == {}
