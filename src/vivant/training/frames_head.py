"""Stage 1 of a frames head on a frozen backbone: views are described once, then one convex fit.

A frame's description is long (6,848 numbers for EfficientNet-Lite0 with two crops), and attacks
that are simulated cannot say when to stop: whatever fits them longer learns the simulation. So the
head is a logistic regression for each crop, strongly regularised, and the crops' margins are added,
each in units of its spread over bona fide frames (D47).

What the fit is worth is told by sets that it has not seen: each set is left out in turn.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vivant.attacks.draws import Ranges
from vivant.errors import TrainingError
from vivant.metrics.curves import auc
from vivant.networks.advisor import Advisor
from vivant.networks.network import Network
from vivant.preparation.clips import ClipStore
from vivant.records import Label, Presentation
from vivant.training.augment import augment
from vivant.training.config import Experiment, FitConfig
from vivant.training.data import TrainingData
from vivant.training.draws import Draw, draw_augmentation, pick_background, unchanged
from vivant.training.folder import Best, RunFolder
from vivant.training.loader import load_batches
from vivant.training.progress import Progress
from vivant.training.scoring import reader_of

__all__ = [
    "HeldOut",
    "HeldOutSet",
    "choose_frames",
    "fit_frames_head",
    "fit_logistic",
    "judge_unseen_parameters",
    "left_out_by_subject",
    "read_held_out",
    "set_of",
]

# Axes: v views, d numbers that describe a frame.

HELD_OUT = "stage1/held_out.json"
_BATCH = 16
_SHARD = 256
"""Views whose descriptions are kept in one file: what a kill may cost."""
_LEAST_DEVIATION = 1e-4
_FOLDS = 5
"""Where there is one set alone, its subjects are left out in as many groups."""


@dataclass(frozen=True, slots=True)
class HeldOutSet:
    """One set, judged by a fit that has not seen it."""

    name: str
    num_bona_fide: int
    """Frames, as they are stored."""
    num_subjects: int
    auc: float
    """Of bona fide frames as they are stored against recaptured views."""
    auc_filmed: float
    """Of bona fide views against recaptured ones, both filmed alike: harder."""
    bpcer: float
    """At the card's threshold, of the frames as they are stored."""
    apcer: float
    """At the card's threshold, of simulated attacks: that of the worst PAI species."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What the fit is worth on sets that it has not seen."""

    threshold: float
    """Of the bona fide score, 0..1."""
    sets: tuple[HeldOutSet, ...]


class _View(NamedTuple):
    draw: Draw
    row: Presentation
    is_plain: bool
    """As it is stored: for the threshold, not for the fit."""


class _Described(NamedTuple):
    """All views of the train side."""

    numbers: Float[np.ndarray, "v d"]
    sets: np.ndarray
    """Name of each view's set."""
    subjects: np.ndarray
    species: np.ndarray
    """`` for bona fide."""
    is_plain: Bool[np.ndarray, " v"]


class _Head(NamedTuple):
    """A linear margin: higher is an attack."""

    weights: Float[np.ndarray, " d"]
    """Of standardised numbers."""
    bias: float


def set_of(row: Presentation) -> str:
    """The set that a presentation belongs to, of a store that joins several; else one for all."""
    return row.columns.get("set", "")


def fit_frames_head(
    experiment: Experiment,
    network: Network,
    data: TrainingData,
    folder: RunFolder,
    progress: Progress,
) -> Best:
    """Fit the head, and write it as the best weights of stage 1, with `stage1/held_out.json`.

    Args:
        experiment: With `fit`.
        network: Its head is replaced.
        data: Bona fide clips, and attacks that are made of them.
        folder: Of the run; views that were described before a kill are there.
        progress: Is told.

    Raises:
        TrainingError: there are too few frames to hold a set or subjects out.
        DataError: the store is damaged.
    """
    config = experiment.fit
    assert config is not None
    views = list(_views(experiment, data))
    described = _describe(experiment, network, data, views, folder, progress)
    advisor = network.advisor
    mean, deviation, standard = _standardised(described)
    everything = np.ones(len(standard), np.bool_)
    head = _fit(config, advisor, described, standard, everything)
    held_out = _hold_out(config, advisor, described, standard, progress)
    _install(advisor, head, mean, deviation)
    # Each set counts alike.
    bpcer = float(np.mean([each.bpcer for each in held_out.sets]))
    apcer = float(np.mean([each.apcer for each in held_out.sets]))
    text = {
        "threshold": held_out.threshold,
        "sets": [asdict(each) for each in held_out.sets],
    }
    folder.write_text(HELD_OUT, json.dumps(text, indent=2) + "\n")
    best = Best(
        stage=1,
        epoch=0,
        acer=(apcer + bpcer) / 2,
        threshold=held_out.threshold,
        apcer=apcer,
        bpcer=bpcer,
    )
    folder.keep_best(best, network.state_dict())
    return best


def read_held_out(run: Path) -> HeldOut:
    """What a fit wrote of itself.

    Args:
        run: The folder of the run.

    Raises:
        TrainingError: it is not there, or damaged.
    """
    path = run / HELD_OUT
    try:
        content = json.loads(path.read_text("utf-8"))
        sets = tuple(HeldOutSet(**each) for each in content["sets"])
        return HeldOut(float(content["threshold"]), sets)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} is missing or damaged: {error}") from error


def left_out_by_subject(
    experiment: Experiment, data: TrainingData, run: RunFolder, num_folds: int
) -> list[tuple[Presentation, float]]:
    """Bona fide scores of the frames that a run was fitted on, by fits without their subjects.

    Args:
        experiment: Of the run.
        data: Its data.
        run: Its folder, with the views' descriptions.
        num_folds: Groups of subjects, which are left out in turn.

    Returns:
        Each frame as it is stored: its presentation, and its score.

    Raises:
        TrainingError: the descriptions are not there, or damaged.
    """
    config = experiment.fit
    if config is None:
        raise TrainingError(f"the run at {run.path} has no fit: it is not one of `starter`")
    views = list(_views(experiment, data))
    shards = [run.read_array(_shard_name(at)) for at in range(0, len(views), _SHARD)]
    kept = [shard for shard in shards if shard is not None]
    if len(kept) < len(shards) or sum(map(len, kept)) != len(views):
        raise TrainingError(f"the views' descriptions in {run.path} are missing: train it first")
    described = _joined(views, kept)
    advisor = Network(experiment.network).advisor
    _, _, standard = _standardised(described)
    subjects = sorted(set(described.subjects))
    fold_of = {subject: at % num_folds for at, subject in enumerate(subjects)}
    folds = np.array([fold_of[subject] for subject in described.subjects])
    margins = np.zeros(len(views))
    for fold in range(num_folds):
        head = _fit(config, advisor, described, standard, folds != fold)
        margins[folds == fold] = standard[folds == fold] @ head.weights + head.bias
    scores = 1 / (1 + np.exp(margins))
    return [
        (view.row, float(score)) for view, score in zip(views, scores, strict=True) if view.is_plain
    ]


def judge_unseen_parameters(
    experiment: Experiment,
    network: Network,
    data: TrainingData,
    run: RunFolder,
    progress: Progress,
) -> dict[str, float]:
    """AUC by set where neither the set nor the recapture's parameters were fitted on.

    The fit sees attacks of one half of each parameter's range; it is judged on stored bona fide
    frames of a set that it has not seen, against attacks on them of the other half.

    Args:
        experiment: With `fit`; `fit.most_per_set` says of how many frames.
        network: With the backbone's weights.
        data: Of the store.
        run: A folder of its own: for the views' descriptions.
        progress: Is told.

    Raises:
        DataError: the store is damaged.
    """
    config = experiment.fit
    assert config is not None
    of_half = {}
    for half in ("first", "second"):
        views = list(_views(experiment, data, half))
        of_half[half] = _describe(experiment, network, data, views, run, progress, half)
    known, unknown = of_half["first"], of_half["second"]
    mean, deviation, standard = _standardised(known)
    found = {}
    for name in np.unique(known.sets):
        head = _fit(config, network.advisor, known, standard, known.sets != name)
        margins = (unknown.numbers - mean) / deviation @ head.weights + head.bias
        here = unknown.sets == name
        attacks = here & (unknown.species != "")
        found[str(name)] = auc(-margins[here & unknown.is_plain], -margins[attacks])
    return found


def fit_logistic(
    numbers: Float[np.ndarray, "v d"],
    is_attack: Bool[np.ndarray, " v"],
    weights: Float[np.ndarray, " v"],
    inverse_penalty: float,
) -> tuple[Float[np.ndarray, " d"], float]:
    """Logistic regression: minimise |w|^2 / 2 + C sum_v weight_v loss_v, the bias not penalised.

    Args:
        numbers: Standardised.
        is_attack: The class that a higher margin means.
        weights: Of each view.
        inverse_penalty: C, as scikit-learn has it.

    Returns:
        w and the bias.
    """
    x = torch.from_numpy(np.ascontiguousarray(numbers, np.float32))
    sign = torch.from_numpy(np.where(is_attack, 1.0, -1.0).astype(np.float32))
    share = torch.from_numpy(weights.astype(np.float32))
    weight = torch.zeros(x.shape[1], requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weight, bias], max_iter=300, tolerance_grad=1e-6, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        margin = sign * (x @ weight + bias)
        loss = (share * torch.nn.functional.softplus(-margin)).sum() * inverse_penalty
        total = loss + weight.square().sum() / 2
        total.backward()
        return total

    optimiser.step(closure)
    return weight.detach().numpy().astype(np.float64), float(bias.detach())


def _views(experiment: Experiment, data: TrainingData, ranges: Ranges = "all") -> Iterator[_View]:
    """Each chosen frame: as it is stored, filmed, and made an attack of each species.

    Args:
        experiment: With `fit`.
        data: Of the store.
        ranges: Which half of the recapture's parameters the attacks have.
    """
    config = experiment.fit
    assert config is not None
    bona_fide = [row for row in data.train if row.label is Label.BONA_FIDE]
    attacks = {(row.path, row.pai_species): row for row in data.train if row.label is Label.ATTACK}
    species = sorted({name for _, name in attacks if name is not None})
    of_set: dict[str, list[Presentation]] = {}
    for row in bona_fide:
        of_set.setdefault(set_of(row), []).append(row)
    key = 0
    for row, place in choose_frames(data.clips, bona_fide, config.most_per_set):
        yield _View(Draw(row.path, row.label, (place,), unchanged(), key), row, is_plain=True)
        key += 1
        for number, name in enumerate((None, *species)):
            generator = np.random.default_rng((experiment.seed, 1, place, number))
            augmentation = draw_augmentation(experiment.augment, generator)
            seen = row if name is None else attacks[row.path, name]
            background = pick_background(data.clips, of_set[set_of(row)], generator)
            seed = int(generator.integers(2**62))
            draw = Draw(
                row.path, seen.label, (place,), augmentation, key, name, background, seed, ranges
            )
            yield _View(draw, seen, is_plain=False)
            key += 1


def choose_frames(
    store: ClipStore, rows: Sequence[Presentation], most_per_set: int
) -> list[tuple[Presentation, int]]:
    """Frames of each set, evenly over its subjects, in the order of the rows.

    Args:
        store: Where they are.
        rows: Bona fide presentations.
        most_per_set: Frames of a set at most.
    """
    by_set: dict[str, dict[str, list[tuple[Presentation, int]]]] = {}
    for row in rows:
        places = sorted({place for w in store.windows(row.path, row.max_frames) for place in w})
        of_set = by_set.setdefault(set_of(row), {})
        of_set.setdefault(row.subject or row.path, []).extend((row, place) for place in places)
    chosen = []
    for subjects in by_set.values():
        taken: list[tuple[Presentation, int]] = []
        for turn in range(max(map(len, subjects.values()), default=0)):
            for frames in subjects.values():
                if turn < len(frames) and len(taken) < most_per_set:
                    # Neighbours in time are alike: a stride through all of a subject's frames.
                    taken.append(frames[(turn * _stride(len(frames))) % len(frames)])
        chosen += taken
    return chosen


def _stride(num: int) -> int:
    """A step through `num` frames that meets each once, about a golden section of them."""
    step = max(1, round(0.618 * num))
    while math.gcd(step, num) > 1:
        step += 1
    return step


def _describe(
    experiment: Experiment,
    network: Network,
    data: TrainingData,
    views: list[_View],
    folder: RunFolder,
    progress: Progress,
    kind: str = "views",
) -> _Described:
    """Run the frozen backbone on all views, or read what an earlier go has kept.

    `kind` names the files that it is kept in.
    """
    parts = []
    backbone = network.advisor.backbone
    network.eval()
    advisor = network.advisor
    advisor.feature_mean.zero_()
    advisor.feature_deviation.fill_(1)
    device = next(network.parameters()).device
    reader = reader_of(data.folder, network.config)
    for start in range(0, len(views), _SHARD):
        shard = views[start : start + _SHARD]
        found = folder.read_array(_shard_name(start, kind))
        if found is None:
            draws = [view.draw for view in shard]
            batches = [draws[at : at + _BATCH] for at in range(0, len(draws), _BATCH)]
            numbers = []
            for batch in load_batches(reader, batches, experiment.data.num_workers):
                augmented = augment(batch, backbone.mean_rgb, backbone.std_rgb)
                crops, context = augmented.crops.to(device), augmented.context
                with torch.inference_mode():
                    _, described = advisor.describe(
                        crops[:, 0], None if context is None else context[:, 0].to(device)
                    )
                assert described is not None
                numbers.append(described.cpu().numpy())
            found = np.concatenate(numbers)
            folder.write_array(_shard_name(start, kind), found)
        parts.append(found)
        progress.say(f"stage 1: {start + len(shard)} of {len(views)} views are described")
    if not parts:
        raise TrainingError("expected frames to fit the head on, found none: see `data info`")
    return _joined(views, parts)


def _standardised(
    described: _Described,
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"], Float[np.ndarray, "v d"]]:
    """Mean and deviation over the views that are fitted on, and all views by them."""
    fitted = described.numbers[~described.is_plain]
    mean, deviation = fitted.mean(0), fitted.std(0) + _LEAST_DEVIATION
    return mean, deviation, (described.numbers - mean) / deviation


def _joined(views: Sequence[_View], shards: Sequence[np.ndarray]) -> _Described:
    """The shards of all views, with what each view is."""
    rows = [view.row for view in views]
    return _Described(
        np.concatenate(shards),
        np.array([set_of(row) for row in rows]),
        np.array([row.subject or row.path for row in rows]),
        np.array([view.draw.species or "" for view in views]),
        np.array([view.is_plain for view in views]),
    )


def _shard_name(start: int, kind: str = "views") -> str:
    return f"stage1/{kind}-{start:06}.npy"


def _fit(
    config: FitConfig,
    advisor: Advisor,
    described: _Described,
    standard: Float[np.ndarray, "v d"],
    used: Bool[np.ndarray, " v"],
) -> _Head:
    """One head a crop, in units of its spread over bona fide views, added."""
    which = used & ~described.is_plain
    is_attack = described.species[which] != ""
    weights = _weights(config, described, which)
    total, bias = np.zeros(standard.shape[1]), 0.0
    for start, end in _crops(advisor):
        numbers = standard[which, start:end]
        w, b = fit_logistic(numbers, is_attack, weights, config.inverse_penalty)
        spread = float((numbers[~is_attack] @ w + b).std())
        total[start:end] = w / spread
        bias += b / spread
    return _Head(total, bias)


def _crops(advisor: Advisor) -> list[tuple[int, int]]:
    """Where the numbers of each crop begin and end."""
    ends = sorted({part.is_context: part.end for part in advisor.frame_parts}.values())
    return list(zip([0, *ends[:-1]], ends, strict=True))


def _weights(
    config: FitConfig, described: _Described, which: Bool[np.ndarray, " v"]
) -> Float[np.ndarray, " used"]:
    """Each set counts alike, bona fide as much as attacks, screens more than prints; mean 1."""
    sets, species = described.sets[which], described.species[which]
    share = {"": 1.0, "replay": config.screens_per_print, "print": 1.0}
    attacks = share["replay"] + share["print"]
    weights = np.zeros(len(sets))
    for name in np.unique(sets):
        for kind in np.unique(species):
            here = (sets == name) & (species == kind)
            of_kind = 1.0 if kind == "" else share[str(kind)] / attacks
            weights[here] = of_kind / max(here.sum(), 1)
    return np.asarray(weights * len(weights) / weights.sum())


def _hold_out(
    config: FitConfig,
    advisor: Advisor,
    described: _Described,
    standard: Float[np.ndarray, "v d"],
    progress: Progress,
) -> HeldOut:
    """Leave out each set in turn; of one set alone, its subjects in five groups."""
    groups = described.sets
    if len(np.unique(groups)) < 2:
        subjects = np.unique(described.subjects)
        if len(subjects) < 2:
            raise TrainingError(
                "expected frames of at least two subjects, of whom some can be left out, got "
                f"{len(subjects)}"
            )
        of = {subject: f"subjects {at % _FOLDS}" for at, subject in enumerate(subjects)}
        groups = np.array([of[subject] for subject in described.subjects])
    margins = np.zeros(len(standard))
    for name in np.unique(groups):
        head = _fit(config, advisor, described, standard, groups != name)
        margins[groups == name] = standard[groups == name] @ head.weights + head.bias
        progress.say(f"stage 1: fitted without {name}")
    scores = 1 / (1 + np.exp(margins))
    plain = described.is_plain
    # Sets count alike: the quantile of all, each frame by its set's size.
    order = np.argsort(scores[plain])
    sizes = {name: (groups[plain] == name).sum() for name in np.unique(groups)}
    share = np.array([1 / sizes[name] for name in groups[plain]])[order].cumsum() / len(sizes)
    at = int(np.searchsorted(share, config.held_out_bpcer))
    threshold = float(np.clip(scores[plain][order][at], 1e-6, 1))
    sets = []
    for name in np.unique(groups):
        here = groups == name
        bona_fide = scores[here & ~plain & (described.species == "")]
        attacks = scores[here & ~plain & (described.species != "")]
        stored = scores[here & plain]
        sets.append(
            HeldOutSet(
                name=str(name) or "all",
                num_bona_fide=len(stored),
                num_subjects=len(np.unique(described.subjects[here])),
                auc=auc(stored, attacks),
                auc_filmed=auc(bona_fide, attacks),
                bpcer=float((stored < threshold).mean()),
                apcer=max(
                    float((scores[here & (described.species == species)] >= threshold).mean())
                    for species in np.unique(described.species[here])
                    if species
                ),
            )
        )
        progress.say(
            f"stage 1: without {sets[-1].name}: AUC {sets[-1].auc:.3f} of simulated attacks, "
            f"BPCER {sets[-1].bpcer:.1%} of {len(stored)} frames of {sets[-1].num_subjects} people"
        )
    return HeldOut(threshold, tuple(sets))


def _install(
    advisor: Advisor,
    head: _Head,
    mean: Float[np.ndarray, " d"],
    deviation: Float[np.ndarray, " d"],
) -> None:
    """Put a head into the network: half of the margin to each logit."""
    weights = torch.from_numpy(head.weights)
    with torch.no_grad():
        advisor.feature_mean.copy_(torch.from_numpy(mean))
        advisor.feature_deviation.copy_(torch.from_numpy(deviation))
        advisor.classifier.weight.copy_(torch.stack([-weights / 2, weights / 2]))
        advisor.classifier.bias.copy_(torch.tensor([-head.bias / 2, head.bias / 2]))
