"""Residual networks against a second implementation that shares no line with them."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vivant.networks.backbones.resnet import (
    BasicBlock,
    Bottleneck,
    ResNet,
    SqueezeExcitation,
    legacy_se_resnet18,
    legacy_se_resnet50,
    resnet18,
    resnet50,
    resnet101,
    se_resnet18,
    se_resnet50,
    se_resnet101,
)


def randomised(network: ResNet) -> ResNet:
    """Norms as after training: a new one is nearly the identity, and hides mistakes."""
    generator = torch.Generator().manual_seed(9)
    for name, tensor in network.state_dict().items():
        if name.endswith(("bn1.weight", "bn2.weight", "bn3.weight", "running_var", "1.weight")):
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
        elif name.endswith(("running_mean", "bias")):
            tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
    return network.eval()


def functional_resnet(state: dict[str, Tensor], x: Tensor, *, legacy: bool) -> Tensor:
    """The forward pass from the names and shapes of the weights alone."""

    def norm(name: str, x: Tensor) -> Tensor:
        parts = (
            state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, *parts)

    def conv(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        return F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    x = norm("bn1", conv("conv1", x, 2)).relu()
    x = F.max_pool2d(x, 3, 2, ceil_mode=True) if legacy else F.max_pool2d(x, 3, 2, 1)
    for stage in range(1, 5):
        block = 0
        while f"layer{stage}.{block}.conv1.weight" in state:
            name = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            deep = f"{name}.conv3.weight" in state
            strides = (stride, 1) if legacy or not deep else (1, stride)
            branch = norm(f"{name}.bn1", conv(f"{name}.conv1", x, strides[0])).relu()
            branch = norm(f"{name}.bn2", conv(f"{name}.conv2", branch, strides[1]))
            if deep:
                branch = norm(f"{name}.bn3", conv(f"{name}.conv3", branch.relu()))
            elif legacy:
                branch = branch.relu()
            if f"{name}.se.fc1.weight" in state:
                gate = branch.mean((2, 3))
                for layer in ("fc1", "fc2"):
                    weight = state[f"{name}.se.{layer}.weight"][:, :, 0, 0]
                    gate = gate @ weight.T + state[f"{name}.se.{layer}.bias"]
                    gate = gate.relu() if layer == "fc1" else 1 / (1 + (-gate).exp())
                branch = branch * gate[:, :, None, None]
            if f"{name}.downsample.0.weight" in state:
                x = norm(f"{name}.downsample.1", conv(f"{name}.downsample.0", x, stride))
            x = (x + branch).relu()
            block += 1
    return x


@pytest.mark.parametrize(
    "build", [resnet18, resnet50, se_resnet18, se_resnet50, legacy_se_resnet18, legacy_se_resnet50]
)
def test_forward_pass_is_the_textbooks(build: object, generator: torch.Generator) -> None:
    network = randomised(build()).double()
    crops = torch.randn(1, 3, 224, 224, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        features = network(crops)
        reference = functional_resnet(network.state_dict(), crops, legacy=network.legacy)
    assert features.shape == (1, network.num_channels, 7, 7)
    largest = reference.abs().max()
    torch.testing.assert_close(features / largest, reference / largest, rtol=0, atol=1e-12)


def test_squeeze_excitation_sits_in_all_33_bottlenecks() -> None:
    with torch.device("meta"):
        network = se_resnet101()
    blocks = [module for module in network.modules() if isinstance(module, Bottleneck)]
    assert len(blocks) == 33
    assert all(block.se is not None for block in blocks)
    weights = [p for name, p in network.named_parameters() if ".se." in name]
    assert sum(p.numel() for p in weights if p.ndim == 4) == 4_743_168
    assert sum(p.numel() for p in weights if p.ndim == 1) == 34_544


def test_plain_networks_have_torchvisions_size() -> None:
    """Without fc: 11,689,512 - 513,000; 25,557,032 - 2,049,000; 44,549,160 - 2,049,000."""
    for build, count in ((resnet18, 11_176_512), (resnet50, 23_508_032), (resnet101, 42_500_160)):
        with torch.device("meta"):
            assert sum(p.numel() for p in build().parameters()) == count


def test_gate_is_between_zero_and_one_per_channel(generator: torch.Generator) -> None:
    block = SqueezeExcitation(32)
    x = torch.rand(2, 32, 5, 5, generator=generator) + 0.5
    gate = block(x) / x
    assert bool(((gate > 0) & (gate < 1)).all())
    torch.testing.assert_close(gate, gate[:, :, :1, :1].expand_as(gate))


@pytest.mark.parametrize(
    ("plain", "with_se"),
    [
        (resnet18, se_resnet18),
        (resnet50, se_resnet50),
        pytest.param(resnet101, se_resnet101, marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("double")
def test_open_gates_change_nothing_at_step_0(
    plain: object, with_se: object, generator: torch.Generator
) -> None:
    reference = randomised(plain())
    network = with_se().eval()
    network.load_state_dict(reference.state_dict(), strict=False)
    network.start_like_plain()
    crops = torch.randn(1, 3, 224, 224, generator=generator)
    with torch.no_grad():
        expected, features = reference(crops), network(crops)
    largest = expected.abs().max()  # about 1e75 after a hundred norms: compare at its scale
    torch.testing.assert_close(features / largest, expected / largest, rtol=0, atol=1e-12)


def test_open_gates_may_still_learn(generator: torch.Generator) -> None:
    network = se_resnet18()
    network.start_like_plain()
    network(torch.randn(2, 3, 224, 224, generator=generator)).mean().backward()
    block = network.get_submodule("layer4.1")
    assert isinstance(block, BasicBlock)
    assert block.se is not None
    assert block.se.fc2.weight.grad.abs().max() > 0
