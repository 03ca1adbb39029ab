import numpy as np
import pytest

from vivant.bench.film import film


def test_film_has_a_frame_each_interval() -> None:
    frames = list(film(0.4, 0.1))
    assert [frame.time_s for frame in frames] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert all(frame.pixels.dtype == np.uint8 for frame in frames)
    assert (frames[0].pixels != frames[-1].pixels).any()
