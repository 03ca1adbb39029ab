import math

import pytest

from made_up import POINT, TRAINED, card
from vivant.errors import InputError
from vivant.networks.card import OperatingPoint
from vivant.records import Finding, Reason
from vivant.session.decision import decide, doubts_about_model
from vivant.session.verdict import Decision

BLUR = Finding(Reason.TOO_BLURRED, "blurred", 0.05, 0.1)


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (0.0, Decision.ATTACK),
        (math.nextafter(0.5, 0), Decision.ATTACK),
        (0.5, Decision.BONA_FIDE),
        (1.0, Decision.BONA_FIDE),
    ],
)
def test_accepts_from_the_threshold_on(score: float, expected: Decision) -> None:
    assert decide(score, card(), ()) == (expected, ())


def test_untrained_model_never_decides() -> None:
    decision, reasons = decide(1.0, card(training=None, point=None), ())
    assert decision is Decision.NO_DECISION
    assert [reason.code for reason in reasons] == [Reason.UNTRAINED_MODEL]


def test_model_without_threshold_never_decides() -> None:
    decision, reasons = decide(1.0, card(point=None), ())
    assert decision is Decision.NO_DECISION
    assert [reason.code for reason in reasons] == [Reason.NO_OPERATING_POINT]


def test_any_reason_outweighs_any_score() -> None:
    for score in (0.0, 1.0, None):
        assert decide(score, card(), (BLUR,)) == (Decision.NO_DECISION, (BLUR,))


def test_reasons_add_up() -> None:
    _, reasons = decide(0.9, card(training=None, point=None), (BLUR,))
    assert [reason.code for reason in reasons] == [Reason.TOO_BLURRED, Reason.UNTRAINED_MODEL]


def test_no_score_needs_a_reason() -> None:
    with pytest.raises(InputError, match="expected a score, or a reason why there is none"):
        decide(None, card(), ())


@pytest.mark.parametrize("score", [math.nan, math.inf, -0.1, 1.1])
def test_score_that_is_none_is_an_error_and_no_decision(score: float) -> None:
    for reasons in ((), (BLUR,)):
        with pytest.raises(InputError, match=r"expected a score in 0\.\.1"):
            decide(score, card(), reasons)


def test_doubts_about_a_sound_model_are_none() -> None:
    assert doubts_about_model(card(TRAINED, POINT)) == ()


STRICT = OperatingPoint(threshold=0.9, rule="dev-bpcer=1%", data="made-up:1 dev")


@pytest.mark.parametrize("own", [POINT, None])
def test_operating_point_of_a_profile_stands_instead_of_the_card_s(
    own: OperatingPoint | None,
) -> None:
    assert decide(0.89, card(point=own), (), STRICT) == (Decision.ATTACK, ())
    assert decide(0.9, card(point=own), (), STRICT) == (Decision.BONA_FIDE, ())
    assert doubts_about_model(card(point=own), STRICT) == ()


def test_no_profile_makes_an_untrained_model_decide_or_takes_a_reason_away() -> None:
    decision, reasons = decide(1.0, card(training=None, point=None), (), STRICT)
    assert decision is Decision.NO_DECISION
    assert [reason.code for reason in reasons] == [Reason.UNTRAINED_MODEL]
    for score in (0.0, 1.0, None):
        assert decide(score, card(), (BLUR,), STRICT) == (Decision.NO_DECISION, (BLUR,))
