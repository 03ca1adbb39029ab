import numpy as np
import pytest

from attacks.staged import WALL, filmed
from vivant.attacks.pose import Pose
from vivant.attacks.ranges import draw, stated
from vivant.attacks.simulate import species_by_name

SPECIES = sorted(species_by_name())


def test_the_species_of_the_field_are_there():
    assert SPECIES == ["cut_photo", "print", "replay"]
    assert {name: each.pai_species for name, each in species_by_name().items()} == {
        name: name for name in SPECIES
    }


@pytest.mark.parametrize("species", SPECIES)
def test_frames_have_the_scene_s_size_and_show_it_beside_the_instrument(species, portrait):
    mesh = portrait.points[None, :, :2]
    frames = list(filmed(species, [portrait.pixels], [Pose(), Pose(5.0)], mesh))
    assert len(frames) == 2
    assert all((frame.shape, frame.dtype) == (WALL.shape, np.uint8) for frame in frames)
    np.testing.assert_allclose(frames[0][:12].mean(axis=(0, 1)), 90, atol=2)
    assert np.abs(frames[0][180:220, 180:220].astype(int) - 90).mean() > 10


@pytest.mark.parametrize("species", SPECIES)
def test_the_seed_decides_about_every_pixel(species, portrait):
    mesh = portrait.points[None, :, :2]
    first, same, other = (
        next(filmed(species, [portrait.pixels], [Pose(3.0)], mesh, seed)) for seed in (1, 1, 2)
    )
    assert first.tobytes() == same.tobytes()
    assert first.tobytes() != other.tobytes()


@pytest.mark.parametrize("species", SPECIES)
def test_an_instrument_beside_the_frame_is_not_seen(species, portrait):
    mesh = portrait.points[None, :, :2]
    frame = next(filmed(species, [portrait.pixels], [Pose(x_px=2000.0)], mesh))
    np.testing.assert_allclose(frame.mean(axis=(0, 1)), 90, atol=2)


@pytest.mark.parametrize("species", SPECIES)
def test_any_look_that_can_be_drawn_can_be_filmed(species, portrait):
    mesh = portrait.points[None, :, :2]
    record = species_by_name()[species].look
    for seed in range(3):
        look = draw(record, np.random.default_rng(seed))
        values = {name: getattr(look, name) for name in stated(record)}
        frame = next(filmed(species, [portrait.pixels], [Pose(4.0, -3.0, 2.0)], mesh, **values))
        assert frame.std() > 5
