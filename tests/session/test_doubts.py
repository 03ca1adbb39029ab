import math

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.spatial.distance import mahalanobis

from made_up_scores import cost, distance_limit
from vivant.errors import InputError
from vivant.records import Reason
from vivant.session.doubts import OutOfDistribution, WindowsDisagree, mean_distance


def test_distance_by_hand() -> None:
    limit = OutOfDistribution(
        embedding="fused_feature",
        mean=(1.0, 2.0),
        whitening=((2.0,), (0.0, 0.5)),
        limit=3.0,
        dev=cost(),
        test=None,
    )
    # |(2 * 1.5, 0.5 * 8)| = |(3, 4)| = 5, and nothing: the mean is 2.5.
    clips = [np.array([2.5, 10.0], np.float32), np.array([1.0, 2.0], np.float32)]
    assert limit.distance(clips) == pytest.approx(2.5)
    assert limit.doubt(clips) is None
    found = limit.doubt(clips[:1])
    assert found is not None
    assert (found.code, found.measured, found.limit) == (Reason.OUT_OF_DISTRIBUTION, 5.0, 3.0)
    assert "5.0, at most 3.0 is judged" in found.message


def test_distance_is_scipy_s() -> None:
    random = np.random.default_rng(3)
    mix = random.normal(size=(5, 5))
    covariance = mix @ mix.T + np.eye(5)
    clips, mean = random.normal(size=(4, 5)), random.normal(size=5)
    whitening = np.linalg.inv(np.linalg.cholesky(covariance))
    precision = np.linalg.inv(covariance)
    expected = np.mean([mahalanobis(clip, mean, precision) for clip in clips])
    assert mean_distance(clips, mean, whitening) == pytest.approx(expected)


def test_at_the_limit_there_is_no_doubt_and_beyond_there_is() -> None:
    limit = distance_limit(3.0)
    at = np.zeros(16, np.float32)
    at[0] = 3.0
    assert limit.doubt([at]) is None
    assert limit.doubt([at * np.float32(1.0001)]) is not None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 3e38])
def test_a_distance_that_is_no_number_is_a_doubt(value: float) -> None:
    at = np.full(16, value, np.float32)
    found = distance_limit(1e30).doubt([np.zeros(16, np.float32), at])
    assert found is not None
    assert found.code is Reason.OUT_OF_DISTRIBUTION
    assert found.measured is None or found.measured > 1e30


def test_embedding_of_another_length_is_another_model_s() -> None:
    for clips in ([np.zeros(15, np.float32)], []):
        with pytest.raises(InputError, match="expected embeddings of 16 numbers"):
            distance_limit().doubt(clips)


@pytest.mark.parametrize(
    "whitening", [((1.0,),), ((1.0,), (0.0,)), ((1.0,), (0.0, math.nan)), ((1.0, 0.0), (0.0, 1.0))]
)
def test_whitening_is_whole(whitening: tuple) -> None:
    with pytest.raises(ValidationError):
        OutOfDistribution(
            embedding="fused_feature",
            mean=(0.0, 0.0),
            whitening=whitening,
            limit=1.0,
            dev=cost(),
            test=None,
        )


def test_windows_that_disagree() -> None:
    limit = WindowsDisagree(limit=0.25, dev=cost(), test=None)
    assert limit.doubt([0.5]) is None
    assert limit.doubt([0.5, 0.75, 0.625]) is None
    found = limit.doubt([0.25, 0.75, 0.5])
    assert found is not None
    assert (found.code, found.measured, found.limit) == (Reason.WINDOWS_DISAGREE, 0.5, 0.25)
    assert "0.50 apart, at most 0.25 is judged" in found.message


@pytest.mark.parametrize("scores", [[0.5, math.nan], [math.nan, 0.5], [math.nan]])
def test_a_spread_that_is_no_number_is_a_doubt(scores: list[float]) -> None:
    found = WindowsDisagree(limit=1.0, dev=cost(), test=None).doubt(scores)
    assert found is not None
    assert found.measured is None


def test_no_window_is_an_error() -> None:
    with pytest.raises(InputError, match="got none"):
        WindowsDisagree(limit=0.5, dev=cost(), test=None).doubt([])
