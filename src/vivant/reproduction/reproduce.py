"""Everything behind some tables and figures: data, runs, scores, one page."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vivant.evaluation.report import data_uri
from vivant.files import write_whole
from vivant.reproduction.data import Data, Tell, open_stores
from vivant.reproduction.figures import (
    draw_gallery,
    embed_runs,
    measure_displacement,
    plot_embeddings,
    told,
)
from vivant.reproduction.page import render
from vivant.reproduction.plan import FIGURES, Fold, lines_of, runs_of
from vivant.reproduction.results import RunScores, compare
from vivant.reproduction.runs import Run, train
from vivant.training.config import Experiment
from vivant.training.progress import Progress

__all__ = ["Order", "TrainAll", "needed_sets", "reproduce", "train_here"]

TrainAll = Callable[
    [Experiment, Sequence[Run], Mapping[str, Data], Path, Callable[[], Progress], Tell],
    dict[Run, Path],
]
"""Trains what is not trained: `train_here`, or on a cluster."""

_FIGURE4 = "figure4.png"
_WHOLE = Run("model_d", "oulu_npu", "1")
_PLAIN = Run("cnn_lstm", "oulu_npu", "1")


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for."""

    name: str
    """Of the page and its numbers: `table1`, `all`. Each target has its own."""
    targets: tuple[str, ...]
    """Tables and figures, from `plan.wanted`."""
    recipe: Experiment
    """Of the whole network: Model D."""
    given: Mapping[str, Path | None]
    """Folders or stores of the data sets; None: drawn."""
    size: str | None
    """Of what is drawn; None: nothing may be."""
    folder: Path
    """Where everything lies."""
    ablation: tuple[tuple[str, ...], ...] = ()
    """Settings of each further line of the target `ablation`."""
    with_images: bool = False
    """Whether the page may show faces."""
    is_smoke: bool = False
    """Whether the recipe learns nothing: every table says so."""
    facts: Sequence[tuple[str, str]] = field(default_factory=tuple)
    """For the page: the command."""

    @property
    def page(self) -> Path:
        """What comes out, for people."""
        return self.folder / f"{self.name}.html"


def needed_sets(order: Order) -> dict[str, Path | None]:
    """The data sets that runs are trained or tested on."""
    names = {run.dataset for run in runs_of(order.targets, order.ablation)}
    if "table4" in order.targets:
        names |= {"oulu_npu", "siw"}
    return {name: order.given[name] for name in sorted(names)}


def reproduce(
    order: Order,
    progress: Callable[[], Progress],
    tell: Tell,
    train_all: TrainAll | None = None,
) -> dict[str, Any]:
    """Do what is missing, and write the page. Stopped at any moment, it goes on where it was.

    Args:
        order: What is asked for.
        progress: Makes what a training tells of itself.
        tell: Is told of everything else: what, how many are done, of how many.
        train_all: How runs are trained; None: one after the other, here.

    Returns:
        What its JSON holds: tables by name, figures by name, notices.

    Raises:
        DataError: a data set is missing, or not what it should be.
        ConfigError: the recipe has no such variants, or nobody has chosen its pretrained weights.
        TrainingError: a loss is not a number, or a folder has another run.
        OutputError: no room.
    """
    runs = runs_of(order.targets, order.ablation)
    for run in runs:
        run.experiment(order.recipe)  # What cannot be is told before hours of work.
    stores = open_stores(needed_sets(order), order.folder, order.size, tell)
    trained = (train_all or train_here)(
        order.recipe, runs, stores, order.folder / "runs", progress, tell
    )
    scores = RunScores(stores, trained, order.folder / "scores", tell)
    tables = {
        name: compare(name, lines_of(name, order.ablation), scores)
        for name in order.targets
        if name not in FIGURES
    }
    figures = _figures(order, scores)
    notices, stamp = _notices(order, stores)
    content = {
        "notices": notices,
        "facts": dict(order.facts),
        "tables": tables,
        "figures": {name: figures[name] for name in ("figure1", "looks") if name in figures},
    }
    write_whole(
        order.folder / f"{order.name}.json", json.dumps(content, indent=2, allow_nan=False) + "\n"
    )
    page = render(order.facts, notices, stamp, tables, figures)
    write_whole(order.page, page)
    return content


def train_here(
    recipe: Experiment,
    runs: Sequence[Run],
    stores: Mapping[str, Data],
    folder: Path,
    progress: Callable[[], Progress],
    tell: Tell,
) -> dict[Run, Path]:
    """Train what is not trained, one run after the other, in this process.

    Args:
        recipe: Of the whole network.
        runs: Which.
        stores: Of their data sets.
        folder: Of all runs.
        progress: Makes what a training tells of itself.
        tell: Is told which is trained.

    Returns:
        Each run's card.

    Raises:
        TrainingError: a loss is not a number, or a folder has another run.
        DataError: a store is damaged.
        OutputError: no room.
    """
    cards: dict[Run, Path] = {}
    for number, run in enumerate(runs):
        tell(f"training {run.name}", number, len(runs))
        data = stores[run.dataset]
        cards[run] = train(run, recipe, data.store, data.fingerprint, folder, runs, progress)
    return cards


def _figures(order: Order, scores: RunScores) -> dict[str, Any]:
    found: dict[str, Any] = {"with_images": order.with_images}
    whole = Fold(_WHOLE, "oulu_npu", "1")
    if "figure1" in order.targets:
        found["figure1"] = measure_displacement(scores.test(whole))
    if "figure4" in order.targets:
        looks = embed_runs(scores.test(whole), scores.test(Fold(_PLAIN, "oulu_npu", "1")))
        picture = plot_embeddings(looks)
        write_whole(order.folder / _FIGURE4, picture)
        found |= {"looks": [told(look) for look in looks], "figure4_png": data_uri(picture)}
    if "figure5" in order.targets:
        source = scores.source(_WHOLE, "oulu_npu")
        drawn = draw_gallery(source, scores.test(whole), with_images=order.with_images)
        found["gallery"] = [(caption, data_uri(picture)) for caption, picture in drawn]
    return found


def _notices(order: Order, stores: Mapping[str, Data]) -> tuple[list[str], str]:
    """What nobody may overlook, and the word beside each heading."""
    notices, stamps = [], []
    if any(data.is_synthetic for data in stores.values()):
        stamps.append("SYNTHETIC")
        notices.append(
            "SYNTHETIC: people, rooms and attacks are drawn by a program. Differences from the "
            "paper's numbers mean nothing: it used recorded ones."
        )
    if order.is_smoke:
        stamps.append("SMOKE: plumbing only")
        notices.append("SMOKE, plumbing only: the networks have learned nothing.")
    return notices, ", ".join(stamps)
