from dataclasses import replace

import numpy as np
import pytest

from vivant.attacks.camera import to_pixels
from vivant.attacks.figure import figure
from vivant.attacks.light import Light
from vivant.attacks.person import Person
from vivant.attacks.pose import Pose
from vivant.attacks.traits import Traits
from vivant.errors import InputError
from vivant.faces.detectors.blazeface import blazeface
from vivant.faces.mesh import FaceMesh, region_of_box, region_of_points

SIZE = (320, 400)
FLAT = Light(key=0.0)
NOSE, EARS = 1, [234, 454]


@pytest.fixture(scope="module")
def person() -> Person:
    return Person(figure(replace(Traits(), hair_style="cropped"), SIZE, 130.0))


def test_at_rest_in_even_light_the_figure_is_seen(person):
    seen = person.seen(Pose(), FLAT)
    drawn = figure(replace(Traits(), hair_style="cropped"), SIZE, 130.0).light
    np.testing.assert_allclose(seen[..., 3], drawn[..., 3], atol=0.02)
    ratio = seen[..., :3].sum() / drawn[..., :3].sum()
    assert ratio == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("pose", [Pose(8.0), Pose(-8.0, 5.0, 2.0, 6.0, -4.0, 1.05)])
def test_the_face_models_find_the_mesh_where_the_pose_takes_it(person, pose):
    seen = person.seen(pose, FLAT)
    pixels = to_pixels(seen[..., :3] + (1 - seen[..., 3:]) * np.float32(0.2))
    found = blazeface().detect(pixels)[0]
    model = FaceMesh()
    mesh = model.fit(pixels, region_of_box(found.box, found.eyes))
    for _ in range(2):
        mesh = model.fit(pixels, region_of_points(mesh.points))
    off = mesh.points[:, :2] - 0.5 - person.mesh(pose)
    assert np.median(np.linalg.norm(off, axis=1)) < 3


def test_the_nose_moves_against_the_ears(person):
    turned = person.mesh(Pose(10.0)) - person.mesh(Pose())
    depth = person.points[EARS, 2].mean() - person.points[NOSE, 2]
    assert turned[NOSE, 0] - turned[EARS, 0].mean() == pytest.approx(
        np.sin(np.radians(10)) * depth, abs=0.7
    )


def test_light_from_the_right_brightens_the_right_cheek(person):
    left, right = (person.points[point, :2].astype(int) for point in (50, 280))

    def cheeks(yaw_deg: float) -> float:
        seen = person.seen(Pose(), Light(key=0.6, yaw_deg=yaw_deg, pitch_deg=0.0))
        parts = [seen[y - 4 : y + 5, x - 4 : x + 5, 1].mean() for x, y in (left, right)]
        return float(parts[1] / parts[0])

    assert cheeks(50.0) > 1.2 * cheeks(0.0) > 1.4 * cheeks(-50.0)


def test_the_light_stays_where_it_is_when_the_head_turns(person):
    light = Light(key=0.7, yaw_deg=60.0, pitch_deg=0.0)
    away, towards = (person.seen(Pose(yaw), light) for yaw in (-15.0, 15.0))
    face = (slice(140, 240), slice(110, 210))
    assert towards[face][..., :3].mean() > 1.05 * away[face][..., :3].mean()


def test_eyes_close_lips_smile_and_brows_rise(person):
    rest = person.seen(Pose(), FLAT)
    for change, points in (
        ({"eyelids": 1.0}, (159, 145)),
        ({"smile": 1.0}, (61, 291)),
        ({"brows": 1.0}, (105, 334)),
    ):
        moved = np.abs(person.seen(Pose(), FLAT, **change) - rest).sum(axis=-1)
        for point in points:
            x, y = person.points[point, :2].astype(int)
            assert moved[y - 6 : y + 7, x - 6 : x + 7].max() > 0.1
        x, y = person.points[152, :2].astype(int)
        assert moved[y + 10 :, :].max() < 0.05  # The shirt does not move with it.


def test_what_a_picture_cannot_show_is_refused(person):
    with pytest.raises(InputError, match="a yaw within 25"):
        person.seen(Pose(yaw_deg=40.0), FLAT)
