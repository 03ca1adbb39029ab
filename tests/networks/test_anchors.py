import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor
from torch.nn import functional as F

from vivant.geometry.grid import cell_centres, pooling_numerators
from vivant.networks.anchors import AnchorSelector, grid_scores, rank_cells
from vivant.networks.config import AamConfig


def ranks_in_plain_python(scores: list[float]) -> list[int]:
    """Decision D8, word for word."""
    largest = max(abs(score) for score in scores) or 1
    levels = [round(float(np.float32(4096) * np.float32(s) / np.float32(largest))) for s in scores]
    order = sorted(range(len(scores)), key=lambda cell: (-levels[cell], cell))
    return [order.index(cell) for cell in range(len(scores))]


def pooling_of(grid_side: int) -> Tensor:
    numerators = pooling_numerators(grid_side)
    return torch.tensor(numerators) / int(numerators[0].sum())


@pytest.mark.parametrize(("grid_side", "stride"), [(4, 56), (7, 28)])
@pytest.mark.usefixtures("double")
def test_grid_is_bilinear_upsampling_then_mean_of_cells(
    grid_side: int, stride: int, generator: torch.Generator
) -> None:
    cam = torch.randn(6, 7, 7, generator=generator)
    large = F.interpolate(cam[:, None], size=(224, 224), mode="bilinear", align_corners=False)
    expected = F.avg_pool2d(large, 56, stride)[:, 0]
    scores = grid_scores(cam, pooling_of(grid_side))
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-10)


def test_grid_of_ones_is_ones() -> None:
    pooling = torch.tensor(pooling_numerators()) / 56
    torch.testing.assert_close(grid_scores(torch.ones(1, 7, 7), pooling), torch.ones(1, 4, 4))


def test_weights_of_the_paper_s_grid_are_56ths_to_the_bit() -> None:
    selector = AnchorSelector(AamConfig())
    assert torch.equal(
        selector.numerators / selector.denominator, torch.tensor(pooling_numerators()) / 56
    )


@pytest.mark.parametrize("grid_side", [4, 7])
@pytest.mark.parametrize("constant", [1.0, 0.1, 0.37, 1e-3])
def test_constant_map_gives_the_first_cells(constant: float, grid_side: int) -> None:
    anchors = AnchorSelector(AamConfig(grid_side=grid_side))(torch.full((2, 7, 7), constant))
    assert anchors.cells.tolist() == [[0, 1, 2, 3]] * 2


@settings(deadline=None)
@given(
    st.sampled_from([4, 7]).flatmap(
        lambda side: arrays(np.float32, (side, side), elements=st.floats(-1, 1, width=16))
    )
)
def test_ranks_are_those_of_a_sort_by_level_then_cell(grid: np.ndarray) -> None:
    scores = grid.ravel()
    ranks = rank_cells(torch.tensor(grid)[None])
    assert ranks.tolist() == [ranks_in_plain_python(scores.tolist())]


def test_map_without_a_positive_value_is_ranked_as_it_is() -> None:
    cam = torch.full((1, 7, 7), -1.0)
    cam[0, 6, 6] = -0.5
    cells = AnchorSelector(AamConfig(num_patches=1))(cam).cells
    assert cells.tolist() == [[15]]
    finer = AnchorSelector(AamConfig(num_patches=1, grid_side=7))(cam).cells
    assert finer.tolist() == [[48]]
    zero = AnchorSelector(AamConfig())(torch.zeros(1, 7, 7)).cells
    assert zero.tolist() == [[0, 1, 2, 3]]


def test_rectified_part_alone_is_ranked_where_there_is_one() -> None:
    cam = torch.zeros(1, 7, 7)
    cam[0, 0, 0], cam[0, 0, 1], cam[0, 6, 6] = 1.0, -9.0, 0.5
    selector = AnchorSelector(AamConfig(num_patches=1))
    assert selector(cam).cells.tolist() == [[0]], "unrectified, its neighbour would bury cell 0"
    pooling = torch.tensor(pooling_numerators()) / 56
    assert rank_cells(grid_scores(cam, pooling))[0, 15] == 0


@pytest.mark.parametrize(
    ("grid_side", "num_patches"), [(4, 1), (4, 4), (4, 16), (7, 1), (7, 4), (7, 49)]
)
def test_slots_follow_the_cells_or_the_ranks(
    grid_side: int, num_patches: int, generator: torch.Generator
) -> None:
    cam = torch.rand(20, 7, 7, generator=generator)
    ranks = rank_cells(grid_scores(cam, pooling_of(grid_side)))
    by_rank = ranks.argsort(1)[:, :num_patches]
    config = AamConfig(grid_side=grid_side, num_patches=num_patches)
    ranked = AnchorSelector(config.model_copy(update={"offset_slots": "rank"}))(cam)
    raster = AnchorSelector(config)(cam)
    assert torch.equal(ranked.cells, by_rank)
    assert torch.equal(raster.cells, by_rank.sort(1).values)
    assert torch.equal(raster.centres, torch.tensor(cell_centres(grid_side)).float()[raster.cells])
    assert raster.one_hot.shape == (20, num_patches, grid_side**2)


def test_finer_grid_has_a_cell_about_the_middle() -> None:
    """The map's middle is the crop's; the four cells about it see a part each, one of 49 all."""
    cam = torch.zeros(1, 7, 7)
    cam[0, 3, 3] = 1.0
    anchors = AnchorSelector(AamConfig(num_patches=1, grid_side=7))(cam)
    assert anchors.cells.tolist() == [[24]]
    assert anchors.centres.tolist() == [[[0.0, 0.0]]]
    assert AnchorSelector(AamConfig())(cam).cells.tolist() == [[5, 6, 9, 10]]


def test_anchors_carry_no_gradient() -> None:
    anchors = AnchorSelector(AamConfig())(torch.rand(1, 7, 7, requires_grad=True))
    assert not anchors.centres.requires_grad
