"""The cue check of rendered views: does something trivial tell a recapture from a bona fide view?

Attacks that are computed give themselves away by whatever their making leaves behind: a border, a
coding, a size. Views are rendered as training renders them, and each statistic of
`vivant.evaluation.cues` tries to tell them apart, alone and together with the others. What a
medium has of itself (tone, colour, blur) may tell; border, coding and size may not.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from jaxtyping import Bool, Float, UInt8

from vivant.attacks.filming import film
from vivant.attacks.recapturing import Medium, recapture
from vivant.errors import DataError
from vivant.evaluation.cues import STATISTICS, fit_regression, statistics
from vivant.geometry.crop import CROP_SCALE, crop_box, cut
from vivant.geometry.grid import CROP_SIDE_PX
from vivant.metrics.thresholds import eer_threshold
from vivant.preparation.clips import ClipStore, RawClip
from vivant.records import Label, Presentation

__all__ = ["MEDIA", "View", "ViewReport", "check_views", "render_views"]

MEDIA: tuple[Medium, ...] = get_args(Medium)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One bona fide picture, rendered once bona fide and once on each medium."""

    subject: str
    bona_fide: Float[np.ndarray, " statistics"]
    """`STATISTICS` of the crop, filmed."""
    recaptured: Mapping[Medium, Float[np.ndarray, " statistics"]]
    """The same of the crop that was shown on a medium first."""


@dataclass(frozen=True, slots=True)
class ViewReport:
    """How well trivial cues tell recaptures from bona fide views, by medium.

    Rates are D-EER, 0..1: fitted on half of the subjects, measured on the others, mean of both
    ways round.
    """

    num_views: int
    """Of each kind."""
    num_subjects: int
    together: Mapping[Medium, float]
    """Of a logistic regression on all statistics."""
    alone: Mapping[str, Mapping[Medium, float]]
    """Of each statistic; the fit only says whether attacks are high or low. Lowest rate first."""


def render_views(store: ClipStore, num_views: int, seed: int = 0) -> Iterator[View]:
    """Render bona fide pictures of a store, and recaptures of them.

    Sets (the column `set`, where there is one) come in turn, then subjects, then their pictures,
    so that a set with many pictures weighs no more than others.

    Args:
        store: With clips of one frame.
        num_views: How many pictures; each gives one view of each kind.
        seed: Of all that is drawn.

    Raises:
        DataError: there are fewer than two subjects with a bona fide picture.
    """
    rows = [row for row in store.presentations if row.label is Label.BONA_FIDE]
    rows = [row for row in rows if store.windows(row.path, row.max_frames)]
    num_subjects = len({_subject(row) for row in rows})
    if num_subjects < 2:
        raise DataError(
            f"expected bona fide pictures of at least 2 subjects, found {num_subjects}: views of "
            "some subjects are fitted, those of others are measured"
        )
    order = np.random.default_rng(seed)
    chosen = [row for row, _ in zip(_in_turn(rows, order), range(num_views), strict=False)]
    for number, row in enumerate(chosen):
        clip = _clip(store, row, order)
        other = _clip(store, rows[int(order.integers(len(rows)))], order).pixels()[0]
        recaptured = {
            medium: statistics(
                _crop(clip, np.random.default_rng((seed, number, at)), medium, other)
            )
            for at, medium in enumerate(MEDIA, start=1)
        }
        bona_fide = statistics(_crop(clip, np.random.default_rng((seed, number, 0))))
        yield View(_subject(row), bona_fide, recaptured)


def check_views(views: Sequence[View]) -> ViewReport:
    """Tell recaptures from bona fide views by trivial cues.

    Args:
        views: From `render_views`.

    Raises:
        DataError: they are of fewer than two subjects.
    """
    subjects = sorted({view.subject for view in views})
    if len(subjects) < 2:
        raise DataError(f"expected views of at least 2 subjects, got {len(subjects)}")
    shuffled = np.random.default_rng(0).permutation(len(subjects)).tolist()
    first = {subjects[at] for at in shuffled[::2]}
    is_first = np.array([view.subject in first for view in views])
    bona_fide = np.stack([view.bona_fide for view in views])
    attacks = {medium: np.stack([view.recaptured[medium] for view in views]) for medium in MEDIA}

    def by_medium(columns: Sequence[int]) -> dict[Medium, float]:
        return {
            medium: float(
                np.mean(
                    [
                        _eer(bona_fide[:, columns], attack[:, columns], is_fit)
                        for is_fit in (is_first, ~is_first)
                    ]
                )
            )
            for medium, attack in attacks.items()
        }

    alone = {name: by_medium([at]) for at, name in enumerate(STATISTICS)}
    return ViewReport(
        len(views),
        len(subjects),
        by_medium(range(len(STATISTICS))),
        dict(sorted(alone.items(), key=lambda each: min(each[1].values()))),
    )


def _eer(
    bona_fide: Float[np.ndarray, "views columns"],
    attack: Float[np.ndarray, "views columns"],
    is_fit: Bool[np.ndarray, " views"],
) -> float:
    """D-EER on the views that were not fitted."""
    if bona_fide.shape[1] == 1:
        # A regression would follow the means, and those a few outliers.
        ways = [(sign * bona_fide[:, 0], sign * attack[:, 0]) for sign in (1, -1)]
        scores = min(ways, key=lambda way: _rate(way[0][is_fit], way[1][is_fit]))
    else:
        features = np.concatenate([bona_fide[is_fit], attack[is_fit]])
        model = fit_regression(
            features, [True] * int(is_fit.sum()) + [False] * int(is_fit.sum()), 1.0
        )
        scores = model.decision_function(bona_fide), model.decision_function(attack)
    return _rate(scores[0][~is_fit], scores[1][~is_fit])


def _rate(bona_fide: Float[np.ndarray, " _"], attack: Float[np.ndarray, " _"]) -> float:
    _, rate = eer_threshold(bona_fide, {"attack": attack})
    return rate


def _crop(
    clip: RawClip,
    generator: np.random.Generator,
    medium: Medium | None = None,
    background: UInt8[np.ndarray, "other_height other_width 3"] | None = None,
) -> UInt8[np.ndarray, "side side 3"]:
    """The crop of a stored picture as a network sees it: recaptured or not, then filmed."""
    frames, face = clip.pixels()[0][None], clip.face_in_square(0)
    if medium is not None:
        assert background is not None
        frames = recapture(frames, face, background, medium, generator)
    frames = film(frames, face, generator)
    _, height, width, _ = frames.shape
    return cut(frames[0], crop_box(face, width, height, CROP_SCALE), CROP_SIDE_PX)


def _clip(store: ClipStore, row: Presentation, generator: np.random.Generator) -> RawClip:
    """Any clip of a presentation."""
    windows = store.windows(row.path, row.max_frames)
    (clip,) = store.read([windows[int(generator.integers(len(windows)))]])
    return clip


def _in_turn(
    rows: Iterable[Presentation], generator: np.random.Generator
) -> Iterator[Presentation]:
    """Presentations without end: each set in turn, in it each subject, of it any."""
    by_set: dict[str, dict[str, list[Presentation]]] = {}
    for row in rows:
        of_set = by_set.setdefault(row.columns.get("set", ""), {})
        of_set.setdefault(_subject(row), []).append(row)
    turn = 0
    while True:
        for subjects in by_set.values():
            of_subject = [*subjects.values()][turn % len(subjects)]
            yield of_subject[int(generator.integers(len(of_subject)))]
        turn += 1


def _subject(row: Presentation) -> str:
    return row.subject or row.path
