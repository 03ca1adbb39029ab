import numpy as np
import pytest
import torch

from vivant.geometry.grid import cell_centres, centres_to_corners
from vivant.training.penalties import offset_penalty, overlap_penalty


def test_offset_penalty_is_the_mean_square() -> None:
    offsets = torch.tensor([[[0.5, 0.0], [-0.5, 0.1]], [[0.0, 0.0], [0.2, 0.0]]])
    assert offset_penalty(offsets).item() == pytest.approx((0.25 + 0.25 + 0.01 + 0.04) / 8)
    assert offset_penalty(torch.zeros(2, 4, 2)).item() == 0


def test_patches_of_different_cells_do_not_overlap() -> None:
    centres = torch.from_numpy(cell_centres()).float()[None]
    assert overlap_penalty(centres).item() == 0


@pytest.mark.parametrize(
    ("dx", "dy", "share"), [(0, 0, 1), (0.25, 0, 0.5), (0.25, 0.25, 0.25), (0.5, 0.1, 0), (1, 1, 0)]
)
def test_two_patches_share_by_hand(dx: float, dy: float, share: float) -> None:
    centres = torch.tensor([[[-0.25, -0.25], [-0.25 + dx, -0.25 + dy]]])
    assert overlap_penalty(centres).item() == pytest.approx(share)


def test_overlap_is_that_of_painted_boxes() -> None:
    centres = np.round(np.random.default_rng(3).uniform(-0.75, 0.75, (2, 4, 2)) * 112) / 112
    shares = []
    for of_frame in centres:
        masks = np.zeros((4, 224, 224), bool)
        corners = np.concatenate(centres_to_corners(of_frame), axis=1).round().astype(int)
        for mask, (x0, y0, x1, y1) in zip(masks, corners, strict=True):
            mask[y0:y1, x0:x1] = True
        pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
        shares += [(masks[i] & masks[j]).sum() / masks[i].sum() for i, j in pairs]
    assert overlap_penalty(torch.from_numpy(centres)).item() == pytest.approx(np.mean(shares))


def test_penalties_have_the_gradients_of_small_differences() -> None:
    generator = torch.Generator().manual_seed(2)
    centres = torch.rand(2, 4, 2, generator=generator, dtype=torch.float64) - 0.5
    assert torch.autograd.gradcheck(overlap_penalty, centres.requires_grad_())
    assert torch.autograd.gradcheck(offset_penalty, centres)


def test_descent_draws_patches_apart() -> None:
    centres = torch.tensor([[[0.0, 0.0], [0.1, 0.0]]], requires_grad=True)
    overlap_penalty(centres).backward()
    assert centres.grad is not None
    assert centres.grad[0, 0, 0] > 0, "the left one goes left"
    assert centres.grad[0, 1, 0] < 0


def test_one_patch_alone_has_no_overlap_and_no_gradient() -> None:
    centres = torch.zeros(3, 1, 2, requires_grad=True)
    penalty = overlap_penalty(centres)
    penalty.backward()
    assert penalty.item() == 0
    assert centres.grad is not None
    assert not centres.grad.any()
