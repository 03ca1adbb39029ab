import pytest

from builders import seeded, small_config
from vivant.networks.config import AdvisorConfig, NetworkConfig
from vivant.networks.summary import summarise


def test_parts_add_up_to_the_network() -> None:
    costs = summarise(small_config())
    assert [cost.part for cost in costs][-1] == "total"
    for field in ("num_parameters", "gmacs"):
        parts = sum(getattr(cost, field) for cost in costs[:-1])
        assert getattr(costs[-1], field) == pytest.approx(parts)
    network = seeded(small_config())
    assert costs[-1].num_parameters == sum(p.numel() for p in network.parameters())


def test_multiply_adds_are_those_of_the_textbook() -> None:
    by_part = {cost.part: cost for cost in summarise(NetworkConfig())}
    assert by_part["backbone"].gmacs / 5 == pytest.approx(7.80, abs=0.01)
    execution = sum(cost.gmacs for part, cost in by_part.items() if "execution" in part)
    assert execution / 20 == pytest.approx(0.572, abs=0.001)
    # The stem by hand: 56 x 56 positions, 3x3 kernel, 3 -> 32 channels, 20 patches.
    assert by_part["execution: stem"].gmacs == pytest.approx(20 * 56 * 56 * 9 * 3 * 32 / 1e9)
    # The LSTM by hand: four gates from the frame and from the hidden state, five frames.
    assert by_part["LSTM"].gmacs == pytest.approx(5 * 4 * 256 * (2048 + 256) / 1e9)


def test_advisor_alone_has_no_patches() -> None:
    config = NetworkConfig(advisor=AdvisorConfig(backbone="resnet18"), aam=None, fusion="am")
    assert [cost.part for cost in summarise(config)] == [
        "backbone",
        "LSTM",
        "advisor classifier",
        "Grad-CAM",
        "total",
    ]


def test_shapes_are_those_of_one_clip() -> None:
    by_part = {cost.part: cost.output_shape for cost in summarise(NetworkConfig())}
    assert by_part["backbone"] == (5, 2048, 7, 7)
    assert by_part["execution: depth head"] == (20, 1, 14, 14)
    assert by_part["region proposal"] == (5, 4, 2)
