import hashlib
from importlib.resources import files

import cv2
import numpy as np
import pytest
from skimage import data

from vivant.attacks.portrait import CHIN, SIDE, cut, polygon, portrait
from vivant.faces.detectors.blazeface import blazeface
from vivant.faces.mesh import FaceMesh, region_of_box, region_of_points


def test_the_picture_is_the_astronaut_of_scikit_image():
    packed = (files("vivant.attacks") / "astronaut.png").read_bytes()
    # As NOTICE says.
    assert hashlib.sha256(packed).hexdigest().startswith("88431cd9653ccd53")
    expected = cv2.resize(
        data.astronaut()[:256, 98:354], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC
    )
    np.testing.assert_array_equal(cut(), expected)


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_mesh_on_disk_is_what_the_face_models_say(mirrored):
    pixels = np.ascontiguousarray(cut()[:, ::-1]) if mirrored else cut()
    found = blazeface().detect(pixels)[0]
    model = FaceMesh()
    mesh = model.fit(pixels, region_of_box(found.box, found.eyes))
    for _ in range(5):
        mesh = model.fit(pixels, region_of_points(mesh.points))
    np.testing.assert_allclose(portrait(mirrored).points, mesh.points, atol=0.5)


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_head_is_covered_and_the_suit_and_the_wall_are_not(mirrored):
    taken = portrait(mirrored)
    x, y = np.rint(taken.points[:, :2]).astype(int).T
    assert taken.cover[y, x].mean() > 0.95
    assert taken.cover[60, 256] == 1  # Hair above the forehead.
    assert taken.cover[:20].max() < 0.05
    chin = int(taken.points[CHIN, 1])
    assert taken.cover[chin + 25 :].max() < 0.05  # The suit's collar.
    assert taken.cover[:, [2, -3]].max() < 0.05


def test_cheeks_are_skin_and_hair_is_not():
    taken = portrait()
    for point in (50, 280, 1, 152):  # Cheeks, nose, chin.
        x, y = np.rint(taken.points[point, :2]).astype(int)
        assert taken.skin[y, x] > 0.95
    assert taken.skin[60:100, 200:300].max() < 0.1


def test_a_polygon_has_its_area():
    square = np.array([[10.0, 10.0], [29.0, 10.0], [29.0, 29.0], [10.0, 29.0]])
    sharp = polygon(square, (64, 48), 0.0)
    assert sharp.shape == (48, 64)
    assert sharp.sum() == pytest.approx(400, rel=0.05)  # Edges are drawn wide.
    assert polygon(square, (64, 48), 2.0).sum() == pytest.approx(400, rel=0.05)
