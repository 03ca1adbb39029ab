"""From runs to the lines of the tables: scores, rates of each fold, and the paper's beside them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from vivant.datasets.naming import divide
from vivant.errors import DataError
from vivant.evaluation.judging import MeasuredRate, TableRates, find_threshold, judge_table
from vivant.evaluation.published import PublishedRow, flags, published_table
from vivant.evaluation.scored import Part, ScoredPresentation, Unit, parts_of, to_table
from vivant.evaluation.scoring import StoreSource, score_sides
from vivant.metrics.folds import FoldSummary, summarise_folds
from vivant.metrics.rules import parse_rule
from vivant.records import Split
from vivant.reproduction.data import Data
from vivant.reproduction.plan import Fold, Line
from vivant.reproduction.runs import Run
from vivant.runtimes.torch import TorchRunner

__all__ = ["RULE", "RunScores", "compare"]

RULE = parse_rule("dev-eer")
"""The paper does not say; this one can be had before the test side is seen (D31)."""
UNITS: tuple[Unit, ...] = ("video", "clip")
ALL = "all"
"""The protocol whose test side has all presentations of the others' test sides."""

Rows = tuple[ScoredPresentation, ...]


@runtime_checkable
class SideScores(Protocol):
    """Scores of runs, wherever from."""

    def dev(self, run: Run) -> Rows:
        """The run's own dev side."""
        ...

    def test(self, fold: Fold) -> Rows:
        """The test side of a fold."""
        ...


class RunScores:
    """The scores of trained runs, kept in a folder: each presentation is scored once.

    Args:
        stores: By data set.
        cards: Of the trained runs.
        folder: Where they are kept.
        tell: Is told of progress: what, done, of how many.
    """

    def __init__(
        self,
        stores: Mapping[str, Data],
        cards: Mapping[Run, Path],
        folder: Path,
        tell: Callable[[str, int, int], None],
    ) -> None:
        self._stores = stores
        self._cards = cards
        self._folder = folder
        self._tell = tell
        self._known: dict[tuple[Run, str], Rows] = {}
        self._sources: dict[tuple[Run, str], StoreSource] = {}

    def dev(self, run: Run) -> Rows:
        """The run's own dev side."""
        return _side(self._of(run, run.dataset), Split.DEV)

    def test(self, fold: Fold) -> Rows:
        """The test side of a fold.

        Raises:
            DataError: nothing is on it.
        """
        rows = _side(self._of(fold.run, fold.dataset), Split.TEST)
        if fold.is_cross:
            source = self.source(fold.run, fold.dataset)
            name = f"{fold.dataset.replace('_', '-')}:{fold.protocol}"
            wanted = divide(source.dataset, source.presentations, name)[Split.TEST]
            paths = {row.path for row in wanted}
            rows = tuple(row for row in rows if row.presentation.path in paths)
        return rows

    def source(self, run: Run, dataset: str) -> StoreSource:
        """What scores presentations of a data set with a run's model."""
        key = (run, dataset)
        if key not in self._sources:
            self._sources[key] = StoreSource(
                TorchRunner(self._cards[run]), self._stores[dataset].store
            )
        return self._sources[key]

    def _of(self, run: Run, dataset: str) -> Rows:
        key = (run, dataset)
        if key not in self._known:
            is_cross = dataset != run.dataset
            protocol = f"{dataset.replace('_', '-')}:{ALL}" if is_cross else run.protocol_name
            sides = (Split.TEST,) if is_cross else (Split.DEV, Split.TEST)
            folder = self._folder / (f"{run.name}-on-{dataset}" if is_cross else run.name)
            self._known[key] = score_sides(
                self.source(run, dataset),
                protocol,
                folder,
                lambda done, num: self._tell(f"scoring {run.name} on {dataset}", done, num),
                sides,
            )
        return self._known[key]


def compare(table: str, lines: Sequence[Line], scores: SideScores) -> list[dict[str, Any]]:
    """A table: the paper's rows in its order, ours in them, then our baselines. Ready for JSON.

    Args:
        table: One of `plan.TABLES`, or `ablation`, which the paper does not have.
        lines: Ours.
        scores: Of their runs.

    Raises:
        DataError: a store is damaged. A fold that cannot be judged is told in its line.
    """
    published = () if table == "ablation" else published_table(table)
    left = {(line.data_set, line.protocol, line.method): line for line in lines}
    content = []
    for row in published:
        line = left.pop((row.data_set, row.protocol, row.method), None)
        content.append(_row(row, None if line is None else _measured(line, scores)))
    # Baselines come after the paper's rows of their protocol.
    for (data_set, protocol, method), line in left.items():
        places = [
            at
            for at, each in enumerate(content)
            if (each["data_set"], each["protocol"]) == (data_set, protocol)
        ]
        row_of_ours: dict[str, Any] = {
            "table": table,
            "data_set": data_set,
            "protocol": protocol,
            "method": method,
            "paper": None,
            "flags": [],
            "ours": _measured(line, scores),
            "difference": None,
        }
        content.insert(places[-1] + 1 if places else len(content), row_of_ours)
    return content


def _row(row: PublishedRow, ours: dict[str, Any] | None) -> dict[str, Any]:
    printed = {"apcer": row.apcer, "bpcer": row.bpcer, "acer": row.acer}
    difference = None
    if ours is not None and ours["problem"] is None:
        found = ours["units"]["video"]["fused"]
        difference = {
            name: 100 * found[name]["mean"] - each.mean
            for name, each in printed.items()
            if each is not None
        }
    return {
        "table": row.table,
        "data_set": row.data_set,
        "protocol": row.protocol,
        "method": row.method,
        "paper": {name: each and each.text for name, each in printed.items()},
        "flags": list(flags(row)),
        "ours": ours,
        "difference": difference,
    }


def _measured(line: Line, scores: SideScores) -> dict[str, Any]:
    """A line's rates by unit and part of the network; or why there are none."""
    content: dict[str, Any] = {
        "over": line.over,
        "num": len(line.folds),
        "runs": [fold.run.name for fold in line.folds],
        "threshold_rule": RULE.name if not line.folds[0].is_cross else f"source {RULE.name}",
        "problem": None,
        "units": {},
    }
    sides = [(scores.dev(fold.run), scores.test(fold)) for fold in line.folds]
    parts = parts_of(sides[0][1])
    try:
        for unit in UNITS:
            content["units"][unit] = {
                part: _summary(sides, part, unit, line.over) for part in parts
            }
    except DataError as error:
        content |= {"problem": str(error), "units": {}}
    return content


def _summary(
    sides: Sequence[tuple[Rows, Rows]], part: Part, unit: Unit, over: str
) -> dict[str, Any]:
    """Rates over folds: mean and deviation, and all folds' presentations with their interval.

    Raises:
        DataError: a side lacks a class.
    """
    found = [_judged(dev, test, part, unit) for dev, test in sides]
    species = sorted({name for each in found for name in each.apcer_by_species})
    bpcer = _together([each.bpcer for each in found], over)
    apcer = {
        name: _together(
            [e.apcer_by_species[name] for e in found if name in e.apcer_by_species], over
        )
        for name in species
    }
    worst = [each.apcer_by_species[each.worst].rate for each in found]
    return {
        "apcer": _told(summarise_folds(worst)),
        "bpcer": _told(summarise_folds([each.bpcer.rate for each in found])),
        "acer": _told(summarise_folds([each.acer for each in found])),
        "folds": [
            {"threshold": each.threshold, "bpcer": each.bpcer.rate, "acer": each.acer,
             "apcer": {name: rate.rate for name, rate in each.apcer_by_species.items()}}
            for each in found
        ],
        "all_bpcer": bpcer.content(),
        "all_apcer": {name: each.content() for name, each in apcer.items()},
        "no_answer": sum(each.no_answer[kind][0] for each in found for kind in each.no_answer),
    }  # fmt: skip


def _judged(dev: Rows, test: Rows, part: Part, unit: Unit) -> TableRates:
    table = to_table(test, part, unit)
    threshold = find_threshold(RULE, table, to_table(dev, part, unit))
    return judge_table(table, threshold)


def _together(rates: Sequence[MeasuredRate], over: str) -> MeasuredRate:
    """Of all folds. Seeds see the same presentations again, which count once: by the mean error."""
    num_errors, num = sum(rate.num_errors for rate in rates), sum(rate.num for rate in rates)
    if over == "seeds":
        num_errors, num = round(num_errors / len(rates)), round(num / len(rates))
    return MeasuredRate.of_counts(num_errors, num)


def _told(summary: FoldSummary) -> dict[str, float | None]:
    return summary._asdict()


def _side(rows: Rows, side: Split) -> Rows:
    return tuple(row for row in rows if row.split is side)
