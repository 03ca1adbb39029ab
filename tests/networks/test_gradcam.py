"""The closed form against autograd through `nn.LSTM`, which shares no line with it."""

import pytest
import torch
from torch import Tensor, nn

from vivant.networks.advisor import Advisor, AdvisorOutput, Lstm
from vivant.networks.config import AdvisorConfig
from vivant.networks.gradcam import GradCam, lstm_input_gradient

# The closed form depends on the number of channels and on nothing else of the backbone.
BACKBONES = [
    "se_resnet18",
    "efficientnet_lite0",
    pytest.param("se_resnet101", marks=pytest.mark.slow),
]


def advisor_of(**config: object) -> Advisor:
    torch.manual_seed(3)
    return Advisor(AdvisorConfig(**config)).eval()


def clips(generator: torch.Generator) -> Tensor:
    shape = (1, 5, 3, 224, 224)
    return torch.randn(shape, generator=generator, dtype=torch.get_default_dtype())


def said_of(advisor: Advisor, features: Tensor) -> AdvisorOutput:
    """The Advisor's output for feature maps, as if its backbone had made them."""
    hidden, trace = advisor.lstm(features.mean((3, 4)))
    readout = hidden[:, -1] if advisor.config.readout == "last" else hidden.mean(1)
    return AdvisorOutput(features, advisor.classifier(readout), readout, trace)


def feature_maps(generator: torch.Generator) -> Tensor:
    shape = (3, 5, 512, 7, 7)
    return torch.rand(shape, generator=generator, dtype=torch.get_default_dtype())


def autograd_cam(advisor: Advisor, output: AdvisorOutput) -> Tensor:
    """Eq. 3 and the sum of Eq. 4, literally: autograd from the score to the feature map."""
    cell = advisor.lstm.cell
    lstm = nn.LSTM(cell.input_size, cell.hidden_size, batch_first=True)
    lstm.load_state_dict({f"{name}_l0": value for name, value in cell.state_dict().items()})
    features = output.features.detach().requires_grad_()
    states, _ = lstm(features.mean((3, 4)))
    readout = states[:, -1] if advisor.config.readout == "last" else states.mean(1)
    logits = advisor.classifier(readout)
    rows = torch.arange(len(logits))
    predicted = logits.argmax(1)
    score = logits[rows, predicted]
    if advisor.config.cam_target == "margin":
        score = score - logits[rows, 1 - predicted]
    (gradient,) = torch.autograd.grad(score.sum(), features)
    alpha = gradient.sum((3, 4)) / 49
    return (alpha[..., None, None] * features).sum(2).detach()


def largest_relative_difference(closed: Tensor, reference: Tensor) -> float:
    """Of any frame, against that frame's own largest value: alpha may be 1e-4 in early frames."""
    largest = reference.abs().amax((2, 3), keepdim=True)
    return float(((closed - reference).abs() / largest).max())


@pytest.mark.parametrize("backbone", BACKBONES)
def test_closed_form_is_autograd_in_float32(backbone: str, generator: torch.Generator) -> None:
    advisor = advisor_of(backbone=backbone)
    with torch.inference_mode():
        output = advisor(clips(generator))
        closed = GradCam()(advisor, output)
    output = AdvisorOutput(output.features.clone(), *output[1:])
    assert largest_relative_difference(closed.clone(), autograd_cam(advisor, output)) <= 1e-4


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.usefixtures("double")
def test_closed_form_is_autograd_in_float64(backbone: str, generator: torch.Generator) -> None:
    advisor = advisor_of(backbone=backbone)
    with torch.no_grad():
        output = advisor(clips(generator))
        closed = GradCam()(advisor, output)
    assert largest_relative_difference(closed, autograd_cam(advisor, output)) <= 1e-10


@pytest.mark.parametrize("readout", ["last", "mean"])
@pytest.mark.parametrize("cam_target", ["margin", "logit"])
@pytest.mark.usefixtures("double")
def test_closed_form_is_autograd_for_every_option(
    readout: str, cam_target: str, generator: torch.Generator
) -> None:
    advisor = advisor_of(backbone="se_resnet18", readout=readout, cam_target=cam_target)
    with torch.no_grad():
        # Both classes among the three clips: the bias sits between their margins.
        margins = said_of(advisor, feature_maps(generator)).logits.diff(dim=1)[:, 0]
        advisor.classifier.bias[0] += margins.median() + 1e-9
        output = said_of(advisor, feature_maps(generator.manual_seed(20)))
        closed = GradCam()(advisor, output)
    assert set(output.logits.argmax(1).tolist()) == {0, 1}
    assert largest_relative_difference(closed, autograd_cam(advisor, output)) <= 1e-10


@pytest.mark.usefixtures("double")
def test_gradient_of_the_lstm_is_autograds(generator: torch.Generator) -> None:
    """dy/dg of each frame, for a y that depends on every hidden state."""
    lstm = nn.LSTM(9, 6, batch_first=True)
    mine = Lstm(9, 6)
    mine.cell.load_state_dict({n.removesuffix("_l0"): t for n, t in lstm.state_dict().items()})
    pooled = torch.randn(2, 5, 9, generator=generator, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 5, 6, generator=generator, dtype=torch.float64)
    (expected,) = torch.autograd.grad((lstm(pooled)[0] * weights).sum(), pooled)
    with torch.no_grad():
        _, trace = mine(pooled)
        closed = lstm_input_gradient(mine.cell, trace, weights)
    torch.testing.assert_close(closed, expected, rtol=0, atol=1e-12)


def test_map_is_a_constant_to_training(generator: torch.Generator) -> None:
    advisor = advisor_of(backbone="se_resnet18").train()
    cam = GradCam()(advisor, advisor(clips(generator)))
    assert not cam.requires_grad


def test_dropout_does_not_touch_the_map(generator: torch.Generator) -> None:
    advisor = advisor_of(backbone="se_resnet18")
    advisor.dropout.train()
    with torch.no_grad():
        output = said_of(advisor, feature_maps(generator))
        first, second = GradCam()(advisor, output), GradCam()(advisor, output)
    reference = autograd_cam(advisor, output)
    assert largest_relative_difference(first, reference) <= 1e-4
    assert torch.equal(first, second)


def test_margin_ignores_what_both_rows_share_and_the_literal_logit_does_not(
    generator: torch.Generator,
) -> None:
    maps = {}
    for target in ("margin", "logit"):
        advisor = advisor_of(backbone="se_resnet18", cam_target=target)
        with torch.no_grad():
            output = said_of(advisor, feature_maps(generator.manual_seed(4)))
            before = GradCam()(advisor, output)
            advisor.classifier.weight += 1.0
            after = GradCam()(advisor, output)
        maps[target] = largest_relative_difference(after, before)
    assert maps["margin"] < 1e-3
    assert maps["logit"] > 0.1
