"""Figures 1, 4 and 5: where patches go, and what the features look like."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib.figure import Figure

from vivant.errors import DataError, InputError
from vivant.evaluation.embedding import Embedding, embed
from vivant.evaluation.scored import ScoredClip, ScoredPresentation
from vivant.evaluation.scoring import StoreSource
from vivant.metrics.intervals import mean_bootstrap
from vivant.records import Label
from vivant.session.explain import draw_patches

__all__ = ["Look", "draw_gallery", "embed_runs", "measure_displacement", "plot_embeddings"]

_LIVE, _ATTACK = "#c00000", "#0050b0"  # Red and blue, as in the paper's Figure 4.
_NUM_BONA_FIDE, _NUM_ATTACKS = 4, 8  # Of Figure 5.

Rows = Sequence[ScoredPresentation]
Look = tuple[str, Embedding, Bool[np.ndarray, " n"]]
"""Title, points and numbers, and which of them are attacks."""


def measure_displacement(rows: Rows) -> dict[str, Any]:
    """How far the offsets move patches from their cells.

    Figure 1's claim as a number: "spoof activities cause a large displacement".

    Args:
        rows: Scored by a network with both modules.

    Returns:
        By `bona fide`, `attack` and PAI species: the mean in pixels of a crop of 224, its interval
        over subjects (None where they are not known) and how many clips; and by `difference`
        bona fide less attack.

    Raises:
        DataError: no clip of a class.
    """
    groups: dict[str, list[tuple[float, str | None]]] = {}
    for row in rows:
        shown = row.presentation
        kinds = ["bona fide"] if shown.pai_species is None else ["attack", shown.pai_species]
        for clip in row.clips:
            if clip.displacement_px is not None:
                for kind in kinds:
                    groups.setdefault(kind, []).append((clip.displacement_px, shown.subject))
    if not {"bona fide", "attack"} <= groups.keys():
        raise DataError("expected clips of bona fide and of attacks, to measure displacements of")
    content: dict[str, Any] = {
        kind: {
            "mean_px": float(np.mean([value for value, _ in found])),
            "interval_95": _interval([v for v, _ in found], [s for _, s in found]),
            "clips": len(found),
        }
        for kind, found in groups.items()
    }
    content["difference"] = {
        "mean_px": content["bona fide"]["mean_px"] - content["attack"]["mean_px"],
        "interval_95": _difference(groups["bona fide"], groups["attack"]),
    }
    return content


def draw_gallery(
    source: StoreSource, rows: Rows, *, with_images: bool
) -> list[tuple[str, UInt8[np.ndarray, "224 224 3"]]]:
    """Four bona fide clips and eight attacks, with the cells (white) and the patches (orange).

    Args:
        source: Scores them again.
        rows: To choose from: as different people as there are, species in turn.
        with_images: Whether faces are shown; else boxes alone.

    Returns:
        Captions and pictures.

    Raises:
        DataError: the data are damaged.
    """
    usable = [row for row in rows if row.clips]
    bona_fide = [row for row in usable if row.presentation.label is Label.BONA_FIDE]
    species = sorted({r.presentation.pai_species for r in usable if r.presentation.pai_species})
    chosen = _spread(bona_fide, _NUM_BONA_FIDE)
    for name in species:
        of = [row for row in usable if row.presentation.pai_species == name]
        chosen += _spread(of, max(_NUM_ATTACKS // len(species), 1))
    found = []
    seen = source.look([row.presentation for row in chosen])
    for row, (windows, _) in zip(chosen, seen, strict=True):
        window = windows[len(windows) // 2]
        caption = f"{row.presentation.pai_species or 'bona fide'}, {window.displacement_px:.1f} px"
        found.append((caption, draw_patches(window, is_blank=not with_images)))
    return found


def embed_runs(whole: Rows, plain: Rows) -> list[Look]:
    """Figure 4: h_N of the CNN-LSTM, z and e of Model D, of the clips of the test side.

    Args:
        whole: Scored by Model D.
        plain: The same presentations, scored by the CNN-LSTM.

    Raises:
        DataError: too few clips.
    """
    features = (
        ("CNN-LSTM: h", plain, "advisor_embedding"),
        ("Model D: z", whole, "fused_feature"),
        ("Model D: e", whole, "aam_embedding"),
    )
    looks = []
    for title, rows, name in features:
        clips = [(row, clip) for row in rows for clip in row.clips]
        values = np.stack([_feature(clip, name) for _, clip in clips]).astype(np.float64)
        is_attack = np.array([row.presentation.label is Label.ATTACK for row, _ in clips])
        subjects = [row.presentation.subject for row, _ in clips]
        looks.append((title, embed(values, is_attack, subjects), is_attack))
    return looks


def plot_embeddings(looks: Sequence[Look]) -> bytes:
    """Figure 4 as PNG: red for bona fide, blue for attacks."""
    with mpl.rc_context({"font.size": 9}):
        figure = Figure(figsize=(4.4 * len(looks), 4.6), layout="constrained")
        for number, (title, found, is_attack) in enumerate(looks, start=1):
            axes: Any = figure.add_subplot(1, len(looks), number, projection="3d")
            for name, colour, which in (
                ("bona fide", _LIVE, ~is_attack),
                ("attack", _ATTACK, is_attack),
            ):
                x, y, z = found.points[which].T
                axes.scatter(x, y, z, s=7, color=colour, label=name, depthshade=True)
            axes.set_title(
                f"{title}\nsilhouette {found.silhouette:.2f}, probe AUC {found.probe_auc:.3f}"
            )
            for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
                axis.set_ticklabels([])
        axes.legend(loc="upper right")
        file = io.BytesIO()
        tight: Any = {"bbox_inches": "tight", "pad_inches": 0.2}
        figure.savefig(file, format="png", dpi=110, metadata={"Software": None}, **tight)
    return file.getvalue()


def told(look: Look) -> Mapping[str, Any]:
    """For the page that turns it: points within -1..1."""
    title, found, is_attack = look
    centred = found.points - found.points.mean(0)
    scale = float(np.abs(centred).max()) or 1.0
    return {
        "title": title,
        "silhouette": found.silhouette,
        "probe_auc": found.probe_auc,
        "probe": found.probe,
        "clips": len(is_attack),
        "points": [
            [*(round(float(value), 3) for value in point / scale), int(attack)]
            for point, attack in zip(centred, is_attack, strict=True)
        ],
    }


def _feature(clip: ScoredClip, name: str) -> Float[np.ndarray, " d"]:
    value: np.ndarray | None = getattr(clip, name)
    assert value is not None  # Model D has both modules.
    return value


def _spread(rows: Rows, num: int) -> list[ScoredPresentation]:
    """One of each subject before the second of one."""
    of: dict[str | None, list[ScoredPresentation]] = {}
    for row in rows:
        of.setdefault(row.presentation.subject, []).append(row)
    rounds = max((len(found) for found in of.values()), default=0)
    ordered = [found[at] for at in range(rounds) for found in of.values() if at < len(found)]
    return ordered[:num]


def _interval(values: Sequence[float], subjects: Sequence[str | None]) -> list[float] | None:
    if None in subjects:
        return None
    try:
        return list(mean_bootstrap(np.array(values), subjects))
    except InputError:  # One subject.
        return None


def _difference(
    bona_fide: Sequence[tuple[float, str | None]], attacks: Sequence[tuple[float, str | None]]
) -> list[float] | None:
    """Of two means over the same draws of subjects, who have clips of both."""
    sums: dict[str, list[float]] = {}
    for column, found in enumerate((bona_fide, attacks)):
        for value, subject in found:
            if subject is None:
                return None
            of = sums.setdefault(subject, [0.0, 0.0, 0.0, 0.0])
            of[2 * column] += value
            of[2 * column + 1] += 1
    table = np.array([of for of in sums.values() if of[1] and of[3]])
    if len(table) < 2:
        return None
    drawn = table[np.random.default_rng(0).integers(len(table), size=(2000, len(table)))].sum(1)
    differences = drawn[:, 0] / drawn[:, 1] - drawn[:, 2] / drawn[:, 3]
    return [float(end) for end in np.percentile(differences, [2.5, 97.5])]
