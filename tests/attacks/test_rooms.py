import cv2
import numpy as np
import pytest

from vivant.attacks.rooms import ROOMS, room
from vivant.errors import UnknownNameError


@pytest.mark.parametrize("kind", ROOMS)
def test_a_room_is_drawn_from_its_number_and_no_two_are_alike(kind):
    one, again, other = (room(kind, (180, 240), 0.0, np.random.default_rng(n)) for n in (5, 5, 6))
    assert (one.shape, one.dtype) == ((240, 180, 3), np.uint8)
    np.testing.assert_array_equal(one, again)
    assert np.abs(one.astype(int) - other).mean() > 4
    assert 20 < one.mean() < 235
    assert one.std() > 5


@pytest.mark.parametrize("kind", ROOMS)
def test_out_of_focus_there_is_less_detail(kind):
    def detail(defocus: float) -> float:
        pixels = room(kind, (180, 240), defocus, np.random.default_rng(2))
        return float(cv2.Laplacian(pixels, cv2.CV_32F).std())

    assert detail(0.0) > 1.5 * detail(0.005) > 1.5 * detail(0.03)


def test_an_unknown_room_is_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'office'"):
        room("ofice", (180, 240), 0.0, np.random.default_rng(0))
