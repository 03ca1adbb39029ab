import numpy as np
import pytest

from vivant.errors import InputError
from vivant.metrics.system import non_response_rates, system_rates

MATED = (np.array([0.9, 0.8, 0.7, 0.6, 0.4]), np.array([0.9, 0.4, 0.8, 0.7, 0.9]))
PRINT = (np.array([0.8, 0.7, 0.6, 0.3]), np.array([0.6, 0.2, 0.1, 0.9]))


def test_worked_example() -> None:
    found = system_rates(MATED, {"print": PRINT}, 0.5, 0.5)
    assert found.frr == pytest.approx(0.4)
    assert (found.iapmr_by_species, found.iapar) == ({"print": 0.75}, 0.25)
    assert found.riapar == pytest.approx(0.65)


def test_the_worst_species_counts() -> None:
    easy = (np.array([0.9, 0.9]), np.array([0.1, 0.1]))
    found = system_rates(MATED, {"easy": easy, "print": PRINT}, 0.5, 0.5)
    assert found.iapar_by_species == {"easy": 0.0, "print": 0.25}
    assert found.iapar == 0.25


def test_like_counting_one_by_one() -> None:
    generator = np.random.default_rng(0)
    mated, attack = generator.random((2, 50)), generator.random((2, 30))
    found = system_rates((mated[0], mated[1]), {"print": (attack[0], attack[1])}, 0.3, 0.6)
    assert found.frr == pytest.approx(sum(not (m >= 0.3 and p >= 0.6) for m, p in mated.T) / 50)
    assert found.iapar == pytest.approx(sum(m >= 0.3 and p >= 0.6 for m, p in attack.T) / 30)


@pytest.mark.parametrize(
    ("bona_fide", "attacks", "threshold", "message"),
    [
        (MATED, {}, 0.5, "at least one PAI species"),
        ((MATED[0], MATED[1][:3]), {"print": PRINT}, 0.5, "got 5 and 3"),
        (MATED, {"print": (PRINT[0], PRINT[1] * np.nan)}, 0.5, "finite scores of the PAI species"),
        (MATED, {"print": PRINT}, np.nan, "expected two thresholds, got NaN"),
    ],
)
def test_scores_that_are_none_are_refused(bona_fide, attacks, threshold, message) -> None:
    with pytest.raises(InputError, match=message):
        system_rates(bona_fide, attacks, 0.5, threshold)


def test_presentations_without_an_answer() -> None:
    assert non_response_rates({"bona_fide": (1, 4), "print": (0, 3)}) == {
        "bona_fide": 0.25, "print": 0.0,
    }  # fmt: skip
    with pytest.raises(InputError, match="got 4/3: print"):
        non_response_rates({"print": (4, 3)})
