import numpy as np
import pytest

from vivant.errors import InputError
from vivant.metrics.rules import parse_rule

BONA_FIDE = np.array([0.95, 0.90, 0.85, 0.80, 0.75, 0.70, 0.60, 0.55, 0.45, 0.30])
PRINT = np.array([0.10, 0.15, 0.20, 0.25, 0.35, 0.40, 0.50, 0.05])
REPLAY = np.array([0.02, 0.12, 0.22, 0.32, 0.42, 0.52, 0.62, 0.72])
ATTACKS = {"print": PRINT, "replay": REPLAY}


@pytest.mark.parametrize(
    ("name", "threshold"),
    [
        ("dev-eer", 0.55), ("test-eer", 0.55), ("fixed-0.5", 0.5), ("fixed-.25", 0.25),
        ("dev-apcer=1%", 0.75), ("dev-apcer=25%", 0.55), ("dev-bpcer=10%", 0.45),
    ],
)  # fmt: skip
def test_each_rule_finds_its_threshold(name: str, threshold: float) -> None:
    assert parse_rule(name).threshold(BONA_FIDE, ATTACKS) == threshold


def test_a_threshold_of_the_judged_scores_is_optimistic() -> None:
    assert [parse_rule(name).is_optimistic for name in ("dev-eer", "test-eer", "fixed-0.5")] == [
        False, True, False,
    ]  # fmt: skip


def test_no_threshold_keeps_an_attack_out_that_has_the_highest_score() -> None:
    found = parse_rule("dev-apcer=0%").threshold(np.array([0.5]), {"print": np.array([0.9])})
    assert found == np.inf


@pytest.mark.parametrize(
    "name", ["", "eer", "dev-apcer=1", "dev-apcer=101%", "dev-hter=1%", "fixed--1", "fixed-nan"]
)
def test_other_names_are_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(InputError, match=r"dev-eer, dev-apcer=1%, dev-bpcer=1%, fixed-0.5 or"):
        parse_rule(name)
