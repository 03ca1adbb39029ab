"""A profile in a session: from media to a verdict, with a made-up network and with the one that ships."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from made_up import MadeUpRunner, card
from made_up_scores import distance_limit, made_up_profile
from media import pattern
from people import swaying
from vivant.errors import InputError, ProfileError
from vivant.networks.card import ModelCard, read_card
from vivant.records import Scores
from vivant.session.profile import Profile, write_profile
from vivant.session.report import of_verdict
from vivant.session.session import STARTER, Session
from vivant.session.verdict import Decision, Verdict


class Strange(MadeUpRunner):
    """Its embeddings lie further and further away."""

    def __init__(self, scores: float | list[float], away: float, card_: ModelCard | None = None):
        super().__init__(scores, card_)
        self.away = away

    def run(self, clips: np.ndarray) -> Scores:
        found = super().run(clips)
        found.advisor_embedding[1:, 0] = self.away * np.arange(1, len(clips))
        return found


@lru_cache
def frames(kind: str = "person") -> list[np.ndarray]:
    """Eight frames, and so four windows of five; or fewer."""
    match kind:
        case "nobody":
            return [pattern(i, 640, 480) for i in range(8)]
        case "dark":
            return [frame // 8 for frame in swaying(8)]
        case "short":
            return swaying(3)
        case _:
            return swaying(8)


def check(runner: MadeUpRunner, profile: Profile | None, kind: str = "person") -> Verdict:
    with Session(runner, profile=profile, isolated=False) as session:
        return session.check_frames(frames(kind), [0.1 * i for i in range(len(frames(kind)))])


def codes(verdict: Verdict) -> list[str]:
    return [reason.code.value for reason in verdict.reasons]


def test_score_is_calibrated_and_meets_the_profile_s_threshold() -> None:
    # The card accepts from 0.5 on; the profile makes 0.5 of 0.8.
    for raw, calibrated, decision in (
        (0.7, 0.7 / 0.3 / 4 / (1 + 0.7 / 0.3 / 4), Decision.ATTACK),
        (0.9, 9 / 4 / (1 + 9 / 4), Decision.BONA_FIDE),
    ):
        verdict = check(MadeUpRunner(raw), made_up_profile())
        assert verdict.decision is decision
        assert verdict.bona_fide_score == pytest.approx(calibrated)
        assert [w.bona_fide_score for w in verdict.windows] == pytest.approx([raw] * 4)
        assert verdict.operating_point == made_up_profile().point
        assert verdict.profile == made_up_profile().sha256
    assert check(MadeUpRunner(0.7), None).decision is Decision.BONA_FIDE


def test_mean_is_calibrated_and_not_the_mean_of_calibrated_ones() -> None:
    scores = [0.8, 0.9, 0.95, 0.75]
    verdict = check(MadeUpRunner(scores), made_up_profile())
    mean = sum(scores) / 4
    assert verdict.bona_fide_score == pytest.approx(mean / (1 - mean) / (4 + mean / (1 - mean)))
    assert verdict.score_spread == pytest.approx(0.2)


def test_windows_that_disagree_and_clips_from_elsewhere_are_no_decision() -> None:
    verdict = check(MadeUpRunner([0.99, 0.99, 0.99, 0.6]), made_up_profile())
    assert (verdict.decision, codes(verdict)) == (Decision.NO_DECISION, ["WINDOWS_DISAGREE"])
    # Distances 0, 2, 4, 6: the mean is 3, the limit; a little more is beyond.
    assert check(Strange(0.95, 2.0), made_up_profile()).decision is Decision.BONA_FIDE
    for score in (0.0, 1.0):
        verdict = check(Strange(score, 2.01), made_up_profile())
        assert (verdict.decision, codes(verdict)) == (Decision.NO_DECISION, ["OUT_OF_DISTRIBUTION"])
        (reason,) = verdict.reasons
        assert (reason.measured, reason.limit) == (pytest.approx(3.015), 3.0)


def test_an_embedding_that_is_not_finite_is_no_decision_and_can_be_reported() -> None:
    verdict = check(Strange(1.0, np.inf), made_up_profile())
    assert codes(verdict) == ["OUT_OF_DISTRIBUTION"]
    assert of_verdict("a.mp4", verdict).reasons[0].measured is None


def test_a_profile_gives_a_card_without_operating_point_one() -> None:
    runner = MadeUpRunner(0.9, card(point=None))
    assert codes(check(runner, None)) == ["NO_OPERATING_POINT"]
    assert check(runner, made_up_profile()).decision is Decision.BONA_FIDE


@pytest.mark.parametrize("score", [0.0, 1.0])
@pytest.mark.parametrize(
    ("kind", "stays"),
    [
        ("nobody", "NO_FACE"),
        ("dark", "TOO_DARK"),
        ("short", "TOO_FEW_FRAMES"),
        ("person", "UNTRAINED_MODEL"),
    ],
)
def test_no_profile_turns_no_decision_into_one(score: float, kind: str, stays: str) -> None:
    untrained = {"training": None, "point": None} if stays == "UNTRAINED_MODEL" else {}
    verdict = check(MadeUpRunner(score, card(**untrained)), made_up_profile(), kind)
    assert verdict.decision is Decision.NO_DECISION
    assert stays in codes(verdict)


def test_record_names_the_profile_and_its_threshold() -> None:
    record = of_verdict("a.mp4", check(MadeUpRunner(0.9), made_up_profile()))
    assert record.profile == made_up_profile().sha256
    assert (record.threshold, record.operating_point) == (0.5, made_up_profile().point)
    assert record.windows[0].bona_fide_score == pytest.approx(0.9)
    assert of_verdict("a.mp4", check(MadeUpRunner(0.9), None)).profile is None


def test_profile_of_another_model_or_of_other_windows_is_refused() -> None:
    with pytest.raises(ProfileError, match="a threshold means nothing for other scores"):
        Session(MadeUpRunner(), profile=made_up_profile(weights_sha256="b" * 64))
    with pytest.raises(InputError, match="fitted with 4 windows, got 2"):
        Session(MadeUpRunner(), profile=made_up_profile(), num_windows=2)


def test_embedding_of_another_kind_or_length_is_an_error() -> None:
    other = distance_limit().model_copy(update={"embedding": "fused_feature"})
    with pytest.raises(ProfileError, match="needs the model's fused_feature"):
        check(MadeUpRunner(), made_up_profile(out_of_distribution=other))
    with pytest.raises(InputError, match="expected embeddings of 5 numbers"):
        check(MadeUpRunner(), made_up_profile(out_of_distribution=distance_limit(size=5)))


def test_profile_of_the_model_that_ships_end_to_end(tmp_path: Path) -> None:
    shipped = read_card(STARTER)
    limit = distance_limit(1e6, size=16).model_copy(update={"embedding": "fused_feature"})
    path = tmp_path / "lite.onnx.profile.json"
    fields = {"model": "lite", "weights_sha256": shipped.weights.sha256}
    write_profile(made_up_profile(**fields, out_of_distribution=limit), path)
    with Session.open(profile=path, isolated=False) as session:
        assert session.profile is not None
        verdict = session.check_frames(frames(), [0.1 * i for i in range(8)])
    with Session.open(isolated=False) as session:
        raw = session.check_frames(frames(), [0.1 * i for i in range(8)])
    assert raw.bona_fide_score is not None
    assert verdict.bona_fide_score == session_score(raw)
    assert verdict.operating_point == made_up_profile().point
    assert "NO_RECORDED_ATTACKS" in [caution.code for caution in verdict.cautions]
    assert raw.profile is None
    write_profile(made_up_profile(), path)
    with pytest.raises(ProfileError, match="the profile is for made_up"):
        Session.open(profile=path, isolated=False)


def session_score(raw: Verdict) -> float:
    assert raw.bona_fide_score is not None
    return made_up_profile().calibrated(raw.bona_fide_score)
