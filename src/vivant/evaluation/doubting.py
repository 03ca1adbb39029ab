"""Fits the limits of OUT_OF_DISTRIBUTION and WINDOWS_DISAGREE on dev, and what they cost (D42).

A limit is the smallest that turns no more than a given share of dev's bona fide presentations into
no decision. Attacks are not looked at to set it: those that come may be of no known kind. They are
counted afterwards.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from sklearn.covariance import LedoitWolf

from vivant.evaluation.calibrating import Answered, Folds
from vivant.evaluation.scored import ScoredPresentation
from vivant.metrics.intervals import Interval, subject_bootstrap, wilson
from vivant.session.doubts import (
    CountedShare,
    LimitCost,
    OutOfDistribution,
    WindowsDisagree,
    mean_distance,
)

__all__ = [
    "NotFitted",
    "Shape",
    "Sides",
    "fit_disagreement",
    "fit_distance",
    "fit_shape",
    "limit_for",
    "share_of",
]

FEWEST = 10
"""Bona fide presentations of dev: with fewer there is no limit, nor is one guessed."""

Embedding = Literal["fused_feature", "advisor_embedding"]


class NotFitted(NamedTuple):
    """There is no limit."""

    why: str


class Shape(NamedTuple):
    """Where the embeddings of bona fide clips lie."""

    mean: Float[np.ndarray, " d"]
    whitening: Float[np.ndarray, "d d"]
    """W, lower triangular: W^T W is the inverse of the covariance."""


class Sides(NamedTuple):
    """What limits are fitted on, and what they are measured on besides."""

    dev: Answered
    is_accepted: Bool[np.ndarray, " n"]
    """By the operating point."""
    folds: Folds
    test: tuple[Answered, Bool[np.ndarray, " m"]] | None
    """The test side and what of it is accepted; None: there is none."""


def share_of(
    is_found: Bool[np.ndarray, " n"], among: Bool[np.ndarray, " n"], side: Answered
) -> CountedShare:
    """A share of some of a side's presentations, with its intervals.

    Args:
        is_found: Of each presentation of the side.
        among: Which of them count; at least one.
        side: Theirs.
    """
    found = is_found[among]
    count, num = int(found.sum()), len(found)
    by_subject = None
    if side.subjects is not None and 0 < count < num:
        subjects = [side.subjects[at] for at in np.flatnonzero(among)]
        if len(set(subjects)) > 1:
            by_subject = subject_bootstrap(found, subjects)
    return CountedShare(
        share=count / num,
        count=count,
        num=num,
        wilson_95=_ends(wilson(count, num)),
        subject_bootstrap_95=None if by_subject is None else _ends(by_subject),
    )


def limit_for(values: Float[np.ndarray, " n"], max_cost: float) -> float:
    """The smallest limit that no more than a share of values exceeds.

    Args:
        values: Of bona fide presentations.
        max_cost: 0..1, below 1.

    >>> limit_for(np.array([1.0, 4.0, 2.0, 3.0]), 0.25)
    3.0
    """
    num_above = int(np.floor(max_cost * len(values) + 1e-9))  # 0.07 * 100 is 7, and a little more.
    return float(np.sort(values)[::-1][num_above])


def fit_shape(embeddings: Float[np.ndarray, "n d"]) -> Shape | NotFitted:
    """Mean and covariance of clips, the covariance shrunk by Ledoit and Wolf's rule (2004).

    Without it there would be none where an embedding has more numbers than there are clips.

    Args:
        embeddings: Of bona fide clips.
    """
    found = LedoitWolf().fit(embeddings)
    try:
        lower = np.linalg.cholesky(found.covariance_)
        whitening = np.linalg.inv(lower)
    except np.linalg.LinAlgError:
        return NotFitted("the embeddings of bona fide clips do not differ")
    return Shape(found.location_, np.tril(whitening))


def fit_distance(sides: Sides, max_cost: float) -> OutOfDistribution | NotFitted:
    """The limit of the distance to bona fide, by distances to what each fold's others gave.

    The mean and covariance that are kept are those of all of dev.

    Args:
        sides: Development, and test where there is one.
        max_cost: Share of dev's bona fide that may be further away; 0..1, below 1.
    """
    dev, folds = sides.dev, sides.folds
    name = _embedding(dev.rows)
    if isinstance(name, NotFitted):
        return name
    few = _too_few(dev)
    if few is not None:
        return few
    distances = np.zeros(len(dev.rows))
    for number in range(folds.num):
        shape = _shape_of(dev, folds.of != number, name)
        if isinstance(shape, NotFitted):
            return shape
        for at in np.flatnonzero(folds.of == number):
            distances[at] = mean_distance(_clips(dev.rows[at], name), *shape)
    shape = _shape_of(dev, np.ones(len(dev.rows), np.bool_), name)
    if isinstance(shape, NotFitted):
        return shape
    limit = limit_for(distances[dev.is_bona_fide], max_cost)
    if not (np.isfinite(limit) and limit > 0):
        return NotFitted(f"the limit would be {limit}")
    test = None
    if sides.test is not None:
        rows = sides.test[0].rows
        of_test = np.array([mean_distance(_clips(row, name), *shape) for row in rows])
        test = _cost(sides.test[0], of_test > limit, sides.test[1])
    return OutOfDistribution(
        embedding=name,
        mean=tuple(map(float, shape.mean)),
        whitening=tuple(tuple(map(float, row[: at + 1])) for at, row in enumerate(shape.whitening)),
        limit=limit,
        dev=_cost(dev, distances > limit, sides.is_accepted),
        test=test,
    )


def fit_disagreement(sides: Sides, max_cost: float) -> WindowsDisagree | NotFitted:
    """The limit of the difference between the scores of one presentation's clips.

    Args:
        sides: Development, and test where there is one.
        max_cost: Share of dev's bona fide whose clips may lie further apart; 0..1, below 1.
    """
    few = _too_few(sides.dev)
    if few is not None:
        return few
    spreads = _spreads(sides.dev)
    limit = limit_for(spreads[sides.dev.is_bona_fide], max_cost)
    if limit <= 0:
        return NotFitted(
            "the clips of bona fide presentations have one score each, or all the same"
        )
    test = None
    if sides.test is not None:
        test = _cost(sides.test[0], _spreads(sides.test[0]) > limit, sides.test[1])
    return WindowsDisagree(
        limit=min(limit, 1.0),
        dev=_cost(sides.dev, spreads > limit, sides.is_accepted),
        test=test,
    )


def _ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def _cost(
    side: Answered, is_doubted: Bool[np.ndarray, " n"], is_accepted: Bool[np.ndarray, " n"]
) -> LimitCost:
    passed = {name: side.is_of(name) & is_accepted for name in side.pai_species}
    return LimitCost(
        bona_fide=share_of(is_doubted, side.is_bona_fide, side),
        attacks={name: share_of(is_doubted, side.is_of(name), side) for name in side.pai_species},
        accepted_attacks={
            name: share_of(is_doubted, of, side) if of.any() else None
            for name, of in passed.items()
        },
    )


def _spreads(side: Answered) -> Float[np.ndarray, " n"]:
    scores = [[clip.score for clip in row.clips] for row in side.rows]
    return np.array([max(each) - min(each) for each in scores], np.float64)


def _too_few(dev: Answered) -> NotFitted | None:
    num = int(dev.is_bona_fide.sum())
    if num >= FEWEST:
        return None
    return NotFitted(f"dev has {num} bona fide presentations with a score, it takes {FEWEST}")


def _embedding(rows: Sequence[ScoredPresentation]) -> Embedding | NotFitted:
    """Which embedding tells clips that are unlike the known ones, as `WindowResult.embedding`."""
    clips = [clip for row in rows for clip in row.clips]
    has_fused = {clip.fused_feature is not None for clip in clips}
    if len(has_fused) > 1:
        return NotFitted("some clips have a fused feature, and some have none")
    name: Embedding = "fused_feature" if has_fused.pop() else "advisor_embedding"
    found = [getattr(clip, name) for clip in clips]
    if len({each.shape for each in found}) > 1 or not all(np.isfinite(e).all() for e in found):
        return NotFitted(f"the clips' {name} has not one length, or a value is not finite")
    return name


def _clips(row: ScoredPresentation, name: Embedding) -> Float[np.ndarray, "clips d"]:
    return np.stack([getattr(clip, name) for clip in row.clips]).astype(np.float64)


def _shape_of(side: Answered, which: Bool[np.ndarray, " n"], name: Embedding) -> Shape | NotFitted:
    """Of the bona fide among some presentations."""
    chosen = np.flatnonzero(which & side.is_bona_fide)
    return fit_shape(np.concatenate([_clips(side.rows[at], name) for at in chosen]))
