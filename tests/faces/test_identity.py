import cv2
import numpy as np
import pytest

from faces.filming import astronaut, eyes, moved
from vivant.faces.identity import Appearance, appearance, changes
from vivant.faces.track import Face, Tracker


def face_on(picture: np.ndarray) -> Face:
    found = Tracker(eyes().detector, eyes().mesh).look(picture).face
    assert found is not None
    return found


def seen(picture: np.ndarray) -> Appearance:
    return appearance(picture, face_on(picture))


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def made(
    detail: np.ndarray | None = None, colour: tuple[float, float] = (0.0, 0.0), grey: float = 0.0
) -> Appearance:
    rng = np.random.default_rng(1)
    detail = rng.normal(size=(24, 20)) if detail is None else detail
    return Appearance(detail, np.array(colour, np.float64), np.full((18, 32), grey))


def test_detail_stays_where_the_face_goes() -> None:
    expected = seen(astronaut())
    for picture in (
        moved(astronaut(), 12.3, -7.6),
        moved(astronaut(), 0, 0, degrees=15),
        cv2.resize(astronaut(), None, fx=2.0, fy=2.0),
    ):
        found = seen(picture)
        assert correlation(found.detail, expected.detail) > 0.9
        np.testing.assert_allclose(found.colour, expected.colour, atol=0.7)


def test_light_does_not_change_the_detail_but_the_scene() -> None:
    expected = seen(astronaut())
    found = seen((astronaut() * 0.7).astype(np.uint8))
    assert correlation(found.detail, expected.detail) > 0.95
    np.testing.assert_allclose(found.scene, expected.scene * 0.7, atol=2)


def test_colour_is_that_of_lab() -> None:
    picture = astronaut()
    face = face_on(picture)
    for rgb in ((200, 120, 90), (90, 120, 200)):
        flat = np.full_like(picture, rgb)
        a, b = cv2.cvtColor(np.uint8([[rgb]]), cv2.COLOR_RGB2LAB)[0, 0, 1:]
        assert appearance(flat, face).colour.tolist() == [a, b]
        assert np.abs(appearance(flat, face).detail).max() < 1e-9


def test_mesh_without_extent_has_an_appearance_too() -> None:
    face = face_on(astronaut())
    face.mesh.points[:] = 5.0
    assert np.isfinite(appearance(astronaut(), face).detail).all()


def test_one_face_all_along_does_not_change() -> None:
    found = changes([made()] * 8)
    assert (found.likeness, found.colour, found.scene) == (pytest.approx(1), 0, 0)


@pytest.mark.parametrize("number", [0, 1, 5])
def test_clip_too_short_to_tell_has_not_changed(number: int) -> None:
    rng = np.random.default_rng(2)
    looks = [made(rng.normal(size=(24, 20))) for _ in range(number)]
    found = changes(looks)
    assert (found.likeness, found.colour, found.scene) == (1, 0, 0)


def test_change_is_that_between_the_medians_of_three() -> None:
    rng = np.random.default_rng(3)
    one, other = rng.normal(size=(2, 24, 20))
    found = changes([made(one, (120, 130))] * 4 + [made(other, (123, 134))] * 3)
    assert found.likeness == pytest.approx(correlation(one, other))
    assert found.colour == pytest.approx(5)  # 3, 4, 5.


def test_one_look_that_differs_is_outvoted() -> None:
    rng = np.random.default_rng(3)
    one, other = rng.normal(size=(2, 24, 20))
    found = changes([made(one)] * 4 + [made(other, (50, 50))] + [made(one)] * 4)
    assert found.likeness == pytest.approx(1)
    assert found.colour == 0


def test_scene_that_jumps_once_has_changed() -> None:
    greys = [10.0, 11.0, 10.0, 11.0, 31.0, 30.0, 31.0]
    assert changes([made(grey=grey) for grey in greys]).scene == 20


def test_scene_that_always_moves_has_not() -> None:
    greys = [0.0, 10.0, 20.0, 30.0, 60.0]
    assert changes([made(grey=grey) for grey in greys]).scene == 0


def test_likeness_stays_within_its_range() -> None:
    """Rounding must not push it past what limits can name."""
    for seed in range(200):
        detail = np.random.default_rng(seed).normal(size=(24, 20))
        assert -1 <= changes([made(detail)] * 3 + [made(-detail)] * 3).likeness <= 1


def test_flat_face_is_like_nothing() -> None:
    assert changes([made(np.zeros((24, 20)))] * 6).likeness == 0
