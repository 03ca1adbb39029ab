"""How far answers moved, on answers written by hand."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from made_up import card
from vivant.errors import ParityError
from vivant.export import drift
from vivant.export.drift import DriftReport, judge_drift, refuse, run_all, scores_stand, too_far
from vivant.export.judged_clips import JudgedClips
from vivant.networks.card import ModelCard, OperatingPoint
from vivant.networks.models import model_b
from vivant.records import Scores

POINT = OperatingPoint(threshold=0.55, rule="dev-eer", data="made-up:1 dev")
BEFORE = (0.9, 0.8, 0.6, 0.4, 0.3, 0.1)
IS_BONA_FIDE = (True, True, True, False, False, False)
ANCHORS = np.tile(np.array([5, 6, 9, 10]), (6, 5, 1))
GOOD = DriftReport("onnx int8", 200, 0.01, 0.1, 0.5, "float32's", 0.01, 0.95, 0.99, 0.985, 2.0)


class Clock:
    """Seconds."""

    now_s = 0.0


class Written:
    """Gives each clip, known by its first pixel, the score written for it."""

    def __init__(
        self,
        scores: tuple[float, ...],
        anchors: np.ndarray | None = None,
        card_: ModelCard | None = None,
        seconds: tuple[Clock, float] = (Clock(), 0.0),
    ) -> None:
        self.card = card_ or card(point=POINT)
        self.runtime = "onnx int8"
        self.scores = scores
        self.anchors = anchors
        self.seconds = seconds
        self.asked: list[list[int]] = []

    def run(self, clips: np.ndarray, context: np.ndarray | None = None) -> Scores:
        clock, seconds = self.seconds
        clock.now_s += seconds
        which = clips[:, 0, 0, 0, 0]
        self.asked.append(which.tolist())
        score = np.array(self.scores, np.float32)[which]
        return Scores(
            bona_fide_score=score,
            advisor_score=score,
            advisor_logits=np.zeros((len(which), 2), np.float32),
            advisor_embedding=np.zeros((len(which), 16), np.float32),
            cam=np.zeros((len(which), 5, 7, 7), np.float32),
            anchors=None if self.anchors is None else self.anchors[which],
        )

    def run_part(self, part: str, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        raise AssertionError(f"nobody asks for {part}")


@pytest.fixture
def clips() -> JudgedClips:
    """Six clips of one pixel, whose value is their number."""
    judged = np.zeros((6, 5, 1, 1, 3), np.uint8) + np.arange(6, dtype=np.uint8).reshape(
        6, 1, 1, 1, 1
    )
    return JudgedClips((judged[:0],), (judged,), np.array(IS_BONA_FIDE), "made-up")


def judged(clips: JudgedClips, candidate: Written, before: Written | None = None) -> DriftReport:
    exact = before or Written(BEFORE, ANCHORS)
    return judge_drift(run_all(exact, clips.judged[0]), exact, candidate, clips)


def test_same_answer_has_not_moved(clips: JudgedClips) -> None:
    report = judged(clips, Written(BEFORE, ANCHORS))
    assert report.runtime == "onnx int8"
    assert report.num_clips == 6
    assert (report.mean_difference, report.max_difference, report.flips) == (0, 0, 0)
    assert (report.auc_before, report.auc_after, report.anchor_agreement) == (1, 1, 1)
    assert too_far(report) == []


def test_differences_and_flips_are_counted_by_hand(clips: JudgedClips) -> None:
    # By 0.1, -0.2, -0.1, 0.3, 0, 0: the third falls below 0.55 and the fourth rises above it.
    report = judged(clips, Written((1.0, 0.6, 0.5, 0.7, 0.3, 0.1), ANCHORS))
    assert report.mean_difference == pytest.approx(0.7 / 6)
    assert report.max_difference == pytest.approx(0.3)
    assert (report.threshold, report.threshold_from) == (0.55, "the card's (dev-eer)")
    assert report.flips == pytest.approx(2 / 6)
    # 0.7 is above 0.6 and 0.5: of nine pairs, two are the wrong way round.
    assert report.auc_before == 1
    assert report.auc_after == pytest.approx(7 / 9)


def test_score_on_the_threshold_is_accepted(clips: JudgedClips) -> None:
    point = OperatingPoint(threshold=0.5, rule="fixed", data="none")
    of_card = card(point=point)
    on, below = (0.9, 0.8, 0.5, 0.4, 0.3, 0.1), (0.9, 0.8, 0.499, 0.4, 0.3, 0.1)
    before = Written(on, ANCHORS)
    assert judged(clips, Written(on, ANCHORS, of_card), before).flips == 0
    assert judged(clips, Written(below, ANCHORS, of_card), before).flips == pytest.approx(1 / 6)


def test_card_without_a_threshold_is_judged_at_the_equal_error(clips: JudgedClips) -> None:
    # Attack 0.7 above bona fide 0.6: one of three of each is wrong at 0.7, where the errors meet.
    before = Written((0.9, 0.8, 0.6, 0.7, 0.3, 0.1), ANCHORS)
    untrained = card(training=None, point=None)
    after = Written((0.9, 0.69, 0.6, 0.7, 0.3, 0.1), ANCHORS, untrained)
    report = judged(clips, after, before)
    assert report.threshold == pytest.approx(0.7)
    assert report.threshold_from == "float32's equal error on these clips"
    assert report.flips == pytest.approx(1 / 6)
    assert report.auc_before == pytest.approx(8 / 9)
    assert report.auc_after == pytest.approx(7 / 9)


def test_anchors_agree_as_sets(clips: JudgedClips) -> None:
    anchors = ANCHORS[..., ::-1].copy()  # Another order.
    anchors[2, 3] = [5, 6, 9, 11]
    anchors[4, 0] = [0, 1, 2, 3]
    assert judged(clips, Written(BEFORE, anchors)).anchor_agreement == pytest.approx(28 / 30)


def test_model_without_anchors_has_no_agreement(clips: JudgedClips) -> None:
    of_card = card(point=POINT, architecture=model_b())
    report = judged(clips, Written(BEFORE, None, of_card), Written(BEFORE, None, of_card))
    assert report.anchor_agreement is None
    assert too_far(report) == []


def test_speed_is_of_one_clip_and_the_first_does_not_count(
    clips: JudgedClips, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(drift, "perf_counter", lambda: clock.now_s)
    slow = Written(BEFORE, ANCHORS, seconds=(clock, 0.3))
    fast = Written(BEFORE, ANCHORS, seconds=(clock, 0.1))
    reference = run_all(Written(BEFORE, ANCHORS), clips.judged[0])
    report = judge_drift(reference, slow, fast, clips)
    assert report.times_as_fast == pytest.approx(3)
    assert slow.asked == [[0]] * 6
    assert fast.asked == [[0, 1, 2, 3], [4, 5]] + [[0]] * 6


@pytest.mark.parametrize(
    ("field", "within", "beyond", "message"),
    [
        (
            "anchor_agreement",
            0.95,
            0.949,
            "the same anchors on 94.9% of frames, at least 95% are wanted",
        ),
        ("flips", 0.01, 0.0101, "1.0% of decisions change, at most 1% may"),
        ("auc_after", 0.985, 0.9849, "AUC 0.9849 after 0.9900, at most 0.005 may be lost"),
    ],
)
def test_each_bound_holds_and_what_is_beyond_is_told(
    field: str, within: float, beyond: float, message: str
) -> None:
    assert too_far(replace(GOOD, **{field: within})) == []
    assert too_far(replace(GOOD, **{field: beyond})) == [message]
    assert len(too_far(replace(GOOD, **{field: float("nan")}))) == 1, "doubt is too far"


def test_better_than_before_is_not_too_far() -> None:
    assert too_far(replace(GOOD, auc_after=1.0, flips=0.0, anchor_agreement=1.0)) == []


def test_all_that_is_too_far_is_told() -> None:
    found = too_far(replace(GOOD, anchor_agreement=0.5, flips=0.25, auc_after=0.5))
    assert [line.split()[0] for line in found] == ["the", "25.0%", "AUC"]


def test_operating_point_stands_while_decisions_do() -> None:
    """Other anchors change the explanation, not what the threshold was set on."""
    assert scores_stand(GOOD)
    assert scores_stand(replace(GOOD, anchor_agreement=0.5))
    for field, value in (("flips", 0.02), ("auc_after", 0.9), ("flips", float("nan"))):
        assert not scores_stand(replace(GOOD, **{field: value}))


def test_refusal_tells_every_variant_and_the_way_out() -> None:
    first = replace(GOOD, anchor_agreement=0.85)
    second = replace(GOOD, runtime="openvino float32/int8", flips=0.025, auc_after=0.9)
    error = refuse([first, second])
    assert isinstance(error, ParityError)
    assert str(error) == (
        "lower precision changes too much on 200 clips. onnx int8: the same anchors on 85.0% of "
        "frames, at least 95% are wanted. openvino float32/int8: 2.5% of decisions change, at most "
        "1% may; AUC 0.9000 after 0.9900, at most 0.005 may be lost. Say --allow-drift to have it "
        "all the same"
    )


@pytest.mark.parametrize(
    ("batch", "asked"), [(4, [[0, 1, 2, 3], [4, 5]]), (3, [[0, 1, 2], [3, 4, 5]]), (9, [[0, 1, 2, 3, 4, 5]])]
)  # fmt: skip
def test_many_clips_are_scored_some_at_a_time(
    batch: int, asked: list[list[int]], clips: JudgedClips
) -> None:
    runner = Written(BEFORE, np.arange(120).reshape(6, 5, 4))
    scores = run_all(runner, clips.judged[0], batch=batch)
    assert runner.asked == asked
    np.testing.assert_array_equal(scores.bona_fide_score, np.float32(BEFORE))
    np.testing.assert_array_equal(scores.anchors, np.arange(120).reshape(6, 5, 4))
    assert scores.cam.shape == (6, 5, 7, 7)
    assert scores.depth is None
    assert scores.aam_score is None
