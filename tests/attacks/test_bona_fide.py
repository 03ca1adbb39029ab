from dataclasses import replace

import numpy as np
import pytest

from vivant.attacks.acting import Manner, act
from vivant.attacks.bona_fide import Scene, film_person, meshes_of, views
from vivant.attacks.camera import Camera
from vivant.attacks.figure import figure
from vivant.attacks.light import Light
from vivant.attacks.person import Person
from vivant.attacks.pose import Pose
from vivant.attacks.rooms import room
from vivant.attacks.traits import Traits
from vivant.errors import InputError
from vivant.faces.detectors.blazeface import blazeface
from vivant.faces.mesh import FaceMesh, region_of_box, region_of_points

SIZE, LARGER = (240, 320), (272, 336)


@pytest.fixture(scope="module")
def person() -> Person:
    return Person(figure(replace(Traits(), hair_style="short"), LARGER, 110.0))


@pytest.fixture(scope="module")
def place() -> np.ndarray:
    return room("shelf", LARGER, 0.0, np.random.default_rng(0))


def test_a_view_is_the_room_moved(place):
    shake = np.array([[0.0, 0.0], [3.0, -2.0]])
    still, moved = views(place, shake, SIZE)
    assert still.shape == (320, 240, 3)
    np.testing.assert_array_equal(still, place[:320, 16:256])
    np.testing.assert_array_equal(moved[:318, 3:], still[2:, :-3])


def test_a_room_no_larger_than_the_frame_is_refused(place):
    with pytest.raises(InputError, match="a room wider than the frame of 272x336"):
        list(views(place, np.zeros((1, 2)), LARGER))


def test_the_meshes_are_where_the_face_models_see_them(person, place):
    acting = act(3, 2.0, SIZE[0], np.random.default_rng(1), Manner(8.0, 4.0, 2.0, shake=0.03))
    scene = Scene(place, Light(), acting, Pose(x_px=8.0, y_px=-5.0, scale=1.05))
    frames = list(film_person(person, scene, Camera(), SIZE, np.random.default_rng(2)))
    assert [frame.shape for frame in frames] == [(320, 240, 3)] * 3
    model = FaceMesh()
    for pixels, expected in zip(frames, meshes_of(person, scene, SIZE), strict=True):
        found = blazeface().detect(pixels)[0]
        mesh = model.fit(pixels, region_of_box(found.box, found.eyes))
        for _ in range(2):
            mesh = model.fit(pixels, region_of_points(mesh.points))
        off = np.linalg.norm(mesh.points[:, :2] - expected, axis=1)
        assert np.median(off) < 3


def test_the_same_generator_films_the_same_frames(person, place):
    acting = act(2, 10.0, SIZE[0], np.random.default_rng(1))
    scene = Scene(place, Light(), acting)
    one, other = (
        list(film_person(person, scene, Camera(), SIZE, np.random.default_rng(2))) for _ in range(2)
    )
    np.testing.assert_array_equal(one, other)


def test_a_dim_room_s_frames_are_noisier_and_its_warm_light_warm(person, place):
    acting = act(1, 10.0, SIZE[0], np.random.default_rng(1))
    lens = Camera(read_noise=0.0)

    def frame(seed: int, light: Light) -> np.ndarray:
        scene = Scene(place, light, acting)
        films = film_person(person, scene, lens, SIZE, np.random.default_rng(seed))
        return next(films).astype(float)

    spreads = [
        (frame(2, Light(level=level)) - frame(3, Light(level=level))).std() for level in (1.0, 0.25)
    ]
    assert spreads[1] > 1.5 * spreads[0]
    plain, warm = (frame(2, light).mean(axis=(0, 1)) for light in (Light(), Light(1.0, 1.1, 0.85)))
    assert warm[0] - warm[2] > plain[0] - plain[2] + 8
