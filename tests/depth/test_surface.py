import cv2
import numpy as np
import pytest

from faces.filming import astronaut
from vivant.depth.surface import depth_map, face_triangles
from vivant.errors import InputError
from vivant.faces.detectors.blazeface import blazeface
from vivant.faces.mesh import FaceMesh, region_of_box
from vivant.geometry.crop import crop_box


@pytest.fixture(scope="module")
def mesh() -> np.ndarray:
    """The astronaut's, in pixels of a crop of 224."""
    picture = astronaut()
    (found,) = blazeface().detect(picture)
    points = FaceMesh().fit(picture, region_of_box(found.box, found.eyes)).points
    crop = crop_box(found.box, 512, 512, 1.3)
    return (points - [crop.x, crop.y, 0]) * (224 / crop.side_px)


def test_triangles_cover_the_face_once_and_without_holes(mesh: np.ndarray) -> None:
    triangles = face_triangles()
    edges: dict[frozenset[int], int] = {}
    for a, b, c in triangles.tolist():
        for pair in ((a, b), (b, c), (c, a)):
            edges[frozenset(pair)] = edges.get(frozenset(pair), 0) + 1
    assert max(edges.values()) == 2
    # What has one triangle only is the outline: one loop, the face's oval of 36 points.
    outline = [edge for edge, count in edges.items() if count == 1]
    assert len(outline) == len(set().union(*outline)) == 36


def test_nose_is_nearest_and_background_is_nothing(mesh: np.ndarray) -> None:
    depth = depth_map(mesh, 224)
    assert depth.dtype == np.float32
    assert (depth.min(), depth.max()) == (0, 1)
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    tip = mesh[mesh[:, 2].argmin()]
    assert np.hypot(column + 0.5 - tip[0], row + 0.5 - tip[1]) < 3
    assert (depth[:5] == 0).all()
    assert (depth[:, :5] == 0).all()


def test_eyes_and_mouth_are_shut(mesh: np.ndarray) -> None:
    depth = depth_map(mesh, 224)
    for points in ((33, 133, 159, 145), (263, 362, 386, 374), (13, 14)):
        x, y = mesh[list(points), :2].mean(axis=0)
        assert depth[int(y), int(x)] > 0.2


def turned(mesh: np.ndarray, yaw_deg: float) -> np.ndarray:
    """The mesh turned to the side about its middle."""
    angle = np.radians(yaw_deg)
    turn = np.array(
        [[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]]
    )
    middle = mesh.mean(axis=0)
    return np.asarray((mesh - middle) @ turn.T + middle)


@pytest.mark.parametrize("yaw_deg", [0, 55])
def test_like_an_exact_z_buffer(mesh: np.ndarray, yaw_deg: int) -> None:
    """Another way: every triangle by barycentric coordinates, the nearest one of each pixel.

    Turned by 55 degrees, the nose hides a cheek.
    """
    small = turned(mesh, yaw_deg) * (56 / 224)
    nearest = np.full((56, 56), np.inf)
    for a, b, c in small[face_triangles()]:
        system = np.array([[a[0], b[0], c[0]], [a[1], b[1], c[1]], [1, 1, 1]])
        if abs(np.linalg.det(system)) < 1e-9:
            continue
        low = np.floor(np.minimum(np.minimum(a, b), c)[:2]).astype(int)
        high = np.ceil(np.maximum(np.maximum(a, b), c)[:2]).astype(int)
        for y in range(max(low[1], 0), min(high[1] + 1, 56)):
            for x in range(max(low[0], 0), min(high[0] + 1, 56)):
                weights = np.linalg.solve(system, [x + 0.5, y + 0.5, 1])
                if (weights >= -1e-9).all():
                    z = weights @ [a[2], b[2], c[2]]
                    nearest[y, x] = min(nearest[y, x], z)
    seen = np.isfinite(nearest)
    expected = np.zeros((56, 56))
    a, b, c = small[face_triangles()].transpose(1, 0, 2)
    is_front = np.cross(b - a, c - a)[:, 2] < 0
    facing = small[face_triangles()][is_front][..., 2]
    expected[seen] = (facing.max() - nearest[seen]) / np.ptp(facing)
    depth = depth_map(small, 56)
    inner = cv2.erode(seen.astype(np.uint8), np.ones((3, 3))).astype(bool)
    assert ((depth > 0) == seen).mean() > 0.97  # The painter takes pixels on the outline too.
    assert np.abs(depth - expected)[inner].mean() < 0.02
    assert np.quantile(np.abs(depth - expected)[inner], 0.99) < 0.06


def test_scale_and_distance_of_the_mesh_do_not_matter(mesh: np.ndarray) -> None:
    farther = mesh.copy()
    farther[:, 2] = 3 * farther[:, 2] + 500
    np.testing.assert_allclose(depth_map(farther, 224), depth_map(mesh, 224), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda points: points * np.nan, "expected a mesh of finite numbers"),
        (lambda points: points + 1000, "no point of the face is within the crop of 224 pixels"),
        (lambda points: points * [1, 1, 0], "the mesh is flat"),
    ],
)
def test_mesh_that_gives_no_depth_is_refused_and_not_zeros(mesh, change, message: str) -> None:
    with pytest.raises(InputError, match=message):
        depth_map(change(mesh), 224)


def test_coarse_map_and_fine_map_have_one_scale(mesh: np.ndarray) -> None:
    """Whether a sliver at the face's edge meets a pixel must not change the rest."""
    fine = depth_map(mesh, 224)
    for side in (80, 119, 160, 448):
        coarse = depth_map(mesh * side / 224, side)
        assert abs(np.median(coarse[coarse > 0]) - np.median(fine[fine > 0])) < 0.003


def test_face_that_is_cut_off_keeps_its_scale(mesh: np.ndarray) -> None:
    whole = depth_map(mesh, 224)
    moved = depth_map(mesh + np.array([60, 0, 0]), 224)
    np.testing.assert_allclose(moved[60:180, 100:200], whole[60:180, 40:140], atol=1e-3)
