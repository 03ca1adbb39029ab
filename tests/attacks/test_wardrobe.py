from dataclasses import replace

import numpy as np
import pytest

from vivant.attacks.portrait import portrait
from vivant.attacks.traits import Traits
from vivant.attacks.wardrobe import glasses, grain, torso

SIZE = (640, 760)
SKIN = np.array([0.4, 0.24, 0.16])


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    return portrait().points + np.array([64.0, 60.0, 0.0])


@pytest.mark.parametrize("spread", [(1.0, 1.0), (20.0, 20.0), (2.0, 30.0)])
def test_grain_has_a_standard_deviation_of_one_and_is_as_coarse_as_asked(spread):
    noise = grain((200, 160), spread, np.random.default_rng(0))
    assert noise.shape == (160, 200)
    assert noise.std() == pytest.approx(1, abs=1e-3)
    # How alike neighbours are, across and down.
    across = np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]
    down = np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]
    assert across == pytest.approx(np.exp(-1 / (4 * spread[0] ** 2)), abs=0.07)
    assert down == pytest.approx(np.exp(-1 / (4 * spread[1] ** 2)), abs=0.07)


def test_the_neck_is_skin_below_the_chin_and_the_shirt_reaches_the_edge(points):
    worn = torso(points, Traits(collar="crew"), SKIN, SIZE, np.random.default_rng(0))
    x, chin = points[152, :2].astype(int)
    neck = worn[chin + 40, x]
    assert neck[3] == 1
    assert neck[0] > neck[1] > neck[2]  # As skin is.
    assert worn[-1, x - 150 : x + 150, 3].min() > 0.99
    assert worn[: chin - 130, :, 3].max() == 0
    assert (worn[..., :3] <= worn[..., 3:] * 1.5).all()


@pytest.mark.parametrize("collar", ["crew", "v", "shirt", "turtle"])
def test_no_collar_leaves_a_hole_to_look_through(points, collar):
    worn = torso(points, Traits(collar=collar), SKIN, SIZE, np.random.default_rng(0))
    x, chin = points[152, :2].astype(int)
    columns = worn[chin:, x - 55 : x + 56, 3]
    assert columns.min() > 0.9


@pytest.mark.parametrize(
    ("pattern", "changes_across", "changes_down"),
    [("plain", False, False), ("stripes", False, True), ("bars", True, False),
     ("checks", True, True)],
)  # fmt: skip
def test_stripes_run_across_and_bars_run_down(points, pattern, changes_across, changes_down):
    traits = Traits(pattern=pattern, shirt_value=0.9)
    shirt = torso(points, traits, SKIN, SIZE, np.random.default_rng(0))[-150:, 260:380, 1]

    def steps(line: np.ndarray) -> bool:
        return bool(np.abs(np.diff(line)).max() > 0.1)

    assert steps(shirt.mean(axis=0)) is changes_across
    assert steps(shirt.mean(axis=1)) is changes_down


@pytest.mark.parametrize("shape", ["round", "square"])
def test_glasses_go_round_the_eyes_and_leave_them_free(points, shape):
    frame = glasses(points, shape, SIZE)
    for eye in (33, 133, 362, 263):
        x, y = points[eye, :2].astype(int)
        assert frame[y - 4 : y + 5, x - 4 : x + 5].max() < 0.1
    x, y = points[6, :2].astype(int)  # The nose's root carries the bridge.
    assert frame[y - 15 : y + 10, x - 5 : x + 6].max() == 1
    assert 0.005 < frame.mean() < 0.03


def test_a_shirt_has_its_own_colour(points):
    red = replace(Traits(), shirt_hue_deg=0.0, shirt_saturation=0.7, shirt_value=0.8)
    worn = torso(points, red, SKIN, SIZE, np.random.default_rng(0))[-60:, 250:390]
    assert worn[..., 0].mean() > 3 * worn[..., 1].mean()
