from dataclasses import replace

import numpy as np
import pytest

from vivant.attacks.portrait import portrait
from vivant.attacks.shape import LEFT_EYE, LIPS, MOUTH, RIGHT_EYE, field, reshape
from vivant.attacks.traits import Traits

NOBODY = Traits()  # The portrait itself.
LEFT_JAW, RIGHT_JAW, CHIN, NOSE, FOREHEAD = 172, 397, 152, 1, 10


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    return portrait().points


def moved(points: np.ndarray, **traits: float) -> np.ndarray:
    return reshape(points, replace(NOBODY, **traits)).sum(axis=0)


def test_the_portrait_keeps_its_shape(points):
    assert np.abs(moved(points)).max() == 0


@pytest.mark.parametrize(
    ("trait", "point", "axis", "sign"),
    [
        ("jaw", RIGHT_JAW, 0, 1),
        ("jaw", LEFT_JAW, 0, -1),
        ("chin", CHIN, 1, 1),
        ("forehead", FOREHEAD, 1, -1),
        ("nose_length", NOSE, 1, 1),
        ("nose_width", 358, 0, 1),
        ("eye_distance", 33, 0, -1),
        ("eye_distance", 263, 0, 1),
        ("brow_height", 105, 1, -1),
        ("mouth_width", 291, 0, 1),
        ("cheeks", 454, 0, 1),
    ],
)
def test_a_trait_moves_what_it_is_named_after(points, trait, point, axis, sign):
    there, back = moved(points, **{trait: 1.0}), moved(points, **{trait: -1.0})
    assert sign * there[point, axis] > 1
    np.testing.assert_allclose(there, -back, atol=1e-9)
    assert np.abs(there).max() < 0.15 * np.ptp(points[:, 0])


def test_larger_eyes_are_wider_and_higher(points):
    larger = points[:, :2] + moved(points, eye_size=1.0)
    for eye in (LEFT_EYE, RIGHT_EYE):
        assert (np.ptp(larger[eye], axis=0) > 1.05 * np.ptp(points[eye, :2], axis=0)).all()


def test_a_closed_mouth_has_no_gap(points):
    def gap(at: np.ndarray) -> float:
        inner = at[MOUTH]
        return float(max(inner[-i, 1] - inner[i, 1] for i in range(1, 10)))

    assert gap(points[:, :2]) > 10  # The portrait shows teeth.
    assert gap(points[:, :2] + moved(points, smile=0.0)) < 1


def test_full_lips_are_higher(points):
    def height(at: np.ndarray) -> float:
        return float(np.ptp(at[LIPS, 1]))

    assert height(points + np.pad(moved(points, lips=1.0), ((0, 0), (0, 1)))) > height(points) + 3


def test_the_field_is_the_mean_of_what_is_near_weighted_by_a_gaussian(points):
    moves = reshape(points, replace(NOBODY, jaw=1.0, smile=0.3))
    columns, rows = np.array([100.0, 250.0, 300.0], np.float32), np.array([40.0, 300.0], np.float32)
    found = field(points, moves, columns, rows)
    width = np.ptp(points[:, 0])
    for r, y in enumerate(rows):
        for c, x in enumerate(columns):
            expected = np.zeros(2)
            for move, reach in zip(moves, (0.09, 0.022), strict=True):
                off = ((points[:, :2] - [x, y]) ** 2).sum(axis=1)
                weight = np.exp(-off / (2 * (reach * width) ** 2))
                expected += (weight @ move) / (weight.sum() + 0.15)
            np.testing.assert_allclose(found[r, c], expected, atol=2e-3)


def test_far_from_the_face_nothing_moves(points):
    moves = reshape(points, replace(NOBODY, jaw=1.0, forehead=1.0))
    far = field(points, moves, np.array([5.0], np.float32), np.array([500.0], np.float32))
    assert np.abs(far).max() < 0.01
