from dataclasses import replace

import numpy as np
import pytest

from vivant.errors import ParityError
from vivant.export.parity import ParityReport, check_parity, compare
from vivant.records import Scores


def answer() -> Scores:
    generator = np.random.default_rng(1)
    return Scores(
        bona_fide_score=np.array([0.2, 0.7], np.float32),
        advisor_score=np.array([0.2, 0.7], np.float32),
        advisor_logits=np.array([[1, 2], [-4, 0]], np.float32),
        advisor_embedding=np.zeros((2, 3), np.float32),
        cam=np.zeros((2, 5, 7, 7), np.float32),
        aam_score=np.array([0.3, 0.6], np.float32),
        aam_logits=np.ones((2, 5, 2), np.float32),
        anchors=np.tile(np.array([0, 5, 6, 9]), (2, 5, 1)),
        centres=generator.uniform(-0.75, 0.75, (2, 5, 4, 2)).astype(np.float32),
        depth=generator.uniform(0, 1, (2, 5, 4, 14, 14)).astype(np.float32),
    )


def changed(name: str, index: tuple[int, ...], by: float) -> Scores:
    values = getattr(answer(), name).copy()
    values[index] += by
    return replace(answer(), **{name: values})


def test_the_same_answer_is_the_same() -> None:
    assert compare(answer(), answer()) == ParityReport(2, 0.0, 0.0, 0.0, 1.0)


def test_differences_are_shares_of_the_largest_logit() -> None:
    report = compare(answer(), changed("advisor_logits", (0, 0), 0.4))
    assert report.logit_difference == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("name", "index", "message"),
    [
        ("bona_fide_score", (1,), "same scores"),
        ("advisor_score", (0,), "same scores"),
        ("aam_score", (0,), "same scores"),
        ("advisor_logits", (1, 1), "same logits"),
        ("aam_logits", (1, 4, 0), "same logits"),
        ("centres", (0, 0, 3, 1), "same patches"),
        ("depth", (1, 2, 3, 13, 13), "same patches"),
    ],
)
@pytest.mark.parametrize("by", [0.1, float("nan")])
def test_any_part_that_differs_is_noticed(
    name: str, index: tuple[int, ...], message: str, by: float
) -> None:
    with pytest.raises(ParityError, match=f"expected the {message} within 0.001"):
        check_parity(compare(answer(), changed(name, index, by)))


def test_order_of_the_anchors_does_not_matter_but_their_set_does() -> None:
    anchors = answer().anchors[..., ::-1].copy()
    anchors[1, 2, 0] = 1
    report = compare(answer(), replace(answer(), anchors=anchors))
    assert report.anchor_agreement == pytest.approx(0.9)


def test_what_follows_from_other_anchors_is_not_compared() -> None:
    anchors, logits, scores = (
        getattr(answer(), n).copy() for n in ("anchors", "aam_logits", "aam_score")
    )
    anchors[1, 2, 0], logits[1, 2], scores[1] = 1, 50, 0.9
    report = compare(
        answer(), replace(answer(), anchors=anchors, aam_logits=logits, aam_score=scores)
    )
    assert report.logit_difference == 0
    assert report.score_difference == 0
    assert report.anchor_agreement == pytest.approx(0.9)


def test_logits_of_zero_can_be_compared() -> None:
    zero = replace(answer(), advisor_logits=np.zeros((2, 2), np.float32))
    assert compare(zero, zero).logit_difference == 0
    assert compare(zero, answer()).logit_difference > 0


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (ParityReport(4, 2e-3, 0.0, 0.0, 1.0), r"same logits within 0.001, .* 0.002 over 4 clips"),
        (ParityReport(4, 0.0, 0.0, float("nan"), 1.0), "same scores within"),
        (ParityReport(4, 0.0, 0.0, 0.0, 0.98), r"same anchors on 99% of frames, got 98.0%"),
        (ParityReport(4, 0.0, 0.0, 0.0, float("nan")), "same anchors on"),
    ],
)
def test_what_answers_otherwise_is_refused(report: ParityReport, message: str) -> None:
    with pytest.raises(ParityError, match=message):
        check_parity(report)


def test_what_answers_alike_is_not() -> None:
    check_parity(ParityReport(4, 1e-3, 1e-3, 1e-3, 0.99))
    check_parity(ParityReport(4, 1e-3, 0.0, 1e-3, None))
