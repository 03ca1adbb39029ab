import numpy as np
import pytest

from vivant.attacks.layers import Layers, separate


@pytest.fixture(scope="module")
def layers(portrait) -> Layers:
    return separate(portrait.pixels, portrait.points)


def test_the_layers_put_together_are_the_picture(layers, portrait):
    together = layers.person + (1 - layers.cover[..., None]) * layers.background
    np.testing.assert_allclose(together, portrait.pixels, atol=1e-2)


def test_the_person_is_covered_and_the_background_is_not(layers, portrait):
    x, y = np.rint(portrait.points[:, :2]).astype(int).T
    assert layers.cover[y, x].mean() > 0.98
    assert layers.cover[:100, :40].max() == 0  # The upper corners are wall.
    assert layers.cover[:100, -40:].max() == 0
    # Hair, half a face's height above the forehead; and the suit below the chin.
    top, chin = portrait.points[10], portrait.points[152]
    assert layers.cover[int(top[1]) - 25, int(top[0])] == 1
    assert layers.cover[int(chin[1]) + 30, int(chin[0])] == 1


def test_the_background_is_kept_where_it_is_seen_and_made_up_of_wall_elsewhere(layers, portrait):
    np.testing.assert_array_equal(layers.background[:60, :30], portrait.pixels[:60, :30])
    nose = portrait.points[1]
    behind = layers.background[int(nose[1]), int(nose[0])]
    wall = portrait.pixels[:100, :60].reshape(-1, 3).mean(axis=0)
    assert np.abs(behind - wall).max() < 40


def test_the_same_picture_has_the_same_layers(layers, portrait):
    again = separate(portrait.pixels, portrait.points)
    np.testing.assert_array_equal(again.person, layers.person)
    np.testing.assert_array_equal(again.cover, layers.cover)
