import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf

from made_up_scores import scored, side
from vivant.evaluation.calibrating import Answered, answered, divide_folds
from vivant.evaluation.doubting import (
    NotFitted,
    Shape,
    Sides,
    fit_disagreement,
    fit_distance,
    fit_shape,
    limit_for,
    share_of,
)
from vivant.metrics.intervals import subject_bootstrap, wilson
from vivant.records import Split
from vivant.session.doubts import OutOfDistribution, WindowsDisagree


def sides(rows: list, test: list | None = None, threshold: float = 0.5) -> Sides:
    dev = answered(rows, "dev")
    judged = None
    if test is not None:
        of_test = answered(test, "test")
        judged = of_test, of_test.scores >= threshold
    return Sides(dev, dev.scores >= threshold, divide_folds(dev), judged)


@pytest.fixture(scope="module")
def both() -> Sides:
    random = np.random.default_rng(7)
    return sides(side(random), side(random, split=Split.TEST, num_subjects=4))


@pytest.mark.parametrize(
    ("max_cost", "expected"), [(0.0, 10.0), (0.05, 10.0), (0.1, 9.0), (0.25, 8.0), (0.99, 1.0)]
)
def test_limit_is_the_smallest_that_no_more_than_the_share_exceeds(
    max_cost: float, expected: float
) -> None:
    values = np.random.default_rng(0).permutation(np.arange(1.0, 11.0))
    found = limit_for(values, max_cost)
    assert found == expected
    assert (values > found).mean() <= max_cost
    assert (values > np.nextafter(found, 0)).mean() > max_cost


def test_equal_values_cost_less_and_never_more() -> None:
    assert limit_for(np.array([1.0, 2.0, 2.0, 2.0]), 0.5) == 2.0


def test_shape_is_ledoit_and_wolf_s() -> None:
    clips = np.random.default_rng(0).normal(size=(30, 4)) @ np.diag([1.0, 2.0, 0.5, 1.0])
    found = fit_shape(clips)
    assert isinstance(found, Shape)
    reference = LedoitWolf().fit(clips)
    np.testing.assert_allclose(
        found.whitening.T @ found.whitening, np.linalg.inv(reference.covariance_), rtol=1e-8
    )
    np.testing.assert_allclose(found.mean, clips.mean(0))
    assert (np.triu(found.whitening, 1) == 0).all()


def test_more_numbers_than_clips_have_a_shape_and_equal_clips_have_none() -> None:
    assert isinstance(fit_shape(np.random.default_rng(0).normal(size=(12, 40))), Shape)
    assert fit_shape(np.ones((12, 3))) == NotFitted(
        "the embeddings of bona fide clips do not differ"
    )


def test_distances_are_out_of_fold_and_the_shape_kept_is_of_all(both: Sides) -> None:
    found = fit_distance(both, 0.05)
    assert isinstance(found, OutOfDistribution)
    assert found.embedding == "fused_feature"
    dev, folds = both.dev, both.folds
    # By sklearn's covariance and scipy's distance, presentation by presentation.
    distances = []
    for at, row in enumerate(dev.rows):
        others = np.flatnonzero((folds.of != folds.of[at]) & dev.is_bona_fide)
        clips = [clip.fused_feature for o in others for clip in dev.rows[o].clips]
        model = LedoitWolf().fit(np.array(clips, np.float64))
        of_clips = [
            mahalanobis(clip.fused_feature, model.location_, model.precision_) for clip in row.clips
        ]
        distances.append(np.mean(of_clips))
    expected = limit_for(np.array(distances)[dev.is_bona_fide], 0.05)
    assert found.limit == pytest.approx(expected)
    assert found.dev.bona_fide.count == 2  # 5 % of 40.
    replays = np.array(distances)[dev.is_of("replay")] > found.limit
    assert found.dev.attacks["replay"].count == replays.sum() == 40
    assert found.dev.attacks["print"].share < 0.5
    every = [
        c.fused_feature for r in dev.rows if r.presentation.pai_species is None for c in r.clips
    ]
    np.testing.assert_allclose(found.mean, np.mean(np.array(every, np.float64), 0), atol=1e-9)


def test_costs_are_counted_by_species_and_among_accepted_attacks(both: Sides) -> None:
    found = fit_distance(both, 0.05)
    assert isinstance(found, OutOfDistribution)
    dev = both.dev
    for name in dev.pai_species:
        passed = int((both.is_accepted & dev.is_of(name)).sum())
        told = found.dev.accepted_attacks[name]
        assert (told.num if told else 0) == passed
    assert found.test is not None
    assert found.test.bona_fide.num == 16
    assert found.test.attacks["replay"].share == 1.0
    # Measured as a session measures them: by what the profile keeps.
    assert both.test is not None
    expected = [
        found.doubt([clip.fused_feature for clip in row.clips]) is not None
        for row in both.test[0].rows
    ]
    counted = sum(share.count for share in found.test.attacks.values())
    assert sum(expected) == counted + found.test.bona_fide.count


def test_model_without_second_module_is_measured_by_the_advisor_s_embedding() -> None:
    rows = [
        scored(row.presentation.path, [clip.score for clip in row.clips],
               pai=row.presentation.pai_species, subject=row.presentation.subject,
               embeddings=np.array([clip.fused_feature for clip in row.clips]), has_aam=False)
        for row in side(np.random.default_rng(0))
    ]  # fmt: skip
    found = fit_distance(sides(rows), 0.01)
    assert isinstance(found, OutOfDistribution)
    assert found.embedding == "advisor_embedding"
    assert found.test is None


def test_what_has_no_limit_says_why() -> None:
    few = sides(side(np.random.default_rng(0), num_subjects=3, each=3))
    for fit in (fit_distance, fit_disagreement):
        found = fit(few, 0.01)
        assert found == NotFitted("dev has 9 bona fide presentations with a score, it takes 10")
    rows = side(np.random.default_rng(0))
    rows[1].clips[0].fused_feature[0] = np.nan
    found = fit_distance(sides(rows), 0.01)
    assert isinstance(found, NotFitted)
    assert "not finite" in found.why
    one_clip = [scored(f"b{i}", [0.9], subject=f"{i}") for i in range(12)]
    one_clip += [scored(f"a{i}", [0.1], pai="print", subject=f"{i}") for i in range(12)]
    found = fit_disagreement(sides(one_clip), 0.01)
    assert isinstance(found, NotFitted)
    assert "one score each" in found.why
    found = fit_distance(sides(one_clip), 0.01)
    assert found == NotFitted("the embeddings of bona fide clips do not differ")


def test_disagreement_by_hand() -> None:
    rows = [scored(f"b{i}", [0.5, 0.5 + i / 100], subject=f"{i}") for i in range(20)]
    rows += [scored(f"p{i}", [0.1, 0.1 + i / 40], pai="print", subject=f"{i}") for i in range(20)]
    found = fit_disagreement(sides(rows, threshold=0.25), 0.1)
    assert isinstance(found, WindowsDisagree)
    # 2 of 20 may: 0.18 and 0.19 are above 0.17. Of prints 0.175 to 0.475 are; those from 0.3 on
    # have a mean of 0.25 and are accepted.
    assert found.limit == pytest.approx(0.17)
    assert found.dev.bona_fide.count == 2
    assert (found.dev.attacks["print"].count, found.dev.attacks["print"].num) == (13, 20)
    told = found.dev.accepted_attacks["print"]
    assert told is not None
    assert (told.count, told.num) == (8, 8)


def test_a_share_has_its_intervals(both: Sides) -> None:
    dev: Answered = both.dev
    is_found = dev.scores > 0.5
    found = share_of(is_found, dev.is_of("print"), dev)
    count = int(is_found[dev.is_of("print")].sum())
    assert (found.count, found.num, found.share) == (count, 40, count / 40)
    assert found.wilson_95 == tuple(wilson(count, 40))
    assert dev.subjects is not None
    subjects = [dev.subjects[at] for at in np.flatnonzero(dev.is_of("print"))]
    expected = subject_bootstrap(is_found[dev.is_of("print")], subjects)
    assert found.subject_bootstrap_95 == tuple(expected)
    assert share_of(dev.scores >= 0, dev.is_bona_fide, dev).subject_bootstrap_95 is None
