import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from vivant.errors import InputError
from vivant.session.calibration import Calibration, Identity, Isotonic, Platt, Temperature, logit

MAPS = (
    Identity(kind="none"),
    Temperature(kind="temperature", scale=0.3),
    Temperature(kind="temperature", scale=4.0),
    Platt(kind="platt", slope=2.0, intercept=-3.0),
    Isotonic(kind="isotonic", raw=(0.1, 0.3, 0.9), calibrated=(0.2, 0.2, 0.7)),
)
IDS = [f"{map_.kind}-{number}" for number, map_ in enumerate(MAPS)]

scores = st.floats(0, 1)


def test_values_by_hand() -> None:
    assert logit(0.8) == pytest.approx(math.log(4))
    # Odds 4 squared are 16; 16 / e is 5.886.
    assert Temperature(kind="temperature", scale=2.0).apply(0.8) == pytest.approx(16 / 17)
    platt = Platt(kind="platt", slope=2.0, intercept=-1.0)
    assert platt.apply(0.8) == pytest.approx(16 / math.e / (1 + 16 / math.e))
    # Half way from 0.3 to 0.9, and so half way from 0.2 to 0.7; and a hundredth of the score.
    assert MAPS[4].apply(0.6) == pytest.approx(0.99 * 0.45 + 0.006)
    assert MAPS[4].apply(0.0) == pytest.approx(0.99 * 0.2)
    assert MAPS[4].apply(1.0) == pytest.approx(0.99 * 0.7 + 0.01)
    assert MAPS[0].apply(0.123) == 0.123


@pytest.mark.parametrize("map_", MAPS, ids=IDS)
@given(one=scores, other=scores)
def test_no_map_changes_an_order_or_leaves_0_to_1(
    map_: Calibration, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    assert 0 <= map_.apply(low) <= map_.apply(high) <= 1


@given(st.lists(st.floats(0.001, 0.999), min_size=2, max_size=20, unique=True))
def test_every_map_keeps_the_ranking(values: list[float]) -> None:
    values = [round(value, 4) for value in values]
    for map_ in MAPS:
        applied = np.array([map_.apply(value) for value in values])
        np.testing.assert_array_equal(
            np.sign(np.subtract.outer(applied, applied)),
            np.sign(np.subtract.outer(values, values)),
        )


@pytest.mark.parametrize("map_", MAPS, ids=IDS)
@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, -0.1, 1.1])
def test_what_is_no_score_is_refused(map_: Calibration, score: float) -> None:
    with pytest.raises(InputError, match=r"expected a score in 0\.\.1"):
        map_.apply(score)


@pytest.mark.parametrize("map_", MAPS, ids=IDS)
def test_rounding_at_the_ends_is_no_error(map_: Calibration) -> None:
    assert map_.apply(1 + 1e-7) == map_.apply(1.0)
    assert map_.apply(-1e-7) == map_.apply(0.0)


@pytest.mark.parametrize("map_", MAPS, ids=IDS)
def test_json_gives_the_same_map_back(map_: Calibration) -> None:
    again = TypeAdapter(Calibration).validate_json(map_.model_dump_json())
    assert again == map_
    assert again.apply(1 / 3) == map_.apply(1 / 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"kind": "temperature", "scale": 0.0}, "greater than 0"),
        ({"kind": "temperature", "scale": math.nan}, "greater than 0|finite"),
        ({"kind": "platt", "slope": -1.0, "intercept": 0.0}, "greater than 0"),
        ({"kind": "platt", "slope": 1.0}, "intercept"),
        ({"kind": "isotonic", "raw": (0.1, 0.1), "calibrated": (0.1, 0.2)}, "ascend"),
        ({"kind": "isotonic", "raw": (0.1, 0.2), "calibrated": (0.3, 0.2)}, "never fall"),
        ({"kind": "isotonic", "raw": (0.1,), "calibrated": (0.3, 0.4)}, "got 2 for 1"),
        ({"kind": "isotonic", "raw": (), "calibrated": ()}, "got 0 for 0"),
        ({"kind": "magic"}, "magic"),
    ],
)
def test_map_that_could_turn_scores_round_is_refused(content: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(Calibration).validate_python(content)
