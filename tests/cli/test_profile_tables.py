import io

from rich.console import Console

from made_up_scores import made_up_profile, share
from vivant.cli.profile_tables import print_point, print_profile
from vivant.session.profile import FittedPoint, PointRates


def told(show: object, **changes: object) -> str:
    file = io.StringIO()
    show(Console(file=file, width=100), made_up_profile(**changes))
    return file.getvalue()


def test_all_is_told() -> None:
    output = told(print_profile)
    for words in (
        "calibration: platt", "none 0.3000", "before", "0.1000", "0.0500",
        "from a calibrated score of 0.5000 on (dev-bpcer=1% on made-up:1 dev)",
        "0.4000 to nothing accepted", "dev, held out: APCER print", "2.00",
        "OUT_OF_DISTRIBUTION: above 3, to cost 1 % of dev's bona fide at most",
        "WINDOWS_DISAGREE: above 0.3", "dev: bona fide", "50.00",
        "note: dev has 100 bona fide presentations",
    ):  # fmt: skip
        assert words in output, words
    assert "test" not in output


def test_what_there_is_not_is_not_told() -> None:
    output = told(print_profile, out_of_distribution=None, windows_disagree=None, notes=())
    for words in ("OUT_OF_DISTRIBUTION", "WINDOWS_DISAGREE", "note:"):
        assert words not in output


def test_operating_point_alone_with_a_test_side_and_names_as_they_are() -> None:
    rates = PointRates(bpcer=share(), apcer={"[red]mask": share(3)})
    point = FittedPoint(
        threshold=0.25, threshold_95=None, rule="dev-eer", dev=rates, held_out=rates, test=rates
    )
    output = told(print_point, operating_point=point)
    assert "test: APCER [red]mask" in output
    assert "no interval" in output
    assert "calibration:" not in output
