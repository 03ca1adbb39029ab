import numpy as np
import pytest

from vivant.attacks.light import Light, shading
from vivant.errors import InputError


def facing(*directions: tuple[float, float, float]) -> np.ndarray:
    normals = np.array([directions], np.float64)
    return (normals / np.linalg.norm(normals, axis=-1, keepdims=True)).astype(np.float32)


def test_a_light_stands_where_it_is_said_to_stand():
    np.testing.assert_allclose(Light(yaw_deg=90.0, pitch_deg=0.0).direction(), [1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(
        Light(yaw_deg=0.0, pitch_deg=90.0).direction(), [0, -1, 0], atol=1e-9
    )
    assert np.linalg.norm(Light(yaw_deg=30.0, pitch_deg=40.0).direction()) == pytest.approx(1)


def test_light_from_the_right_falls_on_what_faces_right():
    light = Light(key=0.5, yaw_deg=60.0, pitch_deg=0.0)
    normals = facing((0, 0, -1), (np.sqrt(3), 0, -1), (-np.sqrt(3), 0, -1))
    factor, shine = shading(normals, light)
    # n . l is 1/2, 1 and -1/2; half-way between camera and light it is cos 30.
    best = np.cos(np.radians(30))
    np.testing.assert_allclose(factor[0], [0.5 + 0.25 / best, 0.5 + 0.5 / best, 0.5], atol=1e-5)
    assert shine[0, 1] > shine[0, 2] == 0


def test_what_looks_up_gets_more_light_than_what_looks_down():
    factor, _ = shading(facing((0, -1, -1), (0, 1, -1)), Light(key=0.0))
    np.testing.assert_allclose(factor[0], 1 + 0.25 * np.sqrt(0.5) * np.array([1, -1]), atol=1e-5)


def test_a_frontal_light_alone_leaves_what_faces_it_as_it_is():
    factor, _ = shading(facing((0, 0, -1)), Light(key=1.0, yaw_deg=0.0, pitch_deg=0.0))
    assert factor[0, 0] == pytest.approx(1)


@pytest.mark.parametrize("wrong", [{"level": 0.0}, {"red": -1.0}, {"key": 1.5}])
def test_a_light_that_cannot_be_is_refused(wrong):
    with pytest.raises(InputError, match="a level and colours above 0 and a key light"):
        Light(**wrong)
