import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from faces.filming import ASTRONAUT, astronaut, eyes, moved
from vivant.faces.mesh import Mesh, Region, region_of_box, region_of_points
from vivant.records import FaceBox

EYES = np.array([[203.0, 101.0], [247.0, 103.0]])
SCALE = 106.0  # Of the face: tolerances are parts of it.


def fit(picture: np.ndarray, region: Region | None = None) -> Mesh:
    return eyes().mesh.fit(picture, region or region_of_box(ASTRONAUT, EYES))


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]


def square_of_points(angle: float) -> np.ndarray:
    """A mesh within a turned square of side 100 about (300, 200), with its eyes on a level line."""
    rng = np.random.default_rng(2)
    flat = rng.uniform(-50, 50, (468, 2))
    flat[0], flat[1] = (-50, -50), (50, 50)
    flat[33], flat[263] = (-25, -20), (25, -20)
    cos, sin = math.cos(angle), math.sin(angle)
    turned = flat @ np.array([[cos, sin], [-sin, cos]]) + [300, 200]  # Clockwise as seen.
    return np.column_stack([turned, np.zeros(468)])


@pytest.mark.parametrize("angle", [0.0, 0.4, -1.2, 3.0])
def test_square_is_the_region_turned_upright(angle: float) -> None:
    to_square = Region(310.0, 205.0, 96.0, angle).to_square()
    cos, sin = math.cos(angle), math.sin(angle)
    right, down = np.array([cos, sin]), np.array([-sin, cos])  # Of the face, in the frame.
    middle = np.array([310.0, 205.0])
    corners = np.array([middle, middle + 48 * right, middle - 48 * right - 48 * down])
    np.testing.assert_allclose(apply(to_square, corners), [[96, 96], [192, 96], [0, 0]], atol=1e-9)


def test_square_is_that_of_opencv() -> None:
    region = Region(310.0, 205.0, 96.0, 0.4)
    expected = cv2.getRotationMatrix2D((310.0, 205.0), math.degrees(0.4), 192 / 96)
    expected[:, 2] += 96 - np.array([310.0, 205.0])
    np.testing.assert_allclose(region.to_square(), expected, atol=1e-9)


def test_region_of_a_box_is_one_and_a_half_times_the_longer_side() -> None:
    region = region_of_box(FaceBox(10.0, 20.0, 50.0, 100.0), np.array([[20.0, 40], [30.0, 50]]))
    assert (region.x, region.y, region.side_px) == (30.0, 60.0, 120.0)
    assert region.angle_rad == pytest.approx(math.pi / 4)  # The right eye lies lower: clockwise.


@pytest.mark.parametrize("angle", [0.0, 0.3, -0.7, 1.5])
def test_region_of_points_is_the_square_about_them(angle: float) -> None:
    region = region_of_points(square_of_points(angle))
    assert (region.x, region.y) == pytest.approx((300, 200))
    assert region.side_px == pytest.approx(150)
    assert region.angle_rad == pytest.approx(angle)


def test_mesh_lies_on_the_face() -> None:
    mesh = fit(astronaut())
    assert mesh.presence_logit > 15
    assert mesh.upright.shape == (192, 192, 3)
    # Outer corners of the eyes, tip of the nose, corners of the mouth, chin: by eye off the picture.
    places = {33: (194, 102), 263: (259, 104), 1: (225, 126), 61: (202, 143), 291: (244, 143), 152: (225, 177)}  # fmt: skip
    for index, place in places.items():
        assert np.hypot(*(mesh.points[index, :2] - place)) < 0.06 * SCALE, index
    assert mesh.points[1, 2] < mesh.points[[33, 263, 152], 2].min()  # The nose is nearest.


@pytest.mark.parametrize("degrees", [-30.0, 20.0, 60.0])
def test_mesh_turns_with_the_face(degrees: float) -> None:
    expected = fit(astronaut()).points
    turn = cv2.getRotationMatrix2D((226.5, 121.5), -degrees, 1.0)  # moved() turns pixel centres.
    region = replace(region_of_box(ASTRONAUT, EYES), angle_rad=math.radians(2.6 + degrees))
    found = fit(moved(astronaut(), 0, 0, degrees=degrees), region).points
    assert np.abs(found[:, :2] - apply(turn, expected[:, :2])).mean() < 0.01 * SCALE
    assert np.abs(found[:, 2] - expected[:, 2]).mean() < 0.01 * SCALE


@pytest.mark.parametrize("scale", [0.5, 2.0, 3.0])
def test_mesh_grows_with_the_face(scale: float) -> None:
    expected = fit(astronaut()).points
    picture = cv2.resize(astronaut(), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    edges = np.array([ASTRONAUT.x0, ASTRONAUT.y0, ASTRONAUT.x1, ASTRONAUT.y1]) * scale
    found = fit(picture, region_of_box(FaceBox(*map(float, edges)), EYES * scale)).points
    assert np.abs(found - expected * scale).mean() < 0.01 * SCALE * scale
    # Pixels are squares with a middle at a half: no part of one is lost.
    assert np.abs((found - expected * scale)[:, :2].mean(axis=0)).max() < 0.25 * scale


def test_mesh_moves_with_the_face() -> None:
    expected = fit(astronaut()).points
    picture = np.pad(astronaut(), ((31, 0), (57, 0), (0, 0)))
    box = FaceBox(ASTRONAUT.x0 + 57, ASTRONAUT.y0 + 31, ASTRONAUT.x1 + 57, ASTRONAUT.y1 + 31)
    found = fit(picture, region_of_box(box, EYES + np.array([57, 31]))).points
    np.testing.assert_allclose(found, expected + np.array([57, 31, 0]), atol=1e-2)


def test_upright_square_is_the_frame_itself_at_its_own_size() -> None:
    rng = np.random.default_rng(4)
    picture = rng.integers(0, 256, (300, 300, 3)).astype(np.uint8)
    upright = fit(picture, Region(120.0, 140.0, 192.0, 0.0)).upright
    np.testing.assert_array_equal(upright, picture[44:236, 24:216])


def test_nothing_has_no_presence() -> None:
    for grey in (0, 128, 255):
        assert fit(np.full((480, 640, 3), grey, np.uint8)).presence_logit < 0


def test_region_beyond_the_frame_is_black() -> None:
    mesh = fit(astronaut(), Region(-5000.0, 9000.0, 160.0, 0.0))
    assert mesh.presence_logit < 0
    assert not mesh.upright.any()
