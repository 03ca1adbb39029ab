"""Scores a side of the data with the network in hand, and judges it: how an epoch is chosen."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from vivant.errors import DataError, InputError
from vivant.geometry.crop import CONTEXT_SCALE
from vivant.geometry.grid import CROP_SIDE_PX
from vivant.metrics.rates import Rates, rates
from vivant.metrics.thresholds import eer_threshold
from vivant.networks.config import NetworkConfig
from vivant.networks.network import Network, NetworkOutput
from vivant.networks.preprocessing import Normalise
from vivant.preparation.clips import ClipStore, spread_windows
from vivant.preparation.place import Place
from vivant.records import Label, Presentation
from vivant.training.cache import AdviceCache
from vivant.training.config import AugmentConfig
from vivant.training.draws import Draw, pick_background, unchanged
from vivant.training.loader import ClipReader, load_batches

__all__ = [
    "Judgement",
    "SideScores",
    "judge",
    "mean_by_presentation",
    "reader_of",
    "score_side",
]

_DEV_SEED = 0xDE5


@dataclass(frozen=True, slots=True, eq=False)
class SideScores:
    """Scores of the presentations of one side: the mean over each one's windows (D24)."""

    rows: tuple[Presentation, ...]
    """Those that have a clip."""
    fused: Float[np.ndarray, " n"]
    """Bona fide scores, 0..1, higher is bona fide: what the network answers."""
    advisor: Float[np.ndarray, " n"]
    """Of the Advisor alone."""
    aam: Float[np.ndarray, " n"] | None
    """Of the second module alone; None where there is none, or it is not trained yet."""

    def by_class(
        self, scores: Float[np.ndarray, " n"]
    ) -> tuple[Float[np.ndarray, " b"], dict[str, Float[np.ndarray, " a"]]]:
        """Bona fide scores, and those of each PAI species."""
        bona_fide = np.array([row.label is Label.BONA_FIDE for row in self.rows])
        species = sorted({row.pai_species for row in self.rows if row.pai_species is not None})
        of = {name: [row.pai_species == name for row in self.rows] for name in species}
        return scores[bona_fide], {name: scores[np.array(which)] for name, which in of.items()}


@dataclass(frozen=True, slots=True)
class Judgement:
    """How good an epoch is, on the dev side."""

    threshold: float
    """At equal error on the dev side itself (worst PAI species), above 0 and at most 1."""
    rates: Rates
    """There."""
    d_eer: float


@torch.inference_mode()
def score_side(
    network: Network,
    store: ClipStore,
    folder: Place,
    rows: Sequence[Presentation],
    num_windows: int,
    *,
    advisor_only: bool = False,
    batch_clips: int = 8,
    num_workers: int = 0,
    share: tuple[int, int] = (0, 1),
    cache: AdviceCache | None = None,
    augment: AugmentConfig | None = None,
) -> SideScores:
    """Score presentations, in evaluation mode and without augmentation.

    The network's modes are as before afterwards.

    Args:
        network: On any device.
        store: Where the clips are.
        folder: Of the store.
        rows: Of one side.
        num_windows: W of each presentation.
        advisor_only: Whether the second module is passed over: it is not trained yet.
        batch_clips: Clips at once.
        num_workers: Processes that read.
        share: (rank, processes): each takes its share of the rows, and all get all scores.
        cache: What a frozen Advisor said of these clips before, at the same windows; it is filled
            with what it lacks.
        augment: The training's, where it makes attacks of bona fide clips: those of `rows` are made
            in the same way, of draws of their own, and both classes are filmed alike.

    Raises:
        DataError: none of them has a clip.
    """
    seen = tuple(row for row in rows if store.windows(row.path, row.max_frames))
    if not seen:
        raise DataError(f"none of {len(rows)} presentations has a clip: see `vivant data info`")
    rank, world = share
    mine = seen[rank::world]
    windows = [spread_windows(store.windows(r.path, r.max_frames), num_windows) for r in mine]
    owners = np.repeat(np.arange(len(mine)), [len(found) for found in windows])
    places = [(mine[owner], window) for owner, window in zip(owners, chain(*windows), strict=True)]
    draws = [
        Draw(row.path, row.label, window, unchanged(), key)
        for key, (row, window) in enumerate(places)
    ]
    if augment is not None and augment.recapture:
        draws = [
            _recaptured(draw, row, store, seen, augment)
            for draw, (row, _) in zip(draws, places, strict=True)
        ]
    batches = [draws[at : at + batch_clips] for at in range(0, len(draws), batch_clips)]
    config = network.config
    reader = reader_of(folder, config)
    device = next(network.parameters()).device
    normalise = Normalise.of(network.advisor.backbone).to(device)
    found_scores: list[tuple[float, float, float]] = []
    with _evaluating(network):
        for batch in load_batches(reader, batches, num_workers):
            crops = normalise(batch.crops.to(device))
            context = None if batch.context is None else normalise(batch.context.to(device))
            if cache is not None and cache.has(batch):
                advice = cache.of(batch)
            else:
                advice = network.advise(crops, context)
                if cache is not None:
                    cache.keep(batch, advice)
            aam = {} if advisor_only or network.aam is None else network.attend(crops, advice)
            found_scores += _triples(network.conclude(advice, aam))
    values = mean_by_presentation(np.array(found_scores).reshape(-1, 3), owners, len(mine))
    if world > 1:
        values = _gathered(values, len(seen), share)
    has_aam = network.aam is not None and not advisor_only
    return SideScores(seen, values[:, 0], values[:, 1], values[:, 2] if has_aam else None)


def reader_of(folder: Place, config: NetworkConfig) -> ClipReader:
    """A reader of what a network sees.

    Args:
        folder: Of the store.
        config: Of the network.
    """
    context_scale = CONTEXT_SCALE if config.advisor.context else None
    side = config.crop_side_px
    return ClipReader(folder, config.num_frames, side, CROP_SIDE_PX, context_scale)


def _recaptured(
    draw: Draw,
    row: Presentation,
    store: ClipStore,
    rows: Sequence[Presentation],
    augment: AugmentConfig,
) -> Draw:
    """A draw of the dev side whose attack is made while it is read, always the same."""
    generator = np.random.default_rng((_DEV_SEED, draw.key))
    return draw._replace(
        augmentation=unchanged(augment.camera),
        species=row.pai_species,
        background=pick_background(store, rows, generator),
        seed=int(generator.integers(2**62)),
    )


def mean_by_presentation(
    scores: Float[np.ndarray, "clips kinds"], owners: np.ndarray, num_presentations: int
) -> Float[np.ndarray, "presentations kinds"]:
    """The mean over the clips of each presentation.

    Raises:
        InputError: a presentation without a clip.
    """
    counts = np.bincount(owners, minlength=num_presentations)
    if not counts.all():
        raise InputError("expected at least one clip of each presentation, got one without")
    sums = np.stack(
        [np.bincount(owners, column, minlength=num_presentations) for column in scores.T], axis=1
    )
    return np.asarray(sums / counts[:, None])


def judge(scores: SideScores, by: Float[np.ndarray, " n"] | None = None) -> Judgement:
    """The error rates of the dev side at its own threshold of equal error.

    Args:
        scores: Of the dev side.
        by: One of its scores; None: the fused one.

    Raises:
        InputError: a class is missing.
    """
    bona_fide, attacks = scores.by_class(scores.fused if by is None else by)
    threshold, d_eer = eer_threshold(bona_fide, attacks)
    if threshold <= 0 or math.isinf(threshold):
        # Everything, or nothing, would be accepted: no threshold that a card may have. The next
        # score above 0, or 1, decides the same of these presentations or rejects more.
        positive = np.unique(np.concatenate([bona_fide, *attacks.values()]))
        positive = positive[positive > 0]
        threshold = float(positive[0]) if threshold <= 0 and len(positive) else 1.0
    return Judgement(threshold, rates(bona_fide, attacks, threshold), d_eer)


def _triples(output: NetworkOutput) -> list[tuple[float, float, float]]:
    """Fused, Advisor, second module (or NaN) of each clip."""
    nothing = torch.full_like(output.advisor_score, math.nan)
    aam = nothing if output.aam_score is None else output.aam_score
    table = torch.stack([output.bona_fide_score, output.advisor_score, aam], dim=1)
    return [(row[0], row[1], row[2]) for row in table.double().cpu().tolist()]


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Within, a module is in evaluation mode; afterwards each of its parts is as it was."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def _gathered(values: np.ndarray, num_rows: int, share: tuple[int, int]) -> np.ndarray:
    """The shares of all processes, in the order of the rows."""
    parts: list[np.ndarray] = [np.empty(0)] * share[1]
    torch.distributed.all_gather_object(parts, values)
    whole = np.empty((num_rows, values.shape[1]))
    for rank, part in enumerate(parts):
        whole[rank :: share[1]] = part
    return whole
