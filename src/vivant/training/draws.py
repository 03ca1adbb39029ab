"""Which clips a training sees, in which order, and how each is augmented.

All of it is a function of the seed, the stage, the epoch and the place in the epoch: whoever knows
where a training stopped can go on, and it does not matter how many processes share a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vivant.attacks.draws import Ranges
from vivant.errors import DataError
from vivant.geometry.crop import CROP_SCALE
from vivant.geometry.grid import CROP_SIDE_PX
from vivant.preparation.clips import ClipStore, Window
from vivant.records import Label, Presentation
from vivant.training.config import AugmentConfig, DataConfig

__all__ = [
    "Augmentation",
    "Draw",
    "Drawer",
    "draw_augmentation",
    "pick_background",
    "steps_per_epoch",
    "unchanged",
]

Box = tuple[float, float, float, float]
"""x0 y0 x1 y1, of 0..1 of the crop; all 0 where there is none."""
_NOWHERE: Box = (0.0, 0.0, 0.0, 0.0)


class Augmentation(NamedTuple):
    """What is done to a clip: one set of numbers for its frames and depth maps."""

    scale: float
    """Side of the crop as a multiple of the face's longer side."""
    is_flipped: bool
    colour: tuple[float, float, float]
    """Added to red, green, blue, in 0..1."""
    gamma: float
    erased: Box
    cut_out: Box
    shift: tuple[float, float] = (0.0, 0.0)
    """Of the crop's middle (x, y), as a share of the face's longer side."""
    camera: float = 0.0
    """Strength of `attacks.filming.film`; 0: as it was filmed."""


class Draw(NamedTuple):
    """One clip of a batch."""

    path: str
    """Of its presentation."""
    label: Label
    window: Window
    augmentation: Augmentation
    key: int
    """The same for the same clip with the same augmentation, within a stage that repeats them;
    otherwise its place in the epoch."""
    species: str | None = None
    """The attack that is made of this bona fide clip while it is read; None: as it is stored."""
    background: Window | None = None
    """Another clip: what is behind the paper or screen, and mirrored in it."""
    seed: int = 0
    """Of what is drawn while it is read: recapture and camera."""
    ranges: Ranges = "all"
    """Which half of the recapture's parameters it may have."""


def steps_per_epoch(data: DataConfig, num_rows: int) -> int:
    """Optimiser steps of an epoch: whole batches only, and at least one.

    Args:
        data: Says how many clips.
        num_rows: Presentations of the train side.
    """
    return max((data.clips_per_epoch or num_rows) // data.batch_clips, 1)


def unchanged(camera: float = 0.0) -> Augmentation:
    """A clip as a session sees it.

    Args:
        camera: `Augmentation.camera`.
    """
    nothing = Augmentation(CROP_SCALE, False, (0.0, 0.0, 0.0), 1.0, _NOWHERE, _NOWHERE)
    return nothing._replace(camera=camera)


def draw_augmentation(config: AugmentConfig, generator: np.random.Generator) -> Augmentation:
    """Draw what is done to one clip."""
    if not config.enabled:
        return unchanged()
    shift = config.colour_shift / 255
    colour = generator.uniform(-shift, shift, 3)
    return Augmentation(
        scale=float(generator.uniform(*config.scale_range)),
        is_flipped=bool(generator.random() < config.flip_share),
        colour=(float(colour[0]), float(colour[1]), float(colour[2])),
        gamma=float(generator.uniform(*config.gamma_range)),
        erased=_rectangle(config, generator),
        cut_out=_square(config, generator),
        shift=_shift(config, generator),
        camera=config.camera,
    )


def _shift(config: AugmentConfig, generator: np.random.Generator) -> tuple[float, float]:
    if not config.shift:
        return 0.0, 0.0  # Without a draw: the paper's recipes have the bits they had.
    x, y = generator.uniform(-config.shift, config.shift, 2)
    return float(x), float(y)


def _rectangle(config: AugmentConfig, generator: np.random.Generator) -> Box:
    is_erased = generator.random() < config.erase_share
    area, aspect = generator.uniform(*config.erase_area), np.exp(generator.uniform(-1, 1))
    width, height = min(np.sqrt(area * aspect), 1.0), min(np.sqrt(area / aspect), 1.0)
    x, y = generator.uniform(0, 1 - width), generator.uniform(0, 1 - height)
    return (float(x), float(y), float(x + width), float(y + height)) if is_erased else _NOWHERE


def _square(config: AugmentConfig, generator: np.random.Generator) -> Box:
    side = generator.uniform(0, config.cutout_px / CROP_SIDE_PX)
    x, y = generator.uniform(0, 1, 2)  # Its middle may be anywhere: at an edge it is smaller.
    x0, y0 = max(x - side / 2, 0.0), max(y - side / 2, 0.0)
    return (float(x0), float(y0), float(min(x + side / 2, 1.0)), float(min(y + side / 2, 1.0)))


@dataclass(frozen=True, slots=True)
class Drawer:
    """Draws the epochs of one stage.

    Args:
        store: Where the clips are.
        rows: Presentations of the train side.
        data: Sampler and number of clips.
        augment: What is drawn for each clip.
        seed: Of the training.
        stage: 1, 2 or 3: each has draws of its own.
        repeats: Whether every epoch has the same clips with the same augmentation, in another
            order: for `cache_advisor`.
    """

    store: ClipStore
    rows: tuple[Presentation, ...]
    data: DataConfig
    augment: AugmentConfig
    seed: int
    stage: int
    repeats: bool = False

    def epoch(self, epoch: int) -> list[Draw]:
        """The clips of an epoch, in their order.

        Raises:
            DataError: the train side lacks a class, or has no clip of one.
        """
        num_clips = self.data.batch_clips * steps_per_epoch(self.data, len(self.rows))
        drawn = 0 if self.repeats else epoch
        generator = np.random.default_rng((self.seed, self.stage, drawn, 0))
        groups = self._groups()
        if self.data.sampler == "balanced":
            picked = _balanced(groups, num_clips, generator)
        else:
            everything = [row for rows in groups.values() for row in rows]
            picked = _dealt(everything, num_clips, generator)
        draws = [self._draw(row, place, drawn) for place, row in enumerate(picked)]
        order = np.random.default_rng((self.seed, self.stage, epoch, 1)).permutation(len(draws))
        return [draws[place] for place in order.tolist()]

    def _draw(self, row: Presentation, place: int, epoch: int) -> Draw:
        generator = np.random.default_rng((self.seed, self.stage, epoch, 2, place))
        windows = self.store.windows(row.path, row.max_frames)
        window = windows[int(generator.integers(len(windows)))]
        augmentation = draw_augmentation(self.augment, generator)
        if not self.augment.recapture:
            return Draw(row.path, row.label, window, augmentation, place)
        background = pick_background(self.store, self.rows, generator)
        seed = int(generator.integers(2**62))
        return Draw(
            row.path, row.label, window, augmentation, place, row.pai_species, background, seed
        )

    def _groups(self) -> dict[str, list[Presentation]]:
        """Presentations that have a clip: bona fide, and each PAI species."""
        groups: dict[str, list[Presentation]] = {}
        for row in self.rows:
            if self.store.windows(row.path, row.max_frames):
                groups.setdefault(row.pai_species or "", []).append(row)
        if "" not in groups or len(groups) < 2:
            lacking = "an attack" if "" in groups else "bona fide"
            raise DataError(
                f"expected clips of both classes to train with, found none that is {lacking} among "
                f"{len(self.rows)} presentations: see `vivant data info`"
            )
        return groups


def pick_background(
    store: ClipStore, rows: Sequence[Presentation], generator: np.random.Generator
) -> Window:
    """A frame of any clip, for what is behind a recaptured one.

    Args:
        store: Where the clips are.
        rows: Of the side; some have a clip.
        generator: Draws.
    """
    while True:
        row = rows[int(generator.integers(len(rows)))]
        windows = store.windows(row.path, row.max_frames)
        if windows:
            return windows[int(generator.integers(len(windows)))][:1]


def _balanced(
    groups: dict[str, list[Presentation]], num_clips: int, generator: np.random.Generator
) -> list[Presentation]:
    """Half bona fide, half attacks; of those as many of each PAI species, as far as it divides."""
    species = sorted(name for name in groups if name)
    generator.shuffle(species)  # Who gets one more, where it does not divide.
    num_bona_fide = num_clips // 2
    num_attacks = num_clips - num_bona_fide
    picked = _dealt(groups[""], num_bona_fide, generator)
    for number, name in enumerate(species):
        share = num_attacks // len(species) + (number < num_attacks % len(species))
        picked += _dealt(groups[name], share, generator)
    return picked


def _dealt(
    rows: Sequence[Presentation], num_clips: int, generator: np.random.Generator
) -> list[Presentation]:
    """Each row as often as any other, as far as it divides."""
    order: list[int] = []
    while len(order) < num_clips:
        order += generator.permutation(len(rows)).tolist()
    return [rows[place] for place in order[:num_clips]]
