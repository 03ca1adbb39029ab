import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut

from made_up_scores import scored, side
from vivant.errors import DataError
from vivant.evaluation.calibrating import (
    METHODS,
    Answered,
    answered,
    cross_validate,
    divide_folds,
    fit_isotonic,
    fit_platt,
    fit_temperature,
    measure_quality,
    out_of_fold,
)


def overlapping(seed: int = 0, num: int = 120) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    is_bona_fide = random.random(num) < 0.3
    middle = np.where(is_bona_fide, 1.0, -0.5)
    return 1 / (1 + np.exp(-random.normal(middle, 1.0))), is_bona_fide


@pytest.fixture(scope="module")
def dev() -> Answered:
    return answered(side(np.random.default_rng(1)), "dev")


def reference(
    scores: np.ndarray, is_bona_fide: np.ndarray, **options: object
) -> LogisticRegression:
    """Without a penalty; Platt's targets as two weighted rows for each presentation."""
    x = np.log(scores / (1 - scores))[:, None]
    n, m = is_bona_fide.sum(), (~is_bona_fide).sum()
    target = np.where(is_bona_fide, (n + 1) / (n + 2), 1 / (m + 2))
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000, **options)
    return model.fit(
        np.concatenate([x, x]),
        np.repeat([1, 0], len(x)),
        sample_weight=np.concatenate([target, 1 - target]),
    )


def test_platt_and_temperature_are_sklearn_s_logistic_regression() -> None:
    for seed in range(3):
        scores, is_bona_fide = overlapping(seed)
        expected = reference(scores, is_bona_fide)
        found = fit_platt(scores, is_bona_fide)
        assert found.slope == pytest.approx(expected.coef_[0, 0], rel=1e-4)
        assert found.intercept == pytest.approx(expected.intercept_[0], rel=1e-4)
        expected = reference(scores, is_bona_fide, fit_intercept=False)
        found = fit_temperature(scores, is_bona_fide)
        assert found.scale == pytest.approx(expected.coef_[0, 0], rel=1e-4)


def test_platt_finds_the_map_that_the_scores_were_made_with() -> None:
    random = np.random.default_rng(5)
    values = random.normal(0, 2, 4000)
    is_bona_fide = random.random(len(values)) < 1 / (1 + np.exp(-(0.5 * values - 1.0)))
    found = fit_platt(1 / (1 + np.exp(-values)), is_bona_fide)
    assert (found.slope, found.intercept) == (
        pytest.approx(0.5, abs=0.06),
        pytest.approx(-1.0, abs=0.12),
    )


def test_classes_that_do_not_overlap_have_a_map_no_surer_than_their_number() -> None:
    scores = np.array([0.9, 0.95, 0.99, 0.1, 0.2, 0.05, 0.01])
    is_bona_fide = scores > 0.5
    platt = fit_platt(scores, is_bona_fide)
    assert 0.5 < platt.apply(0.9) < 1 - 1e-4
    assert fit_isotonic(scores, is_bona_fide).calibrated == pytest.approx(
        (1 / 9, 1 / 9, 8 / 9, 8 / 9)
    )


def test_isotonic_by_hand() -> None:
    # 0.3 and 0.4 stand in the wrong order: both become 1/2.
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    found = fit_isotonic(scores, np.array([False, False, True, False, True, True]))
    assert found.raw == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    assert found.calibrated == pytest.approx((1 / 8, 1 / 8, 0.5, 0.5, 7 / 8, 7 / 8))


def test_scores_of_0_and_1_and_all_alike_have_maps() -> None:
    for scores in (np.array([1.0, 1.0, 0.0, 0.0]), np.full(4, 0.5)):
        for fit in METHODS.values():
            map_ = fit(scores, np.array([True, True, False, False]))
            assert 0 <= map_.apply(0.0) <= map_.apply(1.0) <= 1


def test_scores_the_wrong_way_round_still_get_no_map_that_falls() -> None:
    scores, is_bona_fide = overlapping()
    for fit in METHODS.values():
        map_ = fit(scores, ~is_bona_fide)
        assert map_.apply(0.1) <= map_.apply(0.9)


def test_worked_example_of_the_specification() -> None:
    found = measure_quality(np.array([0.9, 0.8, 0.7, 0.2, 0.1]), np.array([1, 1, 0, 0, 0], bool))
    assert found.brier == pytest.approx(0.118)
    assert found.negative_log_likelihood == pytest.approx(0.372196, abs=1e-6)


def test_no_subject_is_in_two_folds_and_both_classes_are_outside_of_each(dev: Answered) -> None:
    folds = divide_folds(dev)
    assert (folds.num, folds.is_by_subject) == (5, True)
    assert sorted(set(folds.of)) == [0, 1, 2, 3, 4]
    assert dev.subjects is not None
    for subject in set(dev.subjects):
        assert len({folds.of[at] for at, name in enumerate(dev.subjects) if name == subject}) == 1


def test_without_all_subjects_folds_are_of_presentations() -> None:
    rows = side(np.random.default_rng(0), num_subjects=3, each=2)
    rows.append(scored("nobody's", [0.9]))
    folds = divide_folds(answered(rows, "dev"))
    assert (folds.num, folds.is_by_subject) == (5, False)


def test_two_subjects_are_two_folds() -> None:
    two = answered(side(np.random.default_rng(0), num_subjects=2), "dev")
    assert divide_folds(two).num == 2
    # Bona fide of two alone, attacks of many: the two are apart in the folds.
    rows = [scored(f"b{i}", [0.9], subject=f"s{i % 2}") for i in range(8)]
    rows += [scored(f"a{i}", [0.1], pai="print", subject=f"s{i % 6}") for i in range(12)]
    folds = divide_folds(answered(rows, "dev"))
    assert folds.of[0] != folds.of[1]


def test_too_few_subjects_or_one_class_are_refused() -> None:
    one = answered(side(np.random.default_rng(0), num_subjects=1), "dev")
    with pytest.raises(DataError, match="at least two subjects each on the dev side.*found 1"):
        divide_folds(one)
    pair = [scored("a", [0.9]), scored("b", [0.1], pai="print")]
    with pytest.raises(DataError, match="at least two presentations each"):
        divide_folds(answered(pair, "dev"))
    for rows in (
        [],
        [scored("a", [0.9])],
        [scored("a", [0.9]), scored("b", [0.1], pai="print", reasons=("TOO_DARK",))],
    ):
        with pytest.raises(DataError, match="expected scores of bona fide presentations and of"):
            answered(rows, "dev")


def test_a_presentation_with_a_reason_is_counted_and_not_fitted_on(dev: Answered) -> None:
    rows = [*dev.rows, scored("dark", [1.0, 1.0], subject="x", reasons=("TOO_DARK",))]
    again = answered(rows, "dev")
    assert again.num_without == 1
    np.testing.assert_array_equal(again.scores, dev.scores)


def test_what_is_reported_comes_from_folds_that_the_map_has_not_seen(dev: Answered) -> None:
    folds = divide_folds(dev)
    found = cross_validate(dev, folds)
    # The same with sklearn's loop over groups.
    unseen = np.zeros(len(dev.rows))
    for train, test in LeaveOneGroupOut().split(dev.scores, groups=folds.of):
        map_ = METHODS[found.name](dev.scores[train], dev.is_bona_fide[train])
        unseen[test] = [map_.apply(float(score)) for score in dev.scores[test]]
    np.testing.assert_allclose(out_of_fold(dev.scores, folds, found.by_fold), unseen)
    assert found.quality.after == measure_quality(unseen, dev.is_bona_fide)
    assert found.quality.before == measure_quality(dev.scores, dev.is_bona_fide)
    tried = found.quality.tried
    assert set(tried) == set(METHODS)
    assert tried["none"] == found.quality.before.negative_log_likelihood


def test_scores_of_a_fold_cannot_leak_into_the_map_that_judges_it(dev: Answered) -> None:
    folds = divide_folds(dev)
    changed = [
        scored(row.presentation.path, [c.score * (0.97 if fold == 0 else 1.0) for c in row.clips],
               pai=row.presentation.pai_species, subject=row.presentation.subject)
        for row, fold in zip(dev.rows, folds.of, strict=True)
    ]  # fmt: skip
    before, after = cross_validate(dev, folds), cross_validate(answered(changed, "dev"), folds)
    assert before.name == after.name != "none"
    assert before.by_fold[0] == after.by_fold[0]
    assert before.by_fold[1] != after.by_fold[1]


def test_raw_scores_that_are_probabilities_stay_as_they_are() -> None:
    random = np.random.default_rng(2)
    rows = []
    for at in range(400):
        score = float(random.uniform(0.02, 0.98))
        is_bona_fide = random.random() < score
        rows.append(scored(str(at), [score], pai=None if is_bona_fide else "print"))
    dev = answered(rows, "dev")
    found = cross_validate(dev, divide_folds(dev))
    assert (found.name, found.quality.after) == ("none", found.quality.before)


def test_temperature_repairs_scores_that_are_too_sure() -> None:
    random = np.random.default_rng(3)
    rows = []
    for at in range(300):
        value = random.normal(0, 1.5)
        is_bona_fide = random.random() < 1 / (1 + math.exp(-value))
        score = float(1 / (1 + math.exp(-3 * value)))
        rows.append(scored(str(at), [score], pai=None if is_bona_fide else "print"))
    dev = answered(rows, "dev")
    found = cross_validate(dev, divide_folds(dev))
    tried = found.quality.tried
    assert tried["temperature"] < 0.85 * tried["none"]
    assert found.name == "temperature"
    # The scores' logits were made three times too large.
    assert fit_temperature(dev.scores, dev.is_bona_fide).scale == pytest.approx(1 / 3, abs=0.15)
