from dataclasses import fields

import numpy as np
import pytest
from skimage.color import rgb2lab

from vivant.attacks.ranges import Options, stated
from vivant.attacks.traits import HAIR_COLOURS, Traits, draw_traits, hair_light, skin_light


@pytest.mark.parametrize("ita", [-60.0, -30.0, 0.0, 28.0, 41.0, 58.0])
def test_skin_has_the_typology_angle_that_was_asked_for(ita):
    light = skin_light(ita)
    assert ((light > 0) & (light < 1)).all()
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    lightness, _, b = rgb2lab(srgb[None, None])[0, 0]
    assert np.degrees(np.arctan((lightness - 50) / b)) == pytest.approx(ita, abs=1.5)


def test_skin_gets_darker_with_the_angle():
    light = [skin_light(float(ita)).mean() for ita in range(58, -61, -10)]
    assert light == sorted(light, reverse=True)
    assert light[0] > 4 * light[-1]


def test_the_same_generator_draws_the_same_person():
    assert draw_traits(np.random.default_rng(3)) == draw_traits(np.random.default_rng(3))
    assert draw_traits(np.random.default_rng(3)) != draw_traits(np.random.default_rng(4))


def test_people_keep_to_the_ranges_and_to_what_goes_together():
    people = [draw_traits(np.random.default_rng(seed)) for seed in range(300)]
    left_out = {"beard": 0.0, "freckles": 0, "smile": 0.0}
    for name, limits in stated(Traits).items():
        values = [getattr(person, name) for person in people]
        assert len(set(values)) > 1, name
        if isinstance(limits, Options):
            assert set(values) <= set(limits.names)
        else:
            kept = [value for value in values if value != left_out.get(name)]
            assert limits.low <= min(kept) <= max(kept) <= limits.high
    assert all(not (p.beard and p.hair_style in ("bob", "long")) for p in people)
    assert all(p.skin_ita_deg > 20 for p in people if p.hair_colour in ("blond", "red"))
    tones = np.histogram([p.skin_ita_deg for p in people], bins=4, range=(-60, 58))[0]
    assert tones.min() > 45  # Evenly over the whole range: 75 in each quarter.


def test_every_trait_has_a_range_or_options():
    assert {each.name for each in fields(Traits)} == set(stated(Traits))


def test_hair_gets_lighter_from_black_to_blond():
    light = [hair_light(colour).mean() for colour in ("black", "brown", "blond")]
    assert light == sorted(light)
    assert all(0 < hair_light(colour).min() < 1 for colour in HAIR_COLOURS)
