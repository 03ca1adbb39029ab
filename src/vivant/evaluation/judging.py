"""All numbers of a table of scores, each with its n, its interval and its convention."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from vivant.errors import DataError
from vivant.evaluation.scores import ScoreTable
from vivant.metrics.curves import auc, hter
from vivant.metrics.intervals import Interval, rule_of_three, subject_bootstrap, wilson
from vivant.metrics.rules import ThresholdRule
from vivant.metrics.system import non_response_rates
from vivant.metrics.thresholds import apcer_at_bpcer, bpcer_at_apcer, eer_threshold

__all__ = [
    "MeasuredRate",
    "TableRates",
    "breakdown",
    "find_threshold",
    "half_total_error",
    "judge_table",
    "measure",
    "threshold_free",
]

MIN_PRESENTATIONS = 30
"""With fewer, an interval is wider than most differences: the number is marked."""
LIMITS = {"bpcer10": 0.10, "bpcer20": 0.05, "bpcer100": 0.01}
"""BPCER at an APCER (ISO/IEC 30107-3)."""


class MeasuredRate(NamedTuple):
    """A share of errors, with what it takes to trust it."""

    rate: float
    num_errors: int
    num: int
    wilson: Interval
    by_subject: Interval | None = None
    """Of the bootstrap over subjects. None where they are not known or fewer than two, and where
    all presentations or none are errors: each draw gives the same then, which is no certainty."""

    @classmethod
    def of_counts(cls, num_errors: int, num: int) -> "MeasuredRate":
        """Of errors among presentations whose subjects are not looked at."""
        return cls(num_errors / num, num_errors, num, wilson(num_errors, num))

    def content(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "rate": self.rate,
            "errors": self.num_errors,
            "n": self.num,
            "wilson_95": list(self.wilson),
            "subject_bootstrap_95": list(self.by_subject) if self.by_subject else None,
            "below_95": rule_of_three(self.num) if self.num_errors == 0 else None,
            "is_too_few": self.num < MIN_PRESENTATIONS,
        }


class TableRates(NamedTuple):
    """What a table gives at a threshold."""

    threshold: float
    bpcer: MeasuredRate
    apcer_by_species: Mapping[str, MeasuredRate]
    no_answer: Mapping[str, tuple[int, int]]
    """Lines without a score, of how many, for bona fide and each PAI species."""

    @property
    def worst(self) -> str:
        """The PAI species with the largest APCER."""
        return max(self.apcer_by_species, key=lambda name: self.apcer_by_species[name].rate)

    @property
    def acer(self) -> float:
        """Mean of BPCER and the worst species' APCER: of academic sets, not of ISO/IEC 30107-3."""
        return (self.bpcer.rate + self.apcer_by_species[self.worst].rate) / 2

    def content(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "bpcer": self.bpcer.content(),
            "apcer": {name: found.content() for name, found in self.apcer_by_species.items()},
            "apcer_max": {"rate": self.apcer_by_species[self.worst].rate, "species": self.worst},
            "acer_legacy": self.acer,
            "no_answer": {
                name: {
                    "missing": self.no_answer[name][0],
                    "n": self.no_answer[name][1],
                    "rate": rate,
                }
                for name, rate in non_response_rates(self.no_answer).items()
            },
            "as_rejected": self._as_rejected(),
        }

    def _as_rejected(self) -> dict[str, Any]:
        """The rates of a system, to which no answer is a rejection."""
        missing, num = self.no_answer["bona_fide"]
        bpcer = MeasuredRate.of_counts(self.bpcer.num_errors + missing, num)
        apcer = {
            name: MeasuredRate.of_counts(found.num_errors, self.no_answer[name][1]).content()
            for name, found in self.apcer_by_species.items()
        }
        return {"bpcer": bpcer.content(), "apcer": apcer}


def measure(
    table: ScoreTable,
    dev: ScoreTable | None,
    rule: ThresholdRule,
    unit: str,
    by: Sequence[str] = (),
    threshold: float | None = None,
) -> dict[str, Any]:
    """All numbers of a table, with their convention, ready for JSON.

    Args:
        table: What is judged.
        dev: The development side; None: there is none.
        rule: Where the threshold comes from.
        unit: What a line of the table is, in words.
        by: Columns to break the rates down by.
        threshold: Found by that rule already, elsewhere; None: it is found here.

    Raises:
        DataError: the rule needs a side that is not there, a class is missing, or a column is.
    """
    found = find_threshold(rule, table, dev) if threshold is None else threshold
    return {
        "convention": {
            "unit": unit,
            "threshold_rule": rule.name,
            "threshold": _finite(found),
            "is_optimistic": rule.is_optimistic,
            "accepted": "score >= threshold",
            "apcer": "of each PAI species; the largest counts, none is pooled",
        },
        "rates": judge_table(table, found).content(),
        "hter_pooled": half_total_error(table, found),
        "threshold_free": threshold_free(table),
        "by": {column: breakdown(table, column, found) for column in by},
    }


def find_threshold(rule: ThresholdRule, table: ScoreTable, dev: ScoreTable | None) -> float:
    """The threshold of a rule, from the side that it names.

    Args:
        rule: How.
        table: What is judged.
        dev: The development side; None: there is none.

    Returns:
        Accepted from it on; infinity accepts nothing.

    Raises:
        DataError: the rule needs a dev side and there is none, or the side lacks a class.
    """
    if rule.side == "dev":
        if dev is None or not dev.rows:
            raise DataError(
                f"the threshold {rule.name} is found on a dev side, and there is none: give one "
                "(--dev DEV.csv, or lines with split dev), or --threshold fixed-0.5"
            )
        return rule.threshold(*_both_classes(dev, "dev side"))
    return rule.threshold(*_both_classes(table, "scores"))


def judge_table(table: ScoreTable, threshold: float) -> TableRates:
    """Error rates of a table at a threshold; a line without a score is counted apart.

    Args:
        table: What is judged.
        threshold: Accepted from it on; infinity accepts nothing.

    Raises:
        DataError: it lacks a class, or a PAI species has no score at all.
    """
    bona_fide, attacks = _both_classes(table, "scores")
    return TableRates(
        threshold,
        _measured(bona_fide < threshold, _subjects(table, None)),
        {name: _measured(of >= threshold, _subjects(table, name)) for name, of in attacks.items()},
        {kind or "bona_fide": _num_without_score(table.of_kind(kind)) for kind in (None, *attacks)},
    )


def breakdown(table: ScoreTable, column: str, threshold: float) -> dict[str, dict[str, Any]]:
    """Rates by the values of a column, at one threshold; a class that a value lacks has none.

    Args:
        table: What is judged.
        column: Such as a device, a light, a skin tone, a site.
        threshold: The same for all: what is asked is who pays for it.

    Raises:
        DataError: no such column.
    """
    found = {}
    for name, group in table.groups(column).items():
        bona_fide, attacks = group.by_class()
        kinds = {"bpcer": bona_fide < threshold} if len(bona_fide) else {}
        kinds |= {f"apcer {kind}": of >= threshold for kind, of in attacks.items() if len(of)}
        found[name] = {kind: _measured(errors, None).content() for kind, errors in kinds.items()}
    return found


def threshold_free(table: ScoreTable) -> dict[str, Any]:
    """Numbers of the whole curve: each threshold lies on these scores themselves.

    Raises:
        DataError: it lacks a class, or a PAI species has no score at all.
    """
    bona_fide, attacks = _both_classes(table, "scores")
    pooled = np.concatenate([*attacks.values()])
    content: dict[str, Any] = {
        "convention": "threshold on these scores: optimistic",
        "auc": {name: auc(bona_fide, of) for name, of in attacks.items()}
        | {"pooled": auc(bona_fide, pooled)},
    }
    kinds: tuple[Literal["worst", "pooled"], ...] = ("worst", "pooled")
    for kind in kinds:
        threshold, rate = eer_threshold(bona_fide, attacks, kind)
        content[f"d_eer_{kind}"] = {"rate": rate, "threshold": _finite(threshold)}
    for name, limit in LIMITS.items():
        threshold, rate = bpcer_at_apcer(bona_fide, attacks, limit)
        content[name] = {"bpcer": rate, "threshold": _finite(threshold), "apcer_at_most": limit}
    for limit in (0.01, 0.05):
        threshold, rate = apcer_at_bpcer(bona_fide, attacks, limit)
        content[f"apcer_at_bpcer_{limit:.0%}"] = {"apcer": rate, "threshold": threshold}
    return content


def half_total_error(table: ScoreTable, threshold: float) -> float:
    """HTER at a threshold: attacks of all species in one.

    Raises:
        DataError: it lacks a class, or a PAI species has no score at all.
    """
    return hter(*_both_classes(table, "scores"), threshold)


def _finite(value: float) -> float | None:
    """For JSON, which has no infinity."""
    return value if np.isfinite(value) else None


def _measured(is_error: Bool[np.ndarray, " n"], subjects: list[str | None] | None) -> MeasuredRate:
    num_errors, num = int(is_error.sum()), len(is_error)
    by_subject = None
    if subjects is not None and len(set(subjects)) > 1 and 0 < num_errors < num:
        by_subject = subject_bootstrap(is_error, subjects)
    return MeasuredRate(num_errors / num, num_errors, num, wilson(num_errors, num), by_subject)


def _subjects(table: ScoreTable, pai_species: str | None) -> list[str | None] | None:
    """Whose the scores of a kind are, in their order; None where lines do not say."""
    if not table.has_subjects:
        return None
    return [row.subject for row in table.of_kind(pai_species).rows if row.score is not None]


def _num_without_score(table: ScoreTable) -> tuple[int, int]:
    return len(table.rows) - len(table.scores()), len(table.rows)


def _both_classes(
    table: ScoreTable, what: str
) -> tuple[Float[np.ndarray, " n"], dict[str, Float[np.ndarray, " _"]]]:
    """Scores by class.

    Raises:
        DataError: no bona fide, no attack, or a PAI species without a score.
    """
    bona_fide, attacks = table.by_class()
    lacking = [] if len(bona_fide) else ["bona fide"]
    if not attacks:
        lacking.append("attacks")
    lacking += [f"attacks of {name}" for name, of in attacks.items() if not len(of)]
    if lacking:
        raise DataError(
            f"expected scores of bona fide and of each PAI species in the {what}, found none of "
            f"{', '.join(lacking)}: no rate can be given"
        )
    return bona_fide, attacks
