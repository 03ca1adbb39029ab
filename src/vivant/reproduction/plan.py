"""Which runs stand behind each table and figure, and which of their scores a line is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vivant.errors import UnknownNameError
from vivant.reproduction.runs import Run

__all__ = ["FIGURES", "TABLES", "TARGETS", "Line", "lines_of", "runs_of", "wanted"]

TABLES = ("table1", "table2", "table3", "table4")
FIGURES = ("figure1", "figure4", "figure5")
TARGETS = (*TABLES, *FIGURES, "ablation", "all")

NUM_SEEDS = 3
"""Of each line of Table 1 and of an ablation: one training shows no order (specification 5)."""
_FOLDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "oulu_npu": {
        "1": ("1",),
        "2": ("2",),
        "3": tuple(f"3_{fold}" for fold in range(1, 7)),
        "4": tuple(f"4_{fold}" for fold in range(1, 7)),
    },
    "siw": {"1": ("1",), "2": tuple(f"2_{fold}" for fold in range(1, 5)), "3": ("3_1", "3_2")},
}
_DATA_SETS = {"oulu_npu": "OULU-NPU", "siw": "SiW"}
_OURS = "Ours"
_BASELINES = {"cnn_lstm": "CNN-LSTM (ours)", "stasn": "STASN-style (ours)"}
_MODELS = {f"model_{letter}": f"Model {letter.upper()}" for letter in "abcd"}
_WHOLE = Run("model_d", "oulu_npu", "1")
_CNN_LSTM = Run("cnn_lstm", "oulu_npu", "1")


@dataclass(frozen=True, slots=True)
class Fold:
    """One result: a run, tested on a fold."""

    run: Run
    dataset: str
    """It is tested on: the run's own, or the other one."""
    protocol: str
    """Whose test side it is tested on."""

    @property
    def is_cross(self) -> bool:
        """Whether the run has seen nothing of the data set."""
        return self.dataset != self.run.dataset


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table: one number over some folds or seeds."""

    table: str
    data_set: str
    """As the paper writes it."""
    protocol: str
    method: str
    """As the paper writes it, or one of our baselines."""
    folds: tuple[Fold, ...]
    over: str
    """What mean and deviation are over: `seeds` or `folds`; `one` where there is one result."""


def wanted(target: str) -> tuple[str, ...]:
    """The tables and figures behind a word of the command.

    Raises:
        UnknownNameError: there is none.
    """
    if target not in TARGETS:
        raise UnknownNameError("table or figure", target, TARGETS)
    return (*TABLES, *FIGURES) if target == "all" else (target,)


def lines_of(table: str, ablation: Sequence[tuple[str, ...]] = ()) -> tuple[Line, ...]:
    """The lines of ours in a table.

    Args:
        table: One of `TABLES`, or `ablation`.
        ablation: Of that one alone: the settings of each line; none: Model D as it is.
    """
    if table == "table1":
        return tuple(_seeds("table1", variant, method, ()) for variant, method in _MODELS.items())
    if table == "ablation":
        return tuple(
            _seeds("ablation", "model_d", ", ".join(settings) or "Model D", settings)
            for settings in ((), *ablation)
        )
    if table == "table4":
        return (*_cross("oulu_npu", "siw"), *_cross("siw", "oulu_npu"))
    return _whole_set(table, "siw" if table == "table2" else "oulu_npu")


def runs_of(targets: Sequence[str], ablation: Sequence[tuple[str, ...]] = ()) -> tuple[Run, ...]:
    """All trainings of some tables and figures, each once.

    Args:
        targets: From `wanted`.
        ablation: As for `lines_of`.
    """
    found: dict[Run, None] = {}
    for target in targets:
        if target in FIGURES:
            runs = [_WHOLE] if target != "figure4" else [_WHOLE, _CNN_LSTM]
        else:
            runs = [fold.run for line in lines_of(target, ablation) for fold in line.folds]
        found |= dict.fromkeys(runs)
    return tuple(found)


def _seeds(table: str, variant: str, method: str, settings: tuple[str, ...]) -> Line:
    runs = [Run(variant, "oulu_npu", "1", seed, settings) for seed in range(NUM_SEEDS)]
    folds = tuple(Fold(run, "oulu_npu", "1") for run in runs)
    return Line(table, _DATA_SETS["oulu_npu"], "1", method, folds, "seeds")


def _whole_set(table: str, dataset: str) -> tuple[Line, ...]:
    lines = []
    for protocol, folds in _FOLDS[dataset].items():
        methods = {"model_d": _OURS, **(_BASELINES if protocol == "1" else {})}
        for variant, method in methods.items():
            results = tuple(Fold(Run(variant, dataset, fold), dataset, fold) for fold in folds)
            lines.append(_line(table, dataset, protocol, method, results))
    return tuple(lines)


def _cross(source: str, target: str) -> tuple[Line, ...]:
    """One model a source, whatever the target's fold (decision D39)."""
    run = Run("model_d", source, "all")
    return tuple(
        _line("table4", target, protocol, _OURS, tuple(Fold(run, target, f) for f in folds))
        for protocol, folds in _FOLDS[target].items()
    )


def _line(table: str, dataset: str, protocol: str, method: str, folds: tuple[Fold, ...]) -> Line:
    over = "folds" if len(folds) > 1 else "one"
    return Line(table, _DATA_SETS[dataset], protocol, method, folds, over)
