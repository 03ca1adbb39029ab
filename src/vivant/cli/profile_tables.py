"""A deployment profile for people: what `vivant calibrate` and `vivant model card` print of it."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from vivant.session.doubts import CountedShare, LimitCost
    from vivant.session.profile import Profile

__all__ = ["print_point", "print_profile"]


def print_profile(console: Console, profile: "Profile") -> None:
    """All of it but the numbers that only a program reads.

    Args:
        console: Where to.
        profile: What is shown.
    """
    _print_calibration(console, profile)
    print_point(console, profile)
    _print_limits(console, profile)
    for note in profile.notes:
        _say(console, f"note: {note}", "yellow")


def print_point(console: Console, profile: "Profile") -> None:
    """The operating point, and the errors there.

    Args:
        console: Where to.
        profile: Whose.
    """
    point = profile.operating_point
    _say(
        console,
        f"operating point: bona fide from a calibrated score of {point.threshold:.4f} on "
        f"({point.rule} on {profile.data}){_interval(profile)}",
    )
    table = _rate_table("errors")
    for side, rates in (
        ("dev", point.dev),
        ("dev, held out", point.held_out),
        ("test", point.test),
    ):
        if rates is not None:
            _add(table, f"{side}: BPCER", rates.bpcer)
            for name, share in rates.apcer.items():
                _add(table, f"{side}: APCER {name}", share)
    console.print(table)


def _print_calibration(console: Console, profile: "Profile") -> None:
    tried = profile.quality.tried
    told = ", ".join(f"{name} {value:.4f}" for name, value in tried.items())
    _say(
        console,
        f"calibration: {profile.calibration.kind}; negative log likelihood out of "
        f"{profile.num_folds} folds by {profile.folds_by}: {told}",
    )
    table = Table("scores of dev", box=None, pad_edge=False)
    for name in ("Brier", "NLL", "ECE"):
        table.add_column(name, justify="right")
    for name, found in (
        ("before", profile.quality.before),
        ("after, out of fold", profile.quality.after),
    ):
        numbers = found.brier, found.negative_log_likelihood, found.expected_calibration_error
        table.add_row(name, *(f"{number:.4f}" for number in numbers))
    console.print(table)


def _print_limits(console: Console, profile: "Profile") -> None:
    for code, limit in (
        ("OUT_OF_DISTRIBUTION", profile.out_of_distribution),
        ("WINDOWS_DISAGREE", profile.windows_disagree),
    ):
        if limit is None:
            continue
        _say(
            console,
            f"{code}: above {limit.limit:.4g}, to cost {100 * profile.max_cost:.4g} % of dev's "
            "bona fide at most; turned into no decision:",
        )
        table = _rate_table("doubted")
        for side, cost in (("dev", limit.dev), ("test", limit.test)):
            if cost is not None:
                _add_cost(table, side, cost)
        console.print(table)


def _add_cost(table: Table, side: str, cost: "LimitCost") -> None:
    _add(table, f"{side}: bona fide", cost.bona_fide)
    for name, share in cost.attacks.items():
        _add(table, f"{side}: {name}", share)
        accepted = cost.accepted_attacks[name]
        if accepted is not None:
            _add(table, f"{side}: {name} accepted", accepted)


def _rate_table(what: str) -> Table:
    table = Table("", box=None, pad_edge=False)
    for header in ("%", what, "n", "Wilson 95 %", "subjects 95 %"):
        table.add_column(header, justify="right")
    return table


def _add(table: Table, name: str, share: "CountedShare") -> None:
    by_subject = share.subject_bootstrap_95
    table.add_row(
        Text(name),
        f"{100 * share.share:.2f}",
        f"{share.count:,}",
        f"{share.num:,}",
        _range(share.wilson_95),
        _range(by_subject) if by_subject else "",
    )


def _range(ends: tuple[float, float]) -> str:
    return f"{100 * ends[0]:.2f} to {100 * ends[1]:.2f}"


def _interval(profile: "Profile") -> str:
    ends = profile.operating_point.threshold_95
    if ends is None:
        return "; no interval: one subject alone"
    high = "nothing accepted" if ends[1] is None else f"{ends[1]:.4f}"
    return f"; 95 % of drawn dev sides: {ends[0]:.4f} to {high}"


def _say(console: Console, line: str, style: str | None = None) -> None:
    console.print(Text(line, style or ""), soft_wrap=True)
