"""All tables and figures on one page, and as lines for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from vivant.evaluation.report import environment

__all__ = ["render", "table_lines"]

_TITLES = {
    "table1": "Table 1: ablation on OULU-NPU, protocol 1",
    "table2": "Table 2: SiW",
    "table3": "Table 3: OULU-NPU",
    "table4": "Table 4: trained on one set, tested on the other",
    "ablation": "Ablation beyond the paper: Model D on OULU-NPU, protocol 1",
}
_CAPTIONS = {
    "table1": "A: no channel attention. B: the Advisor alone. C: no depth. D: all of it. Three "
    "seeds each; the paper has one number.",
    "table2": "Protocol 1: 60 frames of each training video; 2: one replay medium left out; 3: PAI "
    "species that training has not seen.",
    "table3": "Protocol 1: another room; 2: other instruments; 3: another phone; 4: all of these.",
    "table4": "The set in the first column is tested on; the threshold comes from the dev side of "
    "the other, which was trained on.",
    "ablation": "Three seeds each.",
}


def render(
    facts: Sequence[tuple[str, str]],
    notices: Sequence[str],
    stamp: str,
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    figures: Mapping[str, Any],
) -> str:
    """The page as HTML; it opens without a network.

    Args:
        facts: Names and values: recipe, data, the command.
        notices: What nobody may overlook.
        stamp: Beside each heading: SYNTHETIC, SMOKE; or nothing.
        tables: Rows of `results.compare`, by name.
        figures: `figure1`, `looks`, `figure4_png`, `gallery`, `with_images`, as far as they are
            there.
    """
    whole = environment()
    own = jinja2.PackageLoader("vivant.reproduction")
    assert whole.loader is not None
    whole.loader = jinja2.ChoiceLoader([own, whole.loader])
    shown = [
        {
            "title": _TITLES[name],
            "caption": _CAPTIONS[name],
            "rows": rows,
            "flags": [
                f"protocol {row['protocol']}, {row['method']}: {line}"
                for row in rows
                for line in row["flags"]
            ],
        }
        for name, rows in tables.items()
    ]
    nothing: dict[str, Any] = {
        "figure1": None,
        "looks": [],
        "figure4_png": None,
        "gallery": [],
        "with_images": False,
    }
    return whole.get_template("reproduction.html").render(
        title="Attended-Auxiliary Supervision for Face Anti-spoofing: reproduction",
        facts=facts,
        notices=notices,
        stamp=stamp,
        tables=shown,
        **(nothing | dict(figures)),
    )


def table_lines(name: str, rows: Sequence[Mapping[str, Any]]) -> tuple[str, list[list[str]]]:
    """A table for a terminal: its title, and cells: set, method, paper, ours, difference, n.

    Args:
        name: Of the table.
        rows: Of `results.compare`.
    """
    return _TITLES[name], [_cells(row) for row in rows]


def _cells(row: Mapping[str, Any]) -> list[str]:
    paper, ours = row["paper"], row["ours"]
    printed = (
        "" if paper is None else " / ".join(paper[k] or "-" for k in ("apcer", "bpcer", "acer"))
    )
    method = row["method"] + (" †" if row["flags"] else "")
    place = f"{row['data_set']} {row['protocol']}"
    if ours is None:
        return [place, method, printed, "", "", "", "", ""]
    if ours["problem"] is not None:
        return [place, method, printed, f"no result: {ours['problem']}", "", "", "", ""]
    video, clip = ours["units"]["video"]["fused"], ours["units"]["clip"]["fused"]
    over = ours["over"]
    worst = max(video["all_apcer"], key=lambda kind: float(video["all_apcer"][kind]["rate"]))
    attacks, bona_fide = video["all_apcer"][worst], video["all_bpcer"]
    difference = row["difference"]
    return [
        place,
        method,
        printed,
        " / ".join(_summary(video[kind], over) for kind in ("apcer", "bpcer", "acer")),
        "" if difference is None else f"{difference['acer']:+.2f}",
        _summary(clip["acer"], over),
        f"{ours['num']} {'result' if over == 'one' else over}, {bona_fide['n']} + {attacks['n']}",
        f"BPCER {_interval(bona_fide)}; APCER {worst} {_interval(attacks)}",
    ]


def _summary(found: Mapping[str, float], over: str) -> str:
    mean = f"{100 * found['mean']:.2f}"
    return mean if over == "one" else f"{mean} ± {100 * found['std_population']:.2f}"


def _interval(found: Mapping[str, Any]) -> str:
    low, high = found["wilson_95"]
    return f"{100 * low:.1f} to {100 * high:.1f}"
