import pytest
import torch
from torch import nn

from vivant.networks.advisor import Advisor, Lstm
from vivant.networks.config import AdvisorConfig


@pytest.mark.usefixtures("double")
def test_lstm_is_torchs_lstm(generator: torch.Generator) -> None:
    lstm = Lstm(num_channels=12, hidden_size=7)
    reference = nn.LSTM(12, 7, batch_first=True)
    weights = lstm.cell.state_dict().items()
    reference.load_state_dict({f"{name}_l0": value for name, value in weights})
    pooled = torch.randn(3, 5, 12, generator=generator)
    hidden, trace = lstm(pooled)
    torch.testing.assert_close(hidden, reference(pooled)[0], rtol=0, atol=1e-14)
    torch.testing.assert_close(trace.output_gate * trace.tanh_cell, hidden)
    assert (trace.previous_cell[:, 0] == 0).all()


def test_lstm_has_the_specified_size() -> None:
    count = sum(parameter.numel() for parameter in Lstm(2048, 256).parameters())
    assert count == 2_361_344
    assert sum(parameter.numel() for parameter in Lstm(2048, 512).parameters()) == 5_246_976


@pytest.mark.parametrize("readout", ["last", "mean"])
def test_readout_is_what_the_classifier_sees(readout: str, generator: torch.Generator) -> None:
    advisor = Advisor(AdvisorConfig(backbone="resnet18", hidden_size=8, readout=readout)).eval()
    with torch.no_grad():
        output = advisor(torch.randn(2, 5, 3, 224, 224, generator=generator))
        hidden, _ = advisor.lstm(output.features.mean((3, 4)))
    expected = hidden[:, 4] if readout == "last" else hidden.sum(1) / 5
    torch.testing.assert_close(output.readout, expected)
    torch.testing.assert_close(output.logits, advisor.classifier(expected))


def test_frames_keep_their_order(generator: torch.Generator) -> None:
    advisor = Advisor(AdvisorConfig(backbone="resnet18", hidden_size=8)).eval()
    clip = torch.randn(1, 5, 3, 224, 224, generator=generator)
    with torch.no_grad():
        forward, backward = advisor(clip), advisor(clip.flip(1))
    torch.testing.assert_close(forward.features, backward.features.flip(1), rtol=1e-3, atol=1e-4)
    assert not torch.allclose(forward.logits, backward.logits)
