import numpy as np

from vivant.attacks.hand import hold


def sheet() -> np.ndarray:
    return np.full((240, 200, 4), (0.7, 0.7, 0.7, 1.0), np.float32)


def test_thumbs_lie_on_the_lower_corners_only():
    held, added = hold(sheet(), 0.08, np.random.default_rng(0))
    assert held.shape == (240 + 2 * added, 200 + 2 * added, 4)
    inner = held[added:-added, added:-added]
    np.testing.assert_array_equal(inner[:180], sheet()[:180])
    for corner in (inner[228:, :30], inner[228:, -30:]):
        assert corner[..., :3].mean() < 0.6
    np.testing.assert_array_equal(inner[:, 60:140], sheet()[:, 60:140])


def test_the_hand_reaches_beyond_the_sheet_and_the_room_stays_empty():
    held, added = hold(sheet(), 0.08, np.random.default_rng(0))
    assert held[-added + 5, :, 3].max() > 0.99
    np.testing.assert_array_equal(held[: added - 1], 0)
    assert held[..., 3].min() >= 0
    assert held[..., 3].max() <= 1 + 1e-6
    assert held[..., :3].min() >= 0


def test_the_seed_decides_about_the_skin():
    hands = [hold(sheet(), 0.08, np.random.default_rng(seed))[0] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(hands[0], hands[1])
    assert np.abs(hands[0] - hands[2]).max() > 0.05
