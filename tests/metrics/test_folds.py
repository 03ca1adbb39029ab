import pytest

from vivant.errors import InputError
from vivant.metrics.folds import summarise_folds


def test_worked_example() -> None:
    apcer, bpcer = [10.0, 5.0, 0.0, 15.0, 0.0, 0.0], [5.0, 0.0, 10.0, 0.0, 0.0, 15.0]
    acer = [(a + b) / 2 for a, b in zip(apcer, bpcer, strict=True)]
    assert acer == [7.5, 2.5, 5.0, 7.5, 0.0, 7.5]
    for values, population, sample in ((apcer, 5.7735, 6.3246), (bpcer, 5.7735, 6.3246),
                                       (acer, 2.8868, 3.1623)):  # fmt: skip
        found = summarise_folds(values)
        assert found == pytest.approx((5.0, population, sample), abs=5e-5)


def test_one_fold_has_no_sample_deviation() -> None:
    assert summarise_folds([3.0]) == (3.0, 0.0, None)


@pytest.mark.parametrize("values", [[], [1.0, float("nan")]])
def test_folds_without_a_number_are_refused(values) -> None:
    with pytest.raises(InputError, match="finite number of each fold"):
        summarise_folds(values)
