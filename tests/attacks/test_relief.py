import numpy as np
import pytest

from vivant.attacks.relief import check_mesh, face_mask, relief
from vivant.errors import InputError


@pytest.fixture(scope="module")
def cone() -> np.ndarray:
    """468 points on a cone about (100, 90), 60 pixels wide at z = 0, its tip at z = -30."""
    generator = np.random.default_rng(0)
    angle = np.arange(468) * 2.399963  # The golden angle: even, and no two the same.
    radius = 60 * np.sqrt((np.arange(468) + 0.5) / 468)
    points = np.stack(
        [100 + radius * np.cos(angle), 90 + radius * np.sin(angle), radius / 2 - 30], axis=1
    )
    return points + generator.uniform(-1e-3, 1e-3, points.shape)


def test_depth_over_the_face_is_that_of_the_surface(cone):
    head = np.zeros((200, 220), np.float32)
    head[20:160, 30:170] = 1
    depth = relief(cone, head, 10.0)
    rows, columns = np.indices(depth.shape)
    radius = np.hypot(columns - 100, rows - 90)
    inner = (radius < 50) & (radius > 4)
    np.testing.assert_allclose(depth[inner], radius[inner] / 2 - 30, atol=0.8)


def test_depth_beyond_the_head_is_what_was_given_and_between_lies_between(cone):
    head = np.zeros((200, 220), np.float32)
    head[20:160, 30:170] = 1
    depth = relief(cone, head, 10.0)
    np.testing.assert_allclose(depth[:10], 10, atol=0.05)
    np.testing.assert_allclose(depth[:, 190:], 10, atol=0.05)
    assert -1 < depth[90, 165] < 10
    assert depth.min() > -31
    assert depth.max() < 10.1
    # No step at the outline of the face: nothing would tear there.
    assert np.abs(np.diff(depth, axis=1)).max() <= 2


def test_depth_at_the_points_of_a_mesh_is_the_mesh_s(portrait):
    head = np.ones(portrait.pixels.shape[:2], np.float32)
    depth = relief(portrait.points, head, 50.0)
    x, y, z = portrait.points.T
    found = depth[np.rint(y).astype(int), np.rint(x).astype(int)]
    assert np.median(np.abs(found - z)) < 1
    assert np.abs(found - z)[[1, 4, 33, 263, 61, 291]].max() < 5


def test_the_face_is_what_its_outline_encloses(cone):
    mask = face_mask(cone, 220, 200)
    assert mask.sum() == pytest.approx(np.pi * 60**2, rel=0.04)  # Its hull has corners.
    assert mask[90, 100]
    assert not mask[90, 170]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda points: points * np.nan, "a mesh of finite numbers"),
        (lambda points: points * 0.1 + 80, "is 12 pixels wide, needs 24"),
        (lambda points: points + 500, r"middle \(600, 590\) is outside the picture of 220x200"),
    ],
)
def test_a_mesh_that_is_none_is_refused(cone, change, message):
    check_mesh(cone, 220, 200)
    with pytest.raises(InputError, match=message):
        check_mesh(change(cone), 220, 200)


def test_a_wall_becomes_a_slope_that_does_not_fold(cone):
    wall = cone.copy()
    wall[:, 2] = np.where(np.hypot(cone[:, 0] - 100, cone[:, 1] - 90) > 40, 60, 0)
    depth = relief(wall, np.zeros((200, 220), np.float32), 60.0)
    assert max(np.abs(np.diff(depth, axis=axis)).max() for axis in (0, 1)) <= 2.01
    assert depth[90, 100] == pytest.approx(0, abs=0.5)
    assert depth[:, 215].min() > 30
