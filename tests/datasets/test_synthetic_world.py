from dataclasses import astuple, fields

import numpy as np
import pytest

from vivant.attacks.ranges import Options, draw, stated
from vivant.attacks.rooms import ROOMS
from vivant.attacks.simulate import species_by_name
from vivant.datasets.synthetic_plan import plan
from vivant.datasets.synthetic_world import WORLDS


@pytest.mark.parametrize("layout", WORLDS)
def test_a_world_has_all_that_its_videos_name(layout):
    world = WORLDS[layout]
    for video in plan(layout, "full"):
        assert video.camera in world.cameras
        assert video.session in world.sessions
        assert video.instrument is None or (video.paper or video.instrument) in world.instruments


@pytest.mark.parametrize("layout", WORLDS)
def test_no_two_cameras_and_no_two_sessions_are_alike(layout):
    world = WORLDS[layout]
    assert len({astuple(camera) for camera in world.cameras.values()}) == len(world.cameras)
    assert len({session.light for session in world.sessions.values()}) == len(world.sessions)
    rooms = [kind for session in world.sessions.values() for kind in session.rooms]
    assert len(set(rooms)) == len(rooms) == len(ROOMS)


@pytest.mark.parametrize("layout", WORLDS)
def test_instruments_keep_to_the_ranges_of_their_species(layout):
    for name, fixed in WORLDS[layout].instruments.items():
        look = species_by_name()[name.partition("_")[0]].look
        draw(look, np.random.default_rng(0), **fixed)  # Refuses what the look does not have.
        limits = stated(look)
        for field, value in fixed.items():
            limit = limits[field]
            if isinstance(limit, Options):
                assert value in limit.names
            else:
                assert limit.low <= value <= limit.high, (name, field)


@pytest.mark.parametrize("layout", WORLDS)
def test_cameras_keep_to_the_ranges_of_cameras(layout):
    for name, camera in WORLDS[layout].cameras.items():
        for field, limit in stated(type(camera)).items():
            assert not isinstance(limit, Options)
            assert limit.low <= getattr(camera, field) <= limit.high, (name, field)
        assert {each.name for each in fields(camera)} >= set(stated(type(camera)))
