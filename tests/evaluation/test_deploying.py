from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from made_up import TRAINED, card
from made_up_scores import scored, side
from vivant.errors import CardError, DataError
from vivant.evaluation.calibrating import answered
from vivant.evaluation.deploying import fit_profile, threshold_interval
from vivant.evaluation.scored import ScoredPresentation
from vivant.metrics.rules import parse_rule
from vivant.records import Split
from vivant.session.profile import Profile, read_profile, write_profile


def fit(rows: list[ScoredPresentation], rule: str = "dev-bpcer=10%", **changes: object) -> Profile:
    fields: dict = {"max_cost": 0.05, "data": "made-up:1", "is_synthetic": False, "num_draws": 50}
    fields |= changes
    return fit_profile(rows, fields.pop("card", card()), parse_rule(rule), **fields)


@pytest.fixture(scope="module")
def rows() -> list[ScoredPresentation]:
    random = np.random.default_rng(11)
    return side(random) + side(random, split=Split.TEST, num_subjects=5)


@pytest.fixture(scope="module")
def profile(rows: list[ScoredPresentation]) -> Profile:
    return fit(rows)


def counted(rows: list[ScoredPresentation], found: Profile, split: Split) -> dict[str, int]:
    """Errors at the profile's threshold, presentation by presentation."""
    errors: dict[str, int] = {"bona fide": 0, "print": 0, "replay": 0}
    for row in rows:
        if row.split is split:
            mean = float(np.mean([clip.score for clip in row.clips]))
            is_accepted = found.calibrated(mean) >= found.operating_point.threshold
            species = row.presentation.pai_species
            errors[species or "bona fide"] += is_accepted is not (species is None)
    return errors


def test_threshold_for_a_bpcer_is_the_highest_that_keeps_it(
    rows: list[ScoredPresentation], profile: Profile
) -> None:
    point = profile.operating_point
    assert (point.dev.bpcer.count, point.dev.bpcer.num) == (4, 40)
    bona_fide = sorted(
        profile.calibrated(float(np.mean([clip.score for clip in row.clips])))
        for row in rows
        if row.split is Split.DEV and row.presentation.pai_species is None
    )
    assert bona_fide[4] == pytest.approx(point.threshold)
    for split, told in ((Split.DEV, point.dev), (Split.TEST, point.test)):
        assert told is not None
        found = {"bona fide": told.bpcer.count, **{n: s.count for n, s in told.apcer.items()}}
        assert found == counted(rows, profile, split)


def test_threshold_for_an_apcer_is_the_lowest_that_keeps_it_for_each_species(
    rows: list[ScoredPresentation],
) -> None:
    found = fit(rows, "dev-apcer=5%")
    assert max(share.count for share in found.operating_point.dev.apcer.values()) == 2
    assert found.operating_point.rule == "dev-apcer=5%"
    assert found.operating_point.threshold > fit(rows, "dev-apcer=20%").operating_point.threshold


def test_equal_errors(rows: list[ScoredPresentation]) -> None:
    point = fit(rows, "dev-eer").operating_point
    assert abs(point.dev.bpcer.share - max(s.share for s in point.dev.apcer.values())) <= 0.05


def test_profile_says_what_it_is(profile: Profile, tmp_path: Path) -> None:
    assert (profile.model, profile.weights_sha256) == ("made_up", card().weights.sha256)
    assert (profile.data, profile.folds_by, profile.num_folds) == ("made-up:1 dev", "subject", 5)
    assert set(profile.quality.tried) == {"none", "temperature", "platt", "isotonic"}
    assert profile.out_of_distribution is not None
    assert profile.windows_disagree is not None
    write_profile(profile, tmp_path / "a.json")
    assert read_profile(tmp_path / "a.json") == profile


def test_synthetic_data_are_said_to_be(rows: list[ScoredPresentation]) -> None:
    assert fit(rows, is_synthetic=True).point.data == "made-up:1 dev, SYNTHETIC"


def test_test_side_changes_nothing_that_is_fitted(
    rows: list[ScoredPresentation], profile: Profile
) -> None:
    alone = fit([row for row in rows if row.split is Split.DEV])
    assert alone.operating_point.test is None
    assert alone.calibration == profile.calibration
    assert alone.operating_point.threshold == profile.operating_point.threshold
    assert alone.operating_point.held_out == profile.operating_point.held_out
    assert alone.out_of_distribution is not None
    assert profile.out_of_distribution is not None
    assert alone.out_of_distribution.test is None
    assert alone.out_of_distribution.limit == profile.out_of_distribution.limit


def test_held_out_rates_are_of_thresholds_that_have_not_seen_the_fold() -> None:
    # One subject's bona fide are all worse than everybody's: any threshold found without them, for
    # a BPCER of 0 on the others, rejects them all.
    rows = side(np.random.default_rng(0), num_subjects=5, each=4)
    for row in [row for row in rows if row.presentation.subject == "dev-3"]:
        if row.presentation.pai_species is None:
            rows[rows.index(row)] = scored(
                row.presentation.path, [0.02] * 4, subject="dev-3",
                embeddings=np.array([clip.fused_feature for clip in row.clips]),
            )  # fmt: skip
    point = fit(rows, "dev-bpcer=0%").operating_point
    assert point.dev.bpcer.count == 0
    assert point.held_out.bpcer.count >= 4


def test_too_few_presentations_to_show_the_target_are_noted(
    rows: list[ScoredPresentation],
) -> None:
    notes = fit(rows, "dev-bpcer=1%", max_cost=0.01).notes
    assert (
        "dev has 40 bona fide presentations: a BPCER of 1 % cannot be shown with fewer than 299"
        in notes
    )
    assert any("a limit's cost of 1 %" in note for note in notes)
    assert any("is to be expected to cost 2.44 %" in note for note in notes)  # 1 of 41.
    notes = fit(rows, "dev-apcer=5%").notes
    assert (
        "dev has 40 attacks of print: an APCER of 5 % cannot be shown with fewer than 59" in notes
    )
    assert "of 0 cannot be shown by any number" in " ".join(fit(rows, "dev-bpcer=0%").notes)


def test_presentations_without_score_and_without_subject_are_noted(
    rows: list[ScoredPresentation],
) -> None:
    notes = fit(
        [*rows, scored("dark", [], reasons=("TOO_DARK",), embeddings=np.zeros((0, 3)))]
    ).notes
    assert any(note.startswith("1 of 121 dev presentations have no score") for note in notes)
    found = fit([*rows, scored("nobody's", [0.9, 0.9])])
    assert found.folds_by == "presentation"
    assert any("says whose it is" in note for note in found.notes)


def test_test_side_that_is_worse_is_noted(rows: list[ScoredPresentation]) -> None:
    bad = [scored(f"t{i}", [0.05] * 4, split=Split.TEST, subject=f"t{i}") for i in range(20)]
    notes = fit([*rows, *bad]).notes
    assert any(note.startswith("test: the BPCER is") for note in notes)


def test_limit_that_is_not_fitted_is_noted(rows: list[ScoredPresentation]) -> None:
    few = [row for row in rows if not row.presentation.path.endswith(("/1", "/2", "/3"))][:27]
    found = fit(few, "dev-eer")
    assert (found.out_of_distribution, found.windows_disagree) == (None, None)
    assert any(
        note.startswith("OUT_OF_DISTRIBUTION has no limit: dev has 9") for note in found.notes
    )


def test_target_that_nothing_reaches_is_an_error(rows: list[ScoredPresentation]) -> None:
    best = scored("best attack", [1.0] * 4, pai="mask", subject="dev-0")
    with pytest.raises(DataError, match="no threshold reaches dev-apcer=0.5%"):
        fit([*rows, best], "dev-apcer=0.5%")


def test_untrained_model_gets_no_profile(rows: list[ScoredPresentation]) -> None:
    with pytest.raises(CardError, match="UNTRAINED"):
        fit(rows, card=card(training=None, point=None))
    assert fit(rows, card=card(TRAINED, point=None)).point.threshold > 0


def test_scores_of_more_clips_than_a_session_takes_are_refused(
    rows: list[ScoredPresentation],
) -> None:
    with pytest.raises(DataError, match="4 clips of a presentation at most"):
        fit([*rows, scored("long", [0.5] * 5)])


def test_dev_side_without_a_class_is_an_error(rows: list[ScoredPresentation]) -> None:
    test_alone = [row for row in rows if row.split is Split.TEST]
    with pytest.raises(DataError, match="on the dev side, found 0 and 0"):
        fit(test_alone)


def test_interval_of_a_threshold_is_that_of_drawn_subjects() -> None:
    dev = answered(side(np.random.default_rng(4), num_subjects=8), "dev")
    rule = parse_rule("dev-bpcer=10%")
    found = threshold_interval(rule, dev, dev.scores, num_draws=400)
    assert found is not None
    low, high = found
    assert high is not None
    assert low <= rule.threshold(*dev.by_class(dev.scores)) <= high
    # The same by hand, drawn otherwise.
    random = np.random.default_rng(9)
    names = sorted(set(dev.subjects or ()))
    thresholds = []
    for _ in range(400):
        of = [at for name in random.choice(names, len(names))
              for at, subject in enumerate(dev.subjects or ()) if subject == name]  # fmt: skip
        drawn = dev.take(np.array(of))
        thresholds.append(rule.threshold(*drawn.by_class(drawn.scores)))
    assert (low, high) == pytest.approx(tuple(np.quantile(thresholds, [0.025, 0.975])), abs=0.05)


def test_interval_without_subjects_draws_presentations_and_one_subject_has_none() -> None:
    rule = parse_rule("dev-apcer=10%")
    unnamed = answered(side(np.random.default_rng(4), has_subjects=False), "dev")
    found = threshold_interval(rule, unnamed, unnamed.scores, num_draws=200)
    assert found is not None
    assert found[1] is not None
    assert found[0] < found[1]
    one = answered(side(np.random.default_rng(4), num_subjects=1), "dev")
    assert threshold_interval(rule, one, one.scores, num_draws=200) is None


def test_interval_whose_draws_accept_nothing_is_open() -> None:
    # Half of the draws have the subject whose attack beats all: then only infinity keeps it out.
    rows = [scored(f"b{i}", [0.9], subject=f"{i}") for i in range(6)]
    rows += [scored(f"a{i}", [0.1], pai="print", subject=f"{i}") for i in range(6)]
    rows.append(scored("a", [0.95], pai="print", subject="0"))
    dev = answered(rows, "dev")
    found = threshold_interval(parse_rule("dev-apcer=10%"), dev, dev.scores, num_draws=200)
    assert found == (0.9, None)


def test_profile_never_changes_the_order_of_presentations(profile: Profile) -> None:
    grid = [profile.calibrated(float(score)) for score in np.linspace(0.01, 0.99, 99)]
    assert all(before < after for before, after in pairwise(grid))
