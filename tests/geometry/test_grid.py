import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivant.geometry.grid import (
    CENTRE_LIMIT,
    cell_centres,
    centres_to_corners,
    corners_to_centres,
    pooling_numerators,
)


def test_pooling_is_the_specified_matrix() -> None:
    weights = pooling_numerators() / 56
    assert weights[0] == pytest.approx([4 / 7, 23 / 56, 1 / 56, 0, 0, 0, 0])
    assert weights[1] == pytest.approx([0, 9 / 56, 31 / 56, 2 / 7, 0, 0, 0])
    assert (weights[2:] == weights[:2, ::-1][::-1]).all()
    assert (pooling_numerators().sum(1) == 56).all()
    assert pooling_numerators().dtype == np.int64
    assert pooling_numerators().tolist() == [
        [32, 23, 1, 0, 0, 0, 0],
        [0, 9, 31, 16, 0, 0, 0],
        [0, 0, 0, 16, 31, 9, 0],
        [0, 0, 0, 0, 1, 23, 32],
    ]


@pytest.mark.parametrize("grid_side", [4, 7])
def test_pooling_is_upsampling_then_the_mean_of_each_cell(grid_side: int) -> None:
    cam = np.random.default_rng(3).normal(size=(7, 7))
    large = cv2.resize(cam, (224, 224), interpolation=cv2.INTER_LINEAR)  # Half-pixel centres.
    corners = np.rint(centres_to_corners(cell_centres(grid_side))[0]).astype(int)
    expected = [large[y : y + 56, x : x + 56].mean() for x, y in corners]
    numerators = pooling_numerators(grid_side)
    weights = numerators / numerators.sum(1, keepdims=True)
    np.testing.assert_allclose((weights @ cam @ weights.T).ravel(), expected, rtol=0, atol=1e-12)


def test_pooling_of_the_finer_grid_is_symmetric_and_has_one_divisor() -> None:
    numerators = pooling_numerators(7)
    assert numerators.shape == (7, 7)
    assert (numerators.sum(1) == 224).all()
    assert (numerators == numerators[::-1, ::-1]).all()
    assert numerators[1].tolist() == [25, 119, 79, 1, 0, 0, 0], "pixels 28 to 83, by hand"


def test_pooling_of_one_corner_is_the_specified_value() -> None:
    weights = pooling_numerators() / 56
    corner = np.zeros((7, 7))
    corner[0, 0] = 1
    grid = weights @ corner @ weights.T
    assert grid[0, 0] == pytest.approx(0.326531, abs=1e-6)
    assert np.count_nonzero(grid) == 1


def test_cells_tile_the_crop() -> None:
    upper_left, lower_right = centres_to_corners(cell_centres())
    expected = [(column * 56, row * 56) for row in range(4) for column in range(4)]
    assert upper_left.tolist() == [list(map(float, corner)) for corner in expected]
    assert (lower_right - upper_left == 56).all()


def test_cells_of_the_finer_grid_overlap_by_half_and_have_the_coarse_ones_among_them() -> None:
    upper_left, lower_right = centres_to_corners(cell_centres(7))
    expected = [[28.0 * column, 28.0 * row] for row in range(7) for column in range(7)]
    assert upper_left.tolist() == expected
    assert (lower_right - upper_left == 56).all()
    assert lower_right.max() == 224
    assert cell_centres(7).reshape(7, 7, 2)[::2, ::2].reshape(16, 2).tolist() == (
        cell_centres().tolist()
    )
    assert (pooling_numerators(7)[::2] == 4 * pooling_numerators()).all()


@given(st.floats(-CENTRE_LIMIT, CENTRE_LIMIT), st.floats(-CENTRE_LIMIT, CENTRE_LIMIT))
def test_every_allowed_centre_keeps_its_patch_inside_and_comes_back(x: float, y: float) -> None:
    centre = np.array([x, y])
    upper_left, lower_right = centres_to_corners(centre)
    assert (upper_left >= 0).all()
    assert (lower_right <= 224).all()
    np.testing.assert_allclose(corners_to_centres(upper_left), centre, atol=1e-12)


def test_one_pixel_is_two_over_the_side() -> None:
    near, _ = centres_to_corners(np.array([0.0, 0.0]))
    far, _ = centres_to_corners(np.array([2 / 224, 0.0]))
    np.testing.assert_allclose(far - near, [1, 0], atol=1e-12)


def test_corners_of_a_larger_crop_are_in_its_pixels() -> None:
    upper_left, lower_right = centres_to_corners(cell_centres()[5], side_px=448)
    assert upper_left.tolist() == [112, 112]
    assert lower_right.tolist() == [224, 224]
