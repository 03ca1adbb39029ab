from dataclasses import replace

import numpy as np
import pytest

from vivant.errors import ParityError
from vivant.export.parity import ParityReport, check_parity, compare
from vivant.records import Scores


def answer() -> Scores:
    return Scores(
        bona_fide_score=np.array([0.2, 0.7], np.float32),
        advisor_score=np.array([0.2, 0.7], np.float32),
        advisor_logits=np.array([[1, 2], [-4, 0]], np.float32),
        advisor_embedding=np.zeros((2, 3), np.float32),
        cam=np.zeros((2, 5, 7, 7), np.float32),
        aam_logits=np.ones((2, 5, 2), np.float32),
        anchors=np.tile(np.array([0, 5, 6, 9]), (2, 5, 1)),
    )


def test_the_same_answer_is_the_same() -> None:
    assert compare(answer(), answer()) == ParityReport(2, 0.0, 0.0, 1.0)


def test_differences_are_shares_of_the_largest_logit() -> None:
    logits = answer().advisor_logits.copy()
    logits[0, 0] += 0.4
    report = compare(answer(), replace(answer(), advisor_logits=logits))
    assert report.logit_difference == pytest.approx(0.1)


def test_order_of_the_anchors_does_not_matter_but_their_set_does() -> None:
    anchors = answer().anchors[..., ::-1].copy()
    anchors[1, 2, 0] = 1
    report = compare(answer(), replace(answer(), anchors=anchors))
    assert report.anchor_agreement == pytest.approx(0.9)


def test_logits_of_frames_with_other_anchors_are_not_compared() -> None:
    anchors, logits = answer().anchors.copy(), answer().aam_logits.copy()
    anchors[1, 2, 0], logits[1, 2] = 1, 50
    report = compare(answer(), replace(answer(), anchors=anchors, aam_logits=logits))
    assert report.logit_difference == 0
    assert report.anchor_agreement == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (
            ParityReport(4, 2e-3, 0.0, 1.0),
            r"expected logits within 0.001 .* got 0.002 over 4 clips",
        ),
        (ParityReport(4, float("nan"), 0.0, 1.0), "expected logits within"),
        (ParityReport(4, 0.0, 0.0, 0.98), r"same anchors on 99% of frames, got 98.0%"),
    ],
)
def test_what_answers_otherwise_is_refused(report: ParityReport, message: str) -> None:
    with pytest.raises(ParityError, match=message):
        check_parity(report)
    check_parity(ParityReport(4, 1e-3, 0.5, 0.99))
    check_parity(ParityReport(4, 1e-3, 0.5, None))
