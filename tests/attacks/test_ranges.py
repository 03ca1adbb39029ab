from dataclasses import dataclass, fields

import numpy as np
import pytest

from vivant.attacks.camera import Camera
from vivant.attacks.ranges import Options, Range, draw, numbers, one_of, ranged, stated
from vivant.attacks.simulate import Hold, species_by_name
from vivant.errors import InputError


@dataclass(frozen=True)
class Look:
    width: float = ranged(3.0, 1.0, 9.0)
    blur: float = ranged(0.2, 0.1, 1.6, log=True)
    count: int = ranged(2, 1, 4)
    kind: str = one_of("dots", "lines")
    brand: str = "any"


def looks(count: int, **fixed) -> list[Look]:
    return [draw(Look, np.random.default_rng(seed), **fixed) for seed in range(count)]


@pytest.mark.parametrize(
    "record", [Look, Camera, Hold, *(each.look for each in species_by_name().values())]
)
def test_every_drawn_value_lies_in_its_stated_range(record):
    drawn = [draw(record, np.random.default_rng(seed)) for seed in range(60)]
    for name, given in stated(record).items():
        values = [getattr(each, name) for each in drawn]
        if isinstance(given, Options):
            assert set(values) == set(given.names)
        else:
            assert given.low <= min(values) < max(values) <= given.high
    left_out = {each.name for each in fields(record)} - set(stated(record))
    usual = record()
    assert all(getattr(each, name) == getattr(usual, name) for each in drawn for name in left_out)


def test_the_same_seed_draws_the_same_and_another_seed_another():
    assert looks(5) == looks(5)
    assert len(set(looks(5))) == 5


def test_a_plain_range_is_even_and_a_logarithmic_one_even_in_doublings():
    drawn = looks(2000)
    assert np.mean([look.width < 5 for look in drawn]) == pytest.approx(0.5, abs=0.04)
    assert np.mean([look.blur < 0.4 for look in drawn]) == pytest.approx(0.5, abs=0.04)
    assert [sum(look.count == n for look in drawn) for n in (1, 2, 3, 4)] == pytest.approx(
        [500] * 4, abs=80
    )


def test_what_is_fixed_leaves_the_rest_as_it_was_drawn():
    for free, fixed in zip(looks(3), looks(3, blur=7.0), strict=True):
        assert fixed.blur == 7.0  # Even beyond its range: the caller knows.
        assert (free.width, free.count, free.kind) == (fixed.width, fixed.count, fixed.kind)


def test_a_record_becomes_columns_of_text():
    assert numbers(Look(width=1 / 3), "look_") == {
        "look_width": "0.333333",
        "look_blur": "0.2",
        "look_count": "2",
        "look_kind": "dots",
        "look_brand": "any",
    }


def test_ranges_say_what_they_are():
    assert str(Range(0.1, 1.6, log=True)) == "0.1 to 1.6, log"
    assert str(Range(1, 4)) == "1 to 4"
    assert str(Options(("dots", "lines"))) == "dots or lines"


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InputError, match="a range from low to high, above 0"):
        ranged(1.0, 2.0, 1.0)
    with pytest.raises(InputError, match="above 0"):
        ranged(1.0, 0.0, 1.0, log=True)
    with pytest.raises(InputError, match="Look has no hue: its fields are blur, brand, count"):
        draw(Look, np.random.default_rng(0), hue=3)
