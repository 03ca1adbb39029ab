"""Fits the map from raw to calibrated scores, on folds of the dev side that share no subject (D41).

Bona fide and attacks count as often as the side has them, so that a calibrated score is the
probability of bona fide where attacks are as frequent as there. Nobody knows how frequent they are
in front of a camera: decide by the threshold, not by the probability.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from vivant.errors import DataError
from vivant.evaluation.scored import ScoredPresentation
from vivant.metrics.calibration import (
    brier,
    expected_calibration_error,
    negative_log_likelihood,
)
from vivant.records import Label
from vivant.session.calibration import Calibration, Identity, Isotonic, Platt, Temperature, logit
from vivant.session.profile import CalibrationQuality, ScoreQuality, presentation_score

__all__ = [
    "METHODS",
    "Answered",
    "CrossValidated",
    "Folds",
    "answered",
    "cross_validate",
    "divide_folds",
    "fit_isotonic",
    "fit_platt",
    "fit_temperature",
    "measure_quality",
]

_MOST_FOLDS = 5
_SMALLEST = 1e-12
"""What a map gives to the truth at least: as in `metrics.calibration`."""
_SLOPES = (1e-3, 1e3)
"""Of a map of the logit: it rises, and stays a number."""

Scores = Float[np.ndarray, " n"]
IsBonaFide = Bool[np.ndarray, " n"]


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """The presentations of a side that have a score."""

    rows: tuple[ScoredPresentation, ...]
    scores: Float[np.ndarray, " n"]
    """Raw, as a session computes them before a profile; 0..1, higher is bona fide."""
    num_without: int
    """Presentations of the side that have none."""

    @property
    def is_bona_fide(self) -> Bool[np.ndarray, " n"]:
        """Which are."""
        labels = [row.presentation.label is Label.BONA_FIDE for row in self.rows]
        return np.array(labels, np.bool_)

    @property
    def pai_species(self) -> tuple[str, ...]:
        """All that occur, by name."""
        found = {row.presentation.pai_species for row in self.rows}
        return tuple(sorted(name for name in found if name is not None))

    def is_of(self, pai_species: str) -> Bool[np.ndarray, " n"]:
        """Which are attacks of a species."""
        return np.array([r.presentation.pai_species == pai_species for r in self.rows], np.bool_)

    @property
    def subjects(self) -> tuple[str, ...] | None:
        """Whose each is; None where one does not say."""
        found = [row.presentation.subject for row in self.rows]
        named = tuple(subject for subject in found if subject is not None)
        return named if len(named) == len(found) else None

    def by_class(
        self, scores: Scores
    ) -> tuple[Float[np.ndarray, " m"], dict[str, Float[np.ndarray, " _"]]]:
        """Scores of bona fide, and of each PAI species.

        Args:
            scores: Of these presentations, in their order.
        """
        return scores[self.is_bona_fide], {n: scores[self.is_of(n)] for n in self.pai_species}

    def take(self, which: Int[np.ndarray, " m"]) -> "Answered":
        """Some of them, by position; one may be taken twice."""
        rows = tuple(self.rows[at] for at in which)
        return Answered(rows, self.scores[which], 0)


class Folds(NamedTuple):
    """A side in parts, each of which is judged by what the others gave."""

    of: Int[np.ndarray, " n"]
    """The part of each presentation, from 0."""
    num: int
    is_by_subject: bool
    """Whether no subject is in two parts; else it is presentations that are not."""


class CrossValidated(NamedTuple):
    """A map, and what it is worth on presentations that it was not fitted on."""

    name: str
    calibration: Calibration
    """Fitted on all."""
    by_fold: tuple[Calibration, ...]
    """Fitted on all but each part."""
    quality: CalibrationQuality


def answered(rows: Sequence[ScoredPresentation], what: str) -> Answered:
    """The presentations that have a score.

    Args:
        rows: Of one side.
        what: What to call it in errors.

    Raises:
        DataError: there is no score of bona fide, or of attacks.
    """
    found = [row for row in rows if not row.reasons]
    scores = [presentation_score([clip.score for clip in row.clips]) for row in found]
    side = Answered(tuple(found), np.array(scores, np.float64), len(rows) - len(found))
    num_bona_fide = int(side.is_bona_fide.sum())
    if not 0 < num_bona_fide < len(found):
        raise DataError(
            f"expected scores of bona fide presentations and of attacks on the {what} side, found "
            f"{num_bona_fide} and {len(found) - num_bona_fide} (and {side.num_without} "
            "presentations without a score)"
        )
    return side


def divide_folds(side: Answered) -> Folds:
    """Parts of a side: by subject where each presentation says whose it is.

    Up to five, alike in their share of bona fide; as many fewer as it takes for both classes to be
    outside of each.

    Args:
        side: Development.

    Raises:
        DataError: the side has too few subjects, or presentations, of one class.
    """
    label = side.is_bona_fide.astype(np.int64)
    subjects = side.subjects
    if subjects is None:
        most = int(min(label.sum(), (1 - label).sum()))
    else:
        most = min(_num_subjects(subjects, label, value) for value in (0, 1))
        # A class of few presentations is not spread over more parts than it has of them.
        most = int(min(most, label.sum(), (1 - label).sum()))
    for num in range(min(_MOST_FOLDS, most), 1, -1):
        if subjects is None:
            parts = StratifiedKFold(num).split(label, label)
        else:
            parts = StratifiedGroupKFold(num).split(label, label, subjects)
        of = np.full(len(label), -1, np.int64)
        for number, (_, inside) in enumerate(parts):
            of[inside] = number
        if all(0 < label[of != number].mean() < 1 for number in range(num)):
            return Folds(of, num, subjects is not None)
    unit = "presentations" if subjects is None else "subjects"
    raise DataError(
        f"expected bona fide and attacks of at least two {unit} each on the dev side, so that what "
        f"is fitted on one is judged on another, found {most}: score a larger dev side"
    )


def cross_validate(side: Answered, folds: Folds) -> CrossValidated:
    """The simplest map of the smallest negative log likelihood on presentations it has not seen.

    A map of more freedom has to be better by more than one standard error over the folds (Breiman
    et al. 1984), in the order of `METHODS`: isotonic regression has a level for every few
    presentations, and on a few hundred of them it wins by chance.

    Args:
        side: Development.
        folds: Of it.
    """
    is_bona_fide = side.is_bona_fide
    maps: dict[str, tuple[Calibration, ...]] = {}
    qualities: dict[str, ScoreQuality] = {}
    losses: dict[str, Float[np.ndarray, " n"]] = {}
    for name, fit in METHODS.items():
        maps[name] = tuple(
            fit(side.scores[folds.of != number], is_bona_fide[folds.of != number])
            for number in range(folds.num)
        )
        unseen = out_of_fold(side.scores, folds, maps[name])
        qualities[name] = measure_quality(unseen, is_bona_fide)
        of_truth = np.where(is_bona_fide, unseen, 1 - unseen)
        losses[name] = -np.log(np.maximum(of_truth, _SMALLEST))
    chosen = _simplest(losses, folds)
    tried = {name: found.negative_log_likelihood for name, found in qualities.items()}
    return CrossValidated(
        chosen,
        METHODS[chosen](side.scores, is_bona_fide),
        maps[chosen],
        CalibrationQuality(before=qualities["none"], after=qualities[chosen], tried=tried),
    )


def out_of_fold(scores: Scores, folds: Folds, maps: Sequence[Calibration]) -> Scores:
    """Scores, each calibrated by the map that was fitted without its part.

    Args:
        scores: Raw.
        folds: Of them.
        maps: Of each fold.
    """
    pairs = zip(scores, folds.of, strict=True)
    return np.array([maps[fold].apply(float(score)) for score, fold in pairs], np.float64)


def measure_quality(scores: Scores, is_bona_fide: IsBonaFide) -> ScoreQuality:
    """Brier score, negative log likelihood and expected calibration error.

    Args:
        scores: 0..1.
        is_bona_fide: Which are.

    Raises:
        InputError: a class is missing.
    """
    pair = scores[is_bona_fide], scores[~is_bona_fide]
    return ScoreQuality(
        brier=brier(*pair),
        negative_log_likelihood=negative_log_likelihood(*pair),
        expected_calibration_error=expected_calibration_error(*pair),
    )


def fit_identity(scores: Scores, is_bona_fide: IsBonaFide) -> Identity:
    """No map.

    Args:
        scores: Raw, 0..1; not looked at.
        is_bona_fide: Which are; not looked at.
    """
    return Identity(kind="none")


def fit_temperature(scores: Scores, is_bona_fide: IsBonaFide) -> Temperature:
    """One factor of the logit, of the largest likelihood, with Platt's targets.

    Args:
        scores: Raw, 0..1.
        is_bona_fide: Which are.
    """
    slope, _ = _fit_sigmoid(scores, is_bona_fide, has_intercept=False)
    return Temperature(kind="temperature", scale=slope)


def fit_platt(scores: Scores, is_bona_fide: IsBonaFide) -> Platt:
    """Factor and offset of the logit, of the largest likelihood, with Platt's targets.

    Platt (1999): of n bona fide presentations each is taken for (n + 1) / (n + 2) bona fide, of m
    attacks each for 1 / (m + 2). So classes that do not overlap have a map too, and one that is no
    surer than their number allows.

    Args:
        scores: Raw, 0..1.
        is_bona_fide: Which are.
    """
    slope, intercept = _fit_sigmoid(scores, is_bona_fide, has_intercept=True)
    return Platt(kind="platt", slope=slope, intercept=intercept)


def fit_isotonic(scores: Scores, is_bona_fide: IsBonaFide) -> Isotonic:
    """The rising function nearest to the labels, no surer than n presentations allow.

    It is kept within 1 / (n + 2) and (n + 1) / (n + 2) (the rule of succession): a level without an
    error would be a certainty that one presentation more could refute.

    Args:
        scores: Raw, 0..1.
        is_bona_fide: Which are.
    """
    regression = IsotonicRegression(out_of_bounds="clip")
    regression.fit(scores, is_bona_fide.astype(np.float64))
    least = 1 / (len(scores) + 2)
    levels = np.clip(regression.y_thresholds_, least, 1 - least)
    return Isotonic(
        kind="isotonic",
        raw=tuple(map(float, regression.X_thresholds_)),
        # Rounding may let a level fall by the last bit.
        calibrated=tuple(map(float, np.maximum.accumulate(levels))),
    )


METHODS: Mapping[str, Callable[[Scores, IsBonaFide], Calibration]] = {
    "none": fit_identity,
    "temperature": fit_temperature,
    "platt": fit_platt,
    "isotonic": fit_isotonic,
}
"""Maps that are tried, the simplest first."""


def _simplest(losses: Mapping[str, Scores], folds: Folds) -> str:
    """The first that is no more than a standard error worse than the best."""
    best = min(losses, key=lambda name: float(losses[name].mean()))
    for name, loss in losses.items():
        worse = loss - losses[best]
        of_folds = np.array([worse[folds.of == number].mean() for number in range(folds.num)])
        error = float(of_folds.std(ddof=1)) / math.sqrt(folds.num)
        if name == best or worse.mean() <= error:
            return name
    raise AssertionError  # The best is one of them.


def _fit_sigmoid(
    scores: Scores, is_bona_fide: IsBonaFide, *, has_intercept: bool
) -> tuple[float, float]:
    """Slope and intercept; convex, so where it starts does not matter."""
    x = np.array([logit(float(score)) for score in scores])
    num, num_attacks = int(is_bona_fide.sum()), int((~is_bona_fide).sum())
    target = np.where(is_bona_fide, (num + 1) / (num + 2), 1 / (num_attacks + 2))

    def loss(parameters: Float[np.ndarray, " p"]) -> tuple[float, Float[np.ndarray, " p"]]:
        value = parameters[0] * x + (parameters[1] if has_intercept else 0.0)
        mean = float((np.logaddexp(0, value) - target * value).mean())
        error = 0.5 * (1 + np.tanh(value / 2)) - target  # sigmoid(value) - target
        gradient = [(error * x).mean(), error.mean()]
        return mean, np.array(gradient[: len(parameters)])

    start = np.array([1.0, 0.0] if has_intercept else [1.0])
    bounds = [_SLOPES, (None, None)][: len(start)]
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds,
        options={"ftol": 1e-14, "gtol": 1e-9, "maxiter": 1000},
    ).x  # fmt: skip
    intercept = float(found[1]) if has_intercept else 0.0
    assert math.isfinite(found[0])
    assert math.isfinite(intercept)
    return float(found[0]), intercept


def _num_subjects(subjects: Sequence[str], label: Int[np.ndarray, " n"], value: int) -> int:
    """Subjects of a class."""
    return len({subject for subject, of in zip(subjects, label, strict=True) if of == value})
