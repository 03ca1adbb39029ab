"""From the scores of a dev side to a profile: calibration, threshold, limits, and their worth."""

import platform
from collections.abc import Sequence
from importlib.metadata import version

import numpy as np
from jaxtyping import Bool, Float, Int

from vivant import __version__
from vivant.errors import CardError, DataError
from vivant.evaluation.calibrating import (
    Answered,
    CrossValidated,
    Folds,
    answered,
    cross_validate,
    divide_folds,
    out_of_fold,
)
from vivant.evaluation.doubting import (
    NotFitted,
    Sides,
    fit_disagreement,
    fit_distance,
    share_of,
)
from vivant.evaluation.scored import ScoredPresentation
from vivant.metrics.intervals import COVERAGE, NUM_DRAWS, num_for_zero_errors
from vivant.metrics.rules import ThresholdRule
from vivant.networks.card import ModelCard
from vivant.records import NUM_WINDOWS, Reason, Split
from vivant.session.doubts import CountedShare, OutOfDistribution, WindowsDisagree
from vivant.session.profile import FittedPoint, PointRates, Profile

__all__ = ["fit_profile", "threshold_interval"]


def fit_profile(
    rows: Sequence[ScoredPresentation],
    card: ModelCard,
    rule: ThresholdRule,
    *,
    max_cost: float,
    data: str,
    is_synthetic: bool,
    notes: Sequence[str] = (),
    num_draws: int = NUM_DRAWS,
) -> Profile:
    """Fit a profile to the dev side, and measure it on the test side where there is one.

    Args:
        rows: Scores of this model; of other sides than dev and test nothing is used.
        card: The model's.
        rule: How the threshold is found on dev.
        max_cost: Share of dev's bona fide that each of the two limits may turn into no decision;
            0..1, below 1.
        data: Where the scores are from, such as `oulu-npu:1`.
        is_synthetic: Whether any of them are of simulated presentations.
        notes: What is to be known of the scores besides.
        num_draws: Of dev sides, for the threshold's interval.

    Raises:
        CardError: the model is UNTRAINED.
        DataError: the dev side is too small, or no threshold reaches the target.
    """
    if card.training is None:
        raise CardError(
            f"the model {card.model} is UNTRAINED: its scores mean nothing, and no profile changes "
            "that"
        )
    if any(len(row.clips) > NUM_WINDOWS for row in rows):
        raise DataError(
            f"expected the scores of {NUM_WINDOWS} clips of a presentation at most, as a session "
            "takes them: score anew with `vivant evaluate`"
        )
    dev = answered([row for row in rows if row.split is Split.DEV], "dev")
    of_test = [row for row in rows if row.split is Split.TEST]
    test = answered(of_test, "test") if of_test else None
    folds = divide_folds(dev)
    fitted = cross_validate(dev, folds)
    point, sides = _fit_point(rule, dev, test, folds, fitted, num_draws)
    distance, spread = fit_distance(sides, max_cost), fit_disagreement(sides, max_cost)
    return Profile(
        profile_format=1,
        model=card.model,
        weights_sha256=card.weights.sha256,
        data=f"{data} dev{', SYNTHETIC' if is_synthetic else ''}",
        is_synthetic=is_synthetic,
        num_windows=NUM_WINDOWS,
        num_folds=folds.num,
        folds_by="subject" if folds.is_by_subject else "presentation",
        calibration=fitted.calibration,
        quality=fitted.quality,
        operating_point=point,
        max_cost=max_cost,
        out_of_distribution=None if isinstance(distance, NotFitted) else distance,
        windows_disagree=None if isinstance(spread, NotFitted) else spread,
        notes=(
            *notes,
            *_notes(rule, dev, folds, max_cost),
            *_missed(rule, point.held_out, "dev, held out"),
            *_missed(rule, point.test, "test"),
            *_of_limit(Reason.OUT_OF_DISTRIBUTION, distance, max_cost),
            *_of_limit(Reason.WINDOWS_DISAGREE, spread, max_cost),
        ),
        versions={
            "vivant": __version__,
            "numpy": np.__version__,
            "scikit-learn": version("scikit-learn"),
            "python": platform.python_version(),
        },
    )


def threshold_interval(
    rule: ThresholdRule,
    side: Answered,
    scores: Float[np.ndarray, " n"],
    *,
    num_draws: int = NUM_DRAWS,
    seed: int = 0,
) -> tuple[float, float | None] | None:
    """Percentiles of the thresholds that a rule finds on sides drawn out of this one.

    Subjects are drawn, as many as there are, with replacement; where not all are known,
    presentations, of each kind as many as there are. A draw without one of the classes is left out.
    The calibration stays as it is: a threshold is a place in the order of the scores. No draw has a
    score that dev has not: where the threshold is dev's lowest score, so is the lower end.

    Args:
        rule: How.
        side: Development.
        scores: Of it, calibrated.
        num_draws: Of sides.
        seed: Of PCG64.

    Returns:
        Both ends of the 95 %; the upper one None for infinity, at which nothing is accepted. None
        where there is one subject, or most draws are of one class alone.
    """
    random = np.random.default_rng(seed)
    groups = _groups(side)
    is_bona_fide = side.is_bona_fide
    species = {name: side.is_of(name) for name in side.pai_species}
    found = []
    for _ in range(num_draws if len(groups) > 1 else 0):
        drawn = _draw(groups, random, is_by_subject=side.subjects is not None)
        of = scores[drawn]
        bona_fide = of[is_bona_fide[drawn]]
        attacks = {name: of[which[drawn]] for name, which in species.items() if which[drawn].any()}
        if len(bona_fide) and attacks:
            found.append(rule.threshold(bona_fide, attacks))
    if not found or len(found) < num_draws / 2:
        return None
    tail = 100 * (1 - COVERAGE) / 2
    # Thresholds as they were found: between one of them and infinity there is none.
    low, high = np.percentile(found, [tail, 100 - tail], method="inverted_cdf")
    if not np.isfinite(low):
        return None
    return float(low), float(high) if np.isfinite(high) else None


def _groups(side: Answered) -> list[Int[np.ndarray, " _"]]:
    """Positions of presentations: of each subject, or of each kind where subjects are not known."""
    kinds = side.subjects or [row.presentation.pai_species or "" for row in side.rows]
    found: dict[str, list[int]] = {}
    for position, kind in enumerate(kinds):
        found.setdefault(kind, []).append(position)
    return [np.array(members) for members in found.values()]


def _draw(
    groups: Sequence[Int[np.ndarray, " _"]], random: np.random.Generator, *, is_by_subject: bool
) -> Int[np.ndarray, " n"]:
    """Positions of one side like this one: drawn groups, or groups of which each is drawn from."""
    if is_by_subject:
        chosen = random.integers(len(groups), size=len(groups))
        return np.concatenate([groups[at] for at in chosen])
    return np.concatenate([random.choice(members, len(members)) for members in groups])


def _fit_point(
    rule: ThresholdRule,
    dev: Answered,
    test: Answered | None,
    folds: Folds,
    fitted: CrossValidated,
    num_draws: int,
) -> tuple[FittedPoint, Sides]:
    """The operating point, and what it accepts.

    Raises:
        DataError: no threshold reaches the target.
    """
    scores = _calibrated(dev, fitted)
    threshold = _threshold(rule, dev, scores)
    judged = None if test is None else (test, _calibrated(test, fitted) >= threshold)
    point = FittedPoint(
        threshold=threshold,
        threshold_95=threshold_interval(rule, dev, scores, num_draws=num_draws),
        rule=rule.name,
        dev=_rates(dev, scores >= threshold),
        held_out=_rates(dev, _held_out(rule, dev, folds, fitted)),
        test=None if judged is None else _rates(*judged),
    )
    return point, Sides(dev, scores >= threshold, folds, judged)


def _calibrated(side: Answered, fitted: CrossValidated) -> Float[np.ndarray, " n"]:
    """Scores as a session with the profile has them."""
    return np.array([fitted.calibration.apply(float(score)) for score in side.scores])


def _threshold(rule: ThresholdRule, dev: Answered, scores: Float[np.ndarray, " n"]) -> float:
    """The threshold on dev.

    Raises:
        DataError: it would accept nothing, or everything.
    """
    found = rule.threshold(*dev.by_class(scores))
    if found > 1:
        raise DataError(
            f"no threshold reaches {rule.name}: attacks on the dev side have the highest scores of "
            "all, and only one that accepts nothing would keep them out. Allow more, or train a "
            "better model"
        )
    if found <= 0:
        raise DataError(
            f"{rule.name} gives a threshold of 0, which accepts everything: a bona fide "
            "presentation of the dev side has the score 0. Allow a larger BPCER, or train a better "
            "model"
        )
    return found


def _held_out(
    rule: ThresholdRule, dev: Answered, folds: Folds, fitted: CrossValidated
) -> Bool[np.ndarray, " n"]:
    """What is accepted where neither map nor threshold have seen the part that is judged."""
    unseen = out_of_fold(dev.scores, folds, fitted.by_fold)
    accepted = np.zeros(len(unseen), np.bool_)
    for number, calibration in enumerate(fitted.by_fold):
        others = dev.take(np.flatnonzero(folds.of != number))
        scores = np.array([calibration.apply(float(score)) for score in others.scores])
        threshold = rule.threshold(*others.by_class(scores))
        inside = folds.of == number
        accepted[inside] = unseen[inside] >= threshold
    return accepted


def _rates(side: Answered, is_accepted: Bool[np.ndarray, " n"]) -> PointRates:
    return PointRates(
        bpcer=share_of(~is_accepted, side.is_bona_fide, side),
        apcer={name: share_of(is_accepted, side.is_of(name), side) for name in side.pai_species},
    )


def _notes(rule: ThresholdRule, dev: Answered, folds: Folds, max_cost: float) -> list[str]:
    """What to know before relying on the profile."""
    num = int(dev.is_bona_fide.sum())
    found = []
    if rule.kind == "bpcer" and rule.value is not None:
        found += _too_few(num, "bona fide presentations", "a BPCER", rule.value)
    if rule.kind == "apcer" and rule.value is not None:
        for name in dev.pai_species:
            count = int(dev.is_of(name).sum())
            found += _too_few(count, f"attacks of {name}", "an APCER", rule.value)
    found += _too_few(num, "bona fide presentations", "a limit's cost", max_cost)
    expected = (int(max_cost * num + 1e-9) + 1) / (num + 1)
    if expected > 1.5 * max_cost:
        found.append(
            f"of bona fide presentations that dev has not, each limit is to be expected to cost "
            f"{_percent(expected)}"
        )
    if not folds.is_by_subject:
        found.append(
            "not every dev presentation says whose it is: the folds may share people, and what is "
            "said of unseen ones is optimistic"
        )
    if dev.num_without:
        found.append(
            f"{dev.num_without} of {len(dev.rows) + dev.num_without} dev presentations have no "
            "score: they are no decision whatever the threshold, and count nowhere here"
        )
    return found


def _too_few(num: int, kind: str, claim: str, rate: float) -> list[str]:
    """A note where even no error at all among so many would not show a rate."""
    if rate <= 0:
        return [f"{claim} of 0 cannot be shown by any number of {kind}"]
    needed = num_for_zero_errors(rate)
    if num >= needed:
        return []
    return [
        f"dev has {num} {kind}: {claim} of {_percent(rate)} cannot be shown with fewer than "
        f"{needed}"
    ]


def _missed(rule: ThresholdRule, rates: PointRates | None, side: str) -> list[str]:
    """Notes where presentations that nothing was fitted on surely have more errors than asked."""
    if rates is None or rule.value is None:
        return []
    found = {"BPCER": rates.bpcer}
    if rule.kind == "apcer":
        found = {f"APCER of {name}": share for name, share in rates.apcer.items()}
    return [
        f"{side}: the {name} is {_told(share)}, more than the {_percent(rule.value)} asked for"
        for name, share in found.items()
        if share.wilson_95[0] > rule.value
    ]


def _of_limit(
    code: Reason, limit: OutOfDistribution | WindowsDisagree | NotFitted, max_cost: float
) -> list[str]:
    """A note where there is no limit, or it surely costs more on test than it may on dev."""
    if isinstance(limit, NotFitted):
        return [f"{code} has no limit: {limit.why}"]
    if limit.test is None or limit.test.bona_fide.wilson_95[0] <= max_cost:
        return []
    return [
        f"test: {code} costs {_told(limit.test.bona_fide)} of bona fide, more than the "
        f"{_percent(max_cost)} asked for"
    ]


def _told(share: CountedShare) -> str:
    low, high = share.wilson_95
    return f"{_percent(share.share)} (95 %: {_percent(low)} to {_percent(high)})"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
