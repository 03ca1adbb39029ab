import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from vivant.geometry.grid import cell_centres, centres_to_corners, corners_to_centres
from vivant.networks.anchors import AnchorSelector
from vivant.networks.config import AamConfig
from vivant.networks.region_proposal import (
    RegionProposal,
    clamp_one_sided,
    sample_patches,
    sampling_grid,
)

LIMIT = 0.75


def affine_matrices(centres: Tensor) -> Tensor:
    """M of Eq. 2 for each patch, written out: [[0.25, 0, t_x], [0, 0.25, t_y]]."""
    scale = 0.25 * torch.eye(2, dtype=centres.dtype)
    return torch.cat([scale.expand(*centres.shape[:2], 2, 2), centres[..., None]], dim=3)


@pytest.mark.parametrize("side", [56, 112, 7])
def test_grid_is_eq_2_s(side: int, generator: torch.Generator) -> None:
    centres = 1.5 * torch.rand(3, 4, 2, generator=generator, dtype=torch.float64) - 0.75
    matrices = affine_matrices(centres).flatten(0, 1)
    expected = F.affine_grid(matrices, [12, 1, side, side], align_corners=False)
    torch.testing.assert_close(
        sampling_grid(centres, side).flatten(0, 1), expected, rtol=0, atol=1e-14
    )


def proposal(
    slots: str = "raster", weight_scale: float = 0.0, seed: int = 0, grid_side: int = 4
) -> RegionProposal:
    torch.manual_seed(seed)
    stage = RegionProposal(6, AamConfig(offset_slots=slots, grid_side=grid_side))
    with torch.no_grad():
        stage.pointwise.weight.add_(weight_scale * torch.randn_like(stage.pointwise.weight))
    return stage


def test_sizes_are_the_specified_ones() -> None:
    stage = RegionProposal(2048, AamConfig())
    assert stage.depthwise.weight.numel() == 100_352
    assert stage.pointwise.weight.numel() == 16_384
    assert sum(parameter.numel() for parameter in stage.parameters()) == 100_352 + 16_384


@pytest.mark.parametrize(("grid_side", "num_cells"), [(4, 16), (7, 49)])
def test_each_cell_of_the_grid_has_a_pair_if_asked_for(grid_side: int, num_cells: int) -> None:
    assert proposal("per_cell", grid_side=grid_side).pointwise.weight.shape[0] == 2 * num_cells
    assert proposal("raster", grid_side=grid_side).pointwise.weight.shape[0] == 2 * 4


@pytest.mark.parametrize("grid_side", [4, 7])
def test_patches_start_at_the_anchors(grid_side: int, generator: torch.Generator) -> None:
    selector = AnchorSelector(AamConfig(grid_side=grid_side))
    anchors = selector(torch.rand(3, 7, 7, generator=generator))
    stage = proposal(grid_side=grid_side)
    centres = stage(torch.randn(3, 6, 7, 7, generator=generator), anchors)
    assert torch.equal(centres, anchors.centres)


@given(
    st.floats(-1e4, 1e4),
    st.integers(0, 100),
    st.sampled_from(["raster", "rank", "per_cell"]),
    st.sampled_from([4, 7]),
)
def test_no_offset_moves_a_patch_out_or_further_than_a_cell(
    scale: float, seed: int, slots: str, grid_side: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    selector = AnchorSelector(AamConfig(offset_slots=slots, grid_side=grid_side))
    anchors = selector(torch.rand(2, 7, 7, generator=generator))
    features = scale * torch.randn(2, 6, 7, 7, generator=generator)
    stage = proposal(slots, weight_scale=1.0, seed=seed, grid_side=grid_side)
    centres = stage(features, anchors)
    assert bool((centres.abs() <= LIMIT).all())
    assert bool(((centres - anchors.centres).abs() <= 0.5).all())


def test_offsets_follow_the_specified_formula(generator: torch.Generator) -> None:
    stage = proposal(weight_scale=0.3)
    features = torch.randn(1, 6, 7, 7, generator=generator)
    anchors = AnchorSelector(AamConfig())(torch.rand(1, 7, 7, generator=generator))
    by_hand = np.zeros((4, 2))
    depthwise = (features[0] * stage.depthwise.weight[:, 0]).sum((1, 2)).detach().numpy()
    pairs = stage.pointwise.weight[:, :, 0, 0].detach().numpy() @ depthwise
    for slot, cell in enumerate(anchors.cells[0].tolist()):
        offset = 0.5 * np.tanh(pairs[2 * slot : 2 * slot + 2])
        by_hand[slot] = np.clip(cell_centres()[cell] + offset, -LIMIT, LIMIT)
    np.testing.assert_allclose(stage(features, anchors)[0].detach(), by_hand, atol=1e-6)


@pytest.mark.parametrize("grid_side", [4, 7])
def test_each_cell_has_its_own_pair_if_asked_for(
    grid_side: int, generator: torch.Generator
) -> None:
    stage = proposal("per_cell", weight_scale=0.1, grid_side=grid_side)
    features = torch.randn(1, 6, 7, 7, generator=generator)
    cams = torch.zeros(2, 7, 7)
    cams[0, 3, 3], cams[1, 3, 2] = 1.0, 1.0
    selector = AnchorSelector(AamConfig(offset_slots="per_cell", grid_side=grid_side))
    first, second = (selector(cam[None]) for cam in cams)
    offsets = [stage(features, anchors) - anchors.centres for anchors in (first, second)]
    shared_cells = set(first.cells[0].tolist()) & set(second.cells[0].tolist())
    assert shared_cells
    for cell in shared_cells:
        slots = [anchors.cells[0].tolist().index(cell) for anchors in (first, second)]
        inside = all(o[0, slot].abs().max() < 0.2 for o, slot in zip(offsets, slots, strict=True))
        assert inside, "the offsets of this test must not be clamped"
        torch.testing.assert_close(offsets[0][0, slots[0]], offsets[1][0, slots[1]])


@pytest.mark.parametrize(
    ("value", "gradient", "expected"),
    [
        (0.0, 1.0, 1.0),
        (0.75, -1.0, 0.0),  # descent would push it up and out
        (0.75, 1.0, 1.0),  # descent leads back inside
        (0.9, -1.0, 0.0),
        (0.9, 1.0, 1.0),
        (-0.75, 1.0, 0.0),
        (-0.75, -1.0, -1.0),
        (-2.0, 1.0, 0.0),
        (-2.0, -1.0, -1.0),
    ],
)
def test_clamp_has_a_one_sided_gradient(value: float, gradient: float, expected: float) -> None:
    values = torch.tensor([value], requires_grad=True)
    clamped = clamp_one_sided(values, LIMIT)
    assert clamped.item() == min(max(value, -LIMIT), LIMIT)
    (clamped * gradient).sum().backward()
    assert values.grad is not None
    assert values.grad.item() == expected


def test_clamp_is_the_same_without_autograd(generator: torch.Generator) -> None:
    values = torch.randn(50, generator=generator)
    with torch.no_grad():
        plain = clamp_one_sided(values, LIMIT)
    assert torch.equal(plain, clamp_one_sided(values.requires_grad_(), LIMIT).detach())


def image(generator: torch.Generator, side: int = 224) -> Tensor:
    dtype = torch.get_default_dtype()
    return torch.randn(1, 3, side, side, generator=generator, dtype=dtype)


@pytest.mark.parametrize("side", [224, 448])
@pytest.mark.usefixtures("double")
def test_patch_of_a_cell_is_that_slice_of_the_image(side: int, generator: torch.Generator) -> None:
    crop = image(generator, side)
    patches = sample_patches(crop, torch.tensor(cell_centres())[None])
    size = side // 4
    for cell in range(16):
        row, column = divmod(cell, 4)
        rows, columns = (
            slice(size * row, size * row + size),
            slice(size * column, size * (column + 1)),
        )
        expected = crop[0, :, rows, columns]
        torch.testing.assert_close(patches[0, cell], expected, rtol=0, atol=1e-10)


@pytest.mark.usefixtures("double")
def test_patch_of_a_cell_of_the_finer_grid_is_that_slice_too(generator: torch.Generator) -> None:
    crop = image(generator)
    patches = sample_patches(crop, torch.tensor(cell_centres(7))[None])
    for cell in range(49):
        y, x = 28 * (cell // 7), 28 * (cell % 7)
        expected = crop[0, :, y : y + 56, x : x + 56]
        torch.testing.assert_close(patches[0, cell], expected, rtol=0, atol=1e-10)


def test_patch_of_a_cell_is_that_slice_in_float32(generator: torch.Generator) -> None:
    crop = image(generator)
    patch = sample_patches(crop, torch.tensor(cell_centres()[None, 6:7], dtype=torch.float32))
    torch.testing.assert_close(patch[0, 0], crop[0, :, 56:112, 112:168], rtol=0, atol=2e-4)


@pytest.mark.usefixtures("double")
def test_two_over_224_is_one_pixel(generator: torch.Generator) -> None:
    crop = image(generator)
    centre = torch.tensor([[[-0.25 + 2 / 224, 0.25 - 6 / 224]]])
    patch = sample_patches(crop, centre)
    torch.testing.assert_close(patch[0, 0], crop[0, :, 109:165, 57:113], rtol=0, atol=1e-10)


@pytest.mark.usefixtures("double")
def test_other_alignment_would_not_be_the_slice(generator: torch.Generator) -> None:
    crop = image(generator)
    theta = affine_matrices(torch.tensor([[[-0.25, -0.25]]]))[0]
    grid = F.affine_grid(theta, [1, 3, 56, 56], align_corners=True)
    wrong = F.grid_sample(crop, grid, align_corners=True)
    assert (wrong[0] - crop[0, :, 56:112, 56:112]).abs().max() > 1


@given(st.floats(-LIMIT, LIMIT), st.floats(-LIMIT, LIMIT))
def test_box_and_matrix_go_round(x: float, y: float) -> None:
    centre = np.array([x, y])
    upper_left, _ = centres_to_corners(centre)
    theta = affine_matrices(torch.tensor(corners_to_centres(upper_left))[None, None])[0, 0]
    np.testing.assert_allclose(theta, [[0.25, 0, x], [0, 0.25, y]], atol=1e-12)
    # The matrix sends the output's left upper corner (-1, -1) to the box's.
    corner = theta.numpy() @ np.array([-1, -1, 1])
    np.testing.assert_allclose((corner + 1) * 112, upper_left, atol=1e-9)


@pytest.mark.usefixtures("double")
def test_gradients_of_the_sampler_are_right(generator: torch.Generator) -> None:
    crop = torch.rand(1, 1, 16, 16, generator=generator, dtype=torch.float64, requires_grad=True)
    centres = torch.tensor([[[0.11, -0.23], [0.52, 0.37]]], requires_grad=True)
    assert torch.autograd.gradcheck(sample_patches, (crop, centres))


def test_gradient_leads_a_patch_to_where_the_image_is_bright() -> None:
    ramp = torch.linspace(0, 1, 224).expand(1, 1, 224, 224)
    centres = torch.tensor([[[0.75, 0.0], [0.0, 0.0]]], requires_grad=True)
    sample_patches(ramp, clamp_one_sided(centres, LIMIT)).mean().neg().backward()
    assert centres.grad is not None
    assert centres.grad[0, 1, 0] < 0, "descent moves it to the right"
    assert centres.grad[0, 0, 0] == 0, "at the border it stays"
