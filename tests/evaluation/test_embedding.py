import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from vivant.errors import DataError
from vivant.evaluation.embedding import embed


def clips(distance: float, num: int = 20) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Two clouds in eight dimensions, so far apart; four people with clips of both."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(2 * num, 8))
    is_attack = np.arange(2 * num) % 2 == 1
    features[is_attack, 0] += distance
    return features, is_attack, [f"p{at // 2 % 4}" for at in range(2 * num)]


def test_clouds_far_apart_are_told_apart() -> None:
    features, is_attack, subjects = clips(20.0)
    found = embed(features, is_attack, subjects)
    assert found.points.shape == (40, 3)
    assert np.isfinite(found.points).all()
    assert found.probe_auc == 1
    assert found.probe == "4 folds, no person in two"
    standardised = (features - features.mean(0)) / features.std(0)
    assert found.silhouette == pytest.approx(silhouette_score(standardised, is_attack))


def test_clouds_that_are_one_are_not() -> None:
    found = embed(*clips(0.0, num=100))
    assert abs(found.silhouette) < 0.05
    assert 0.35 < found.probe_auc < 0.65


def test_people_who_are_not_known_or_have_one_class_are_not_kept_apart() -> None:
    features, is_attack, _ = clips(5.0)
    assert "people not kept apart" in embed(features, is_attack, [None] * 40).probe
    one_class = ["a" if attack else "b" for attack in is_attack]
    assert "people not kept apart" in embed(features, is_attack, one_class).probe


def test_the_same_clips_give_the_same_points() -> None:
    one, other = (embed(*clips(3.0)).points for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_too_few_or_damaged_clips_are_refused() -> None:
    features, is_attack, subjects = clips(1.0, num=4)
    with pytest.raises(DataError, match="5 clips or more of each class, got 4"):
        embed(features, is_attack, subjects)
    features, is_attack, subjects = clips(1.0)
    features[3, 3] = np.nan
    with pytest.raises(DataError, match="finite"):
        embed(features, is_attack, subjects)
