"""Curves and histograms of scores as SVG that stands in a page by itself, without a network."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vivant.metrics.curves import det_points, probit

__all__ = ["ATTACK", "BONA_FIDE", "det_svg", "histogram_svg", "to_svg"]

BONA_FIDE, ATTACK = "#0072b2", "#d55e00"  # Of Okabe and Ito: told apart by all eyes.
_COLOURS = ("#222222", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_DASHES = ("-", "--", ":", "-.")
_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9)
_STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e0",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}

Scores = tuple[Float[np.ndarray, " n"], Mapping[str, Float[np.ndarray, " _"]]]
"""Of bona fide, and of each PAI species; higher is bona fide."""


def det_svg(curves: Mapping[str, Scores], points: Sequence[tuple[float, float]] = ()) -> str:
    """Detection error trade-off: BPCER over APCER of the worst PAI species, on probit axes.

    Rates that no presentation can show (of n, less than one half) lie on the axes' ends.

    Args:
        curves: Scores by the name in the legend.
        points: (APCER, BPCER) at the threshold of each curve, in their order, marked.
    """
    smallest = min(
        0.5 / max(len(bona_fide), *(len(of) for of in attacks.values()))
        for bona_fide, attacks in curves.values()
    )
    low = max(min(smallest, 0.02), 0.0005)
    largest = 0.5
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.6, 4.2), layout="constrained")
        axes = figure.add_subplot()
        for number, (name, (bona_fide, attacks)) in enumerate(curves.items()):
            apcer, bpcer = det_points(bona_fide, attacks)
            order = np.argsort(apcer, kind="stable")
            apcer, bpcer = apcer[order], bpcer[order]
            # A curve that ends at (1, 0) is shown as far as either error is of interest.
            largest = max(largest, *(min(a, b) for a, b in zip(apcer, bpcer, strict=True)))
            colour = _COLOURS[number % len(_COLOURS)]
            dash = _DASHES[number % len(_DASHES)]
            axes.step(
                _places(apcer, low), _places(bpcer, low), dash,
                color=colour, where="post", label=name, linewidth=1.6,
            )  # fmt: skip
            if number < len(points):
                x, y = (_places(np.array([rate]), low) for rate in points[number])
                axes.plot(x, y, "o", color=colour, markersize=6, clip_on=False, zorder=5)
        high = min(largest * 1.2, 0.95)
        ticks = [tick for tick in _TICKS if low <= tick <= high]
        names = [f"{100 * tick:g}" for tick in ticks]
        places = [probit(tick) for tick in ticks]
        axes.set_xticks(places, names)
        axes.set_yticks(places, names)
        axes.set_xlim(probit(low), probit(high))
        axes.set_ylim(probit(low), probit(high))
        axes.set_xlabel("APCER of the worst PAI species, %")
        axes.set_ylabel("BPCER, %")
        axes.legend(fontsize=8)
        return to_svg(figure)


def histogram_svg(scores: Scores, threshold: float | None) -> str:
    """How many presentations have which score, by class, with the threshold.

    Args:
        scores: Of one side.
        threshold: Accepted from it on; None: nothing is.
    """
    bona_fide, attacks = scores
    every = np.concatenate([bona_fide, *attacks.values()])
    low, high = min(float(every.min()), 0.0), max(float(every.max()), 1.0)
    bins = np.linspace(low, high, 41)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(5.4, 1.1 + 0.9 * (1 + len(attacks))), layout="constrained")
        kinds = {"bona fide": bona_fide, **attacks}
        rows = figure.subplots(len(kinds), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (name, values) in zip(rows, kinds.items(), strict=True):
            colour = BONA_FIDE if name == "bona fide" else ATTACK
            axes.hist(values, bins=bins.tolist(), color=colour)
            axes.set_ylabel("how many", fontsize=8)
            axes.set_title(f"{name}, n = {len(values):,}", loc="left", fontsize=9)
            _mark_threshold(axes, threshold)
        rows[-1].set_xlabel("score, higher is bona fide; line: threshold")
        return to_svg(figure)


def to_svg(figure: Figure) -> str:
    """A figure as an `<svg>` element: the same bytes for the same figure."""
    file = io.StringIO()
    salt = {"svg.hashsalt": hashlib.sha256(repr(figure.get_size_inches()).encode()).hexdigest()}
    with mpl.rc_context(_STYLE | salt):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    return text[text.index("<svg") :]


def _mark_threshold(axes: Axes, threshold: float | None) -> None:
    if threshold is not None:
        axes.axvline(threshold, color="#222222", linewidth=1.2, linestyle="--")


def _places(rates: Float[np.ndarray, " m"], low: float) -> list[float]:
    return [probit(float(min(max(rate, low), 1 - low))) for rate in rates]
