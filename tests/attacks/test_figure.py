from dataclasses import replace

import numpy as np
import pytest

from vivant.attacks.camera import to_pixels
from vivant.attacks.figure import figure
from vivant.attacks.traits import HAIR_STYLES, Traits, draw_traits
from vivant.faces.detectors.blazeface import blazeface
from vivant.faces.mesh import FaceMesh, region_of_box, region_of_points

SIZE = (320, 400)
NOBODY = Traits()
EARS = [234, 454]


def pixels_of(traits: Traits) -> np.ndarray:
    drawn = figure(traits, SIZE, 130.0)
    return to_pixels(drawn.light[..., :3] + (1 - drawn.light[..., 3:]) * np.float32(0.2))


def test_the_face_is_as_large_as_asked_and_where_it_was_asked_to_be():
    drawn = figure(NOBODY, SIZE, 130.0)
    assert drawn.light.shape == (400, 320, 4)
    assert np.ptp(drawn.points[:, 0]) == pytest.approx(130)
    np.testing.assert_allclose(drawn.points[EARS, :2].mean(axis=0), [160, 168], atol=1e-6)
    assert drawn.light.min() >= 0
    assert drawn.light[..., 3].max() <= 1
    assert (drawn.skin <= drawn.light[..., 3] + 0.02).all()


@pytest.mark.parametrize("seed", [2, 8])
def test_the_face_models_see_the_mesh_where_the_figure_says_it_is(seed):
    traits = draw_traits(np.random.default_rng(seed))
    points = figure(traits, SIZE, 130.0).points
    pixels = pixels_of(traits)
    found = blazeface().detect(pixels)
    assert len(found) == 1
    model = FaceMesh()
    mesh = model.fit(pixels, region_of_box(found[0].box, found[0].eyes))
    for _ in range(2):
        mesh = model.fit(pixels, region_of_points(mesh.points))
    off = np.linalg.norm(mesh.points[:, :2] - 0.5 - points[:, :2], axis=1)
    assert np.median(off) < 3.5  # Of 130: the models smooth strange shapes out.
    assert mesh.presence_logit > 12


def test_skin_gets_the_tone_that_was_asked_for():
    def cheek(ita: float) -> np.ndarray:
        drawn = figure(replace(NOBODY, skin_ita_deg=ita), SIZE, 130.0)
        x, y = drawn.points[50, :2].astype(int)
        return drawn.light[y - 4 : y + 5, x - 4 : x + 5, :3].mean(axis=(0, 1))

    light, middle, dark = (cheek(ita) for ita in (55.0, 10.0, -50.0))
    assert (light > 1.5 * middle).all()
    assert (middle > 1.5 * dark).all()
    assert dark[0] > dark[1] > dark[2]


@pytest.mark.parametrize("style", HAIR_STYLES)
def test_every_style_of_hair_has_a_head_under_it(style):
    drawn = figure(replace(NOBODY, hair_style=style, hair_colour="black"), SIZE, 130.0)
    x, y = np.rint(drawn.points[:, :2]).astype(int).T
    assert drawn.light[y, x, 3].mean() > 0.98
    crown = drawn.light[y.min() - 15, 160]
    assert crown[3] > 0.9
    assert bool(crown[:3].mean() > 0.15) is (style == "bald")


def test_long_hair_falls_behind_the_shoulders_and_short_hair_does_not():
    beside = (slice(225, 245), slice(80, 92))  # Of the neck.
    long, short = (
        figure(replace(NOBODY, hair_style=style), SIZE, 130.0).light[beside][..., 3].mean()
        for style in ("long", "cropped")
    )
    assert long > 0.5 > short


def test_a_beard_glasses_and_brows_darken_their_places():
    plain = figure(replace(NOBODY, hair_colour="black"), SIZE, 130.0)
    worn = figure(
        replace(NOBODY, hair_colour="black", beard=1.0, brows=1.0, glasses="square"), SIZE, 130.0
    )
    for point in (199, 105, 6):  # Chin, brow, the nose's root.
        x, y = plain.points[point, :2].astype(int)
        there = (slice(y - 3, y + 4), slice(x - 3, x + 4))
        assert worn.light[there].mean() < 0.9 * plain.light[there].mean()


def test_the_same_traits_are_the_same_picture():
    traits = draw_traits(np.random.default_rng(5))
    np.testing.assert_array_equal(
        figure(traits, SIZE, 130.0).light, figure(traits, SIZE, 130.0).light
    )
