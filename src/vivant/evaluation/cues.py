"""The cue check: can a store's classes be told apart by something that is no trace of an attack?

A border, brightness, the size of a JPEG: a logistic regression on such statistics of the crops, and
each of them alone. What these find, a network finds first, and learns instead of the attack.

The regression is linear: what gives attacks away by being in between escapes it. And its rates are
those of the worst PAI species: look at APCER by species for a cue that gives away one of them.
With labels shuffled, 16 bona fide and 64 attacks have an ACER of about 53 %, and the best of the
27 statistics one of about 39 %.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Shaped
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from vivant.datasets.dataset import Counts, Splits, counts
from vivant.errors import DataError, InputError
from vivant.geometry.crop import CROP_SCALE
from vivant.geometry.grid import CROP_SIDE_PX
from vivant.metrics.rates import Rates, rates
from vivant.metrics.thresholds import eer_threshold
from vivant.preparation.clips import ClipStore, decode
from vivant.records import Label, Presentation, Split

__all__ = [
    "CLIP_STATISTICS",
    "STATISTICS",
    "CueReport",
    "Side",
    "check_cues",
    "clip_statistics",
    "fit_regression",
    "measure",
    "statistics",
    "with_clips",
]

STATISTICS = (
    "mean_red", "mean_green", "mean_blue", "std_red", "std_green", "std_blue", "saturation",
    "sharpness", "noise", "jpeg_size", "border_mean", "border_std", "border_edge",
)  # fmt: skip
"""Of a crop, in the order of `statistics`."""
CLIP_STATISTICS = (*STATISTICS, *(f"{name}_change" for name in STATISTICS), "motion")
"""Of a clip, in the order of `clip_statistics`."""

_BORDER_PX = CROP_SIDE_PX // 8
_JPEG_QUALITY = 90
_HIGH_PASS = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
_NOISE_GAIN = 6 * 0.6745  # Median absolute answer of `_HIGH_PASS` to normal noise of deviation 1.
_REGULARISATIONS = (0.01, 0.1, 1.0, 10.0, 100.0)


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One side of a protocol: what a glance says of each presentation."""

    presentations: tuple[Presentation, ...]
    features: Float[np.ndarray, "presentations features"]


@dataclass(frozen=True, slots=True)
class CueReport:
    """How well trivial cues tell attacks from bona fide."""

    counts: Counts
    """Bona fide presentations and attacks of each side, each with one clip."""
    together: Rates
    """On test, of a regression on all statistics."""
    dev_eer: float
    """Its D-EER on dev, 0..1, where its threshold comes from."""
    regularisation: float
    """Its C, chosen by that D-EER."""
    alone: Mapping[str, Rates]
    """On test, of a regression on one statistic alone, found likewise; the lowest ACER first."""


def statistics(crop: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, " features"]:
    """What a glance says of a crop, in the order of `STATISTICS`.

    - Mean and standard deviation of each channel, in grey levels; mean saturation of HSV, 0..255.
    - Sharpness: log(1 + variance of the luma's Laplacian).
    - Noise: its standard deviation in grey levels, by Immerkaer's mask (1996) and a median.
    - JPEG size: log of the bytes at quality 90.
    - Border: mean and standard deviation of the luma in a frame of 28 pixels less those of the
      middle; and the strongest straight edge along a side, in grey levels.

    Args:
        crop: (224, 224, 3) as the network sees it, RGB, 0..255.

    Raises:
        InputError: it is no such crop.
    """
    if crop.dtype != np.uint8 or crop.shape != (CROP_SIDE_PX, CROP_SIDE_PX, 3):
        expected = f"uint8 {(CROP_SIDE_PX, CROP_SIDE_PX, 3)}"
        raise InputError(f"expected a crop of {expected}, got {crop.dtype} {crop.shape}")
    means, deviations = cv2.meanStdDev(crop)  # (3, 1) each
    luma = np.asarray(cv2.cvtColor(crop.astype(np.float32), cv2.COLOR_RGB2GRAY))
    is_border = np.ones(luma.shape, np.bool_)
    is_border[_BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX] = False
    border, middle = luma[is_border], luma[~is_border]
    laplacian = np.asarray(cv2.Laplacian(luma, cv2.CV_32F))
    residual = np.asarray(cv2.filter2D(luma, cv2.CV_32F, _HIGH_PASS))
    bgr = cv2.cvtColor(crop, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return np.array(
        [
            *means[:, 0],
            *deviations[:, 0],
            np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2HSV))[..., 1].mean(),
            np.log1p(laplacian.var()),
            np.median(np.abs(residual)) / _NOISE_GAIN,
            np.log(len(encoded)),
            border.mean() - middle.mean(),
            border.std() - middle.std(),
            max(_edge(np.rot90(luma, turns)) for turns in range(4)),
        ],
        np.float64,
    )


def clip_statistics(store: ClipStore, presentation: Presentation) -> Float[np.ndarray, " features"]:
    """What a glance says of a presentation's middle clip, in the order of `CLIP_STATISTICS`.

    The mean of each statistic over the frames; its mean absolute change from one frame to the next,
    where flicker shows; and motion, that of the pixels.

    Raises:
        DataError: the presentation has no clip.
    """
    windows = store.windows(presentation.path, presentation.max_frames)
    if not windows:
        raise DataError(f"expected a clip of {presentation.path}, found none: see `with_clips`")
    (raw,) = store.read([windows[len(windows) // 2]])
    crops = decode(raw, CROP_SCALE, CROP_SIDE_PX).crops
    frames = np.stack([statistics(crop) for crop in crops])  # (n, statistics)
    change = np.abs(np.diff(frames, axis=0)).mean(0)
    motion = np.abs(np.diff(crops.astype(np.float32), axis=0)).mean()
    return np.concatenate([frames.mean(0), change, [motion]])


def with_clips(store: ClipStore, splits: Splits) -> Splits:
    """The presentations of each side that have a clip.

    Raises:
        DataError: a side has no bona fide presentation left, or no attack.
    """
    found = {
        split: tuple(
            row for row in splits.get(split, ()) if store.windows(row.path, row.max_frames)
        )
        for split in Split
    }
    _require_both(counts(found))
    return found


def measure(store: ClipStore, presentations: Iterable[Presentation]) -> Side:
    """Look at the middle clip of each presentation of a side.

    Raises:
        DataError: one of them has no clip.
    """
    seen = [(row, clip_statistics(store, row)) for row in presentations]
    features = np.reshape([each for _, each in seen], (-1, len(CLIP_STATISTICS)))
    return Side(tuple(row for row, _ in seen), features)


def check_cues(train: Side, dev: Side, test: Side) -> CueReport:
    """Tell attacks from bona fide by trivial cues, as well as a logistic regression can.

    It learns on train; C and the threshold (D-EER, worst PAI species) are chosen on dev; the rates
    are those on test.

    Args:
        train: From `measure`, as the other two, each with both classes.
        dev: Other subjects.
        test: Others again.

    Raises:
        DataError: a side has no bona fide presentation, or no attack.
    """
    sides = {Split.TRAIN: train, Split.DEV: dev, Split.TEST: test}
    num_presentations = counts({split: side.presentations for split, side in sides.items()})
    _require_both(num_presentations)
    columns = range(len(CLIP_STATISTICS))
    together, dev_eer, regularisation = _judge(sides, columns, _REGULARISATIONS)
    # Alone, a statistic is only scaled and perhaps turned round: C changes no decision.
    alone = {name: _judge(sides, [at], (1.0,))[0] for at, name in enumerate(CLIP_STATISTICS)}
    by_acer = dict(sorted(alone.items(), key=lambda each: each[1].acer))
    return CueReport(num_presentations, together, dev_eer, regularisation, by_acer)


def fit_regression(
    features: Float[np.ndarray, "presentations features"],
    is_bona_fide: Sequence[bool],
    regularisation: float,
) -> Pipeline:
    """A logistic regression that tells bona fide from attacks; both classes weigh alike.

    Args:
        features: Statistics: they are standardised.
        is_bona_fide: Of each presentation.
        regularisation: C.
    """
    regression = LogisticRegression(C=regularisation, class_weight="balanced", max_iter=1000)
    return make_pipeline(StandardScaler(), regression).fit(features, is_bona_fide)


def _require_both(num_presentations: Counts) -> None:
    for split, (bona_fide, attack) in num_presentations.items():
        if not (bona_fide and attack):
            raise DataError(
                "expected bona fide presentations and attacks with a clip on train, dev and test, "
                f"found {bona_fide} and {attack} on {split}: use another protocol, or prepare more"
            )


def _edge(luma: Float[np.ndarray, "side side"]) -> float:
    """The strongest horizontal edge near the upper side, in grey levels from a row to the next.

    By quarters of the side, so that an edge may be a few degrees off.
    """
    steps = np.diff(luma[:_BORDER_PX], axis=0)
    quarters = np.abs(steps.reshape(len(steps), 4, -1).mean(2))  # (rows, 4)
    return float(quarters.max(0).mean())


def _judge(
    sides: Mapping[Split, Side], columns: Sequence[int], regularisations: Sequence[float]
) -> tuple[Rates, float, float]:
    """A regression on some of the statistics: its rates on test, D-EER on dev, and its C."""
    train = sides[Split.TRAIN]
    is_bona_fide = [row.label is Label.BONA_FIDE for row in train.presentations]
    models = [fit_regression(train.features[:, columns], is_bona_fide, c) for c in regularisations]
    thresholds = [
        eer_threshold(*_scores(model, sides[Split.DEV], columns), "worst") for model in models
    ]
    best = min(range(len(models)), key=lambda at: thresholds[at][1])  # Of equals the first.
    threshold, dev_eer = thresholds[best]
    on_test = rates(*_scores(models[best], sides[Split.TEST], columns), threshold)
    return on_test, dev_eer, regularisations[best]


def _scores(
    model: Pipeline, side: Side, columns: Sequence[int]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Log odds of bona fide: of the bona fide presentations, and of attacks by PAI species."""
    scores = model.decision_function(side.features[:, columns])
    species = np.array([row.pai_species or "" for row in side.presentations])
    return scores[species == ""], {
        str(name): scores[species == name] for name in np.unique(species) if name
    }
