import pytest
import torch
from torch import Tensor

from builders import moved, seeded, small_config
from vivant.networks.losses import LossConfig, total_loss
from vivant.networks.precision import full_precision

# One frame and narrow patches: bf16 is slow on processors without it.
CONFIG = small_config(widths=(8, 16, 24)).model_copy(update={"num_frames": 1})


@pytest.fixture
def clips(generator: torch.Generator) -> Tensor:
    return torch.randn(1, 1, 3, 224, 224, generator=generator)


def test_autocast_is_off_inside_and_on_again_after() -> None:
    a, b = torch.rand(2, 2), torch.rand(2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        with full_precision(a.device):
            assert (a @ b).dtype == torch.float32
        assert (a @ b).dtype == torch.bfloat16
    with full_precision(torch.device("meta")):
        assert (a @ b).dtype == torch.float32


def test_autocast_leaves_coordinates_and_scores_alone(clips: Tensor) -> None:
    """D38: bf16 in the convolutions, float32 in whatever names a place or a score."""
    network = seeded(CONFIG).eval()  # New: its patches are the anchors themselves.
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        output = network(clips)
    kinds = {
        name: tensor.dtype
        for name, tensor in output._asdict().items()
        if name != "anchors" and tensor is not None
    }
    assert set(kinds.values()) == {torch.float32}
    assert torch.equal(output.boxes, (output.boxes / 56).round() * 56), "whole cells"


def test_training_under_autocast_runs_with_the_loss_outside(clips: Tensor) -> None:
    network = moved(seeded(CONFIG)).train()
    with torch.autocast("cpu", torch.bfloat16):
        output = network(clips)
    losses = total_loss(LossConfig(), output, torch.tensor([0]), torch.rand(1, 1, 224, 224))
    losses.total.backward()
    gradient = network.aam.region_proposal.pointwise.weight.grad
    assert gradient is not None
    assert gradient.dtype == torch.float32
    assert bool(gradient.isfinite().all())
