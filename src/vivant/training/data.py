"""The data of a training: the train and dev side of a store. The test side is not kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vivant.datasets.naming import divide
from vivant.errors import TrainingError
from vivant.geometry.crop import CONTEXT_SCALE, CROP_SCALE
from vivant.preparation.clips import ClipStore
from vivant.preparation.info import fingerprint
from vivant.preparation.place import Place
from vivant.preparation.store import Store
from vivant.records import Label, Presentation, Split
from vivant.training.config import Experiment

__all__ = ["RECAPTURED", "TrainingData", "data_for", "open_data", "widest_crop", "with_recaptures"]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a training may see."""

    name: str
    """Data set and protocol, as they were named: `oulu-npu:1`."""
    folder: Place
    """The store."""
    clips: ClipStore
    train: tuple[Presentation, ...]
    dev: tuple[Presentation, ...]
    fingerprint: str
    """Of all that is in the store."""
    is_synthetic: bool
    interval_s: float
    """Between two frames of a clip."""

    @property
    def pai_species(self) -> tuple[str, ...]:
        """The kinds of attack that are trained with: those that have a clip."""
        seen = [row for row in self.train if self.clips.windows(row.path, row.max_frames)]
        return tuple(sorted({row.pai_species for row in seen if row.pai_species}))

    @property
    def described(self) -> dict[str, object]:
        """For `environment.json`."""
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "is_synthetic": self.is_synthetic,
            "train": len(self.train),
            "dev": len(self.dev),
        }


RECAPTURED = ("print", "replay")
"""PAI species that are made of bona fide clips while they are read."""


def open_data(
    folder: Place, protocol: str, num_frames: int, *, recapture: bool = False
) -> TrainingData:
    """The train and dev side of a protocol, once both are found to have clips of both classes.

    Args:
        folder: A store, written by `vivant data prepare`.
        protocol: Such as `oulu-npu:1`; a data set without protocols by its name alone.
        num_frames: N, the frames of a clip.
        recapture: Whether attacks are made of the bona fide clips, and the store's own left out.

    Raises:
        DataError: it is no store, another data set's, or the protocol is none of that data set.
        UnknownNameError: there is no such data set or protocol.
        TrainingError: a side is empty, or lacks a class.
    """
    store = Store(folder)
    clips = ClipStore(folder, num_frames)
    splits = divide(store.manifest.dataset, clips.presentations, protocol)
    if recapture:
        splits = {split: with_recaptures(rows) for split, rows in splits.items()}
    for split in (Split.TRAIN, Split.DEV):
        _require_both_classes(clips, splits[split], f"{split.value} side of {protocol}", folder)
    return TrainingData(
        name=protocol,
        folder=folder,
        clips=clips,
        train=splits[Split.TRAIN],
        dev=splits[Split.DEV],
        fingerprint=fingerprint(store),
        is_synthetic=store.manifest.is_synthetic or recapture,
        interval_s=store.manifest.settings.interval_s,
    )


def data_for(experiment: Experiment, folder: Place, protocol: str) -> TrainingData:
    """The data of a training: as `open_data`, with the attacks that the experiment makes.

    Args:
        experiment: Of what network, and whether it makes its attacks.
        folder: As for `open_data`.
        protocol: As for `open_data`.

    Raises:
        DataError: the store is too narrow for the widest crop that is drawn; else as `open_data`.
    """
    num_frames, recapture = experiment.network.num_frames, experiment.augment.recapture
    found = open_data(folder, protocol, num_frames, recapture=recapture)
    found.clips.require_margin(widest_crop(experiment))
    return found


def widest_crop(experiment: Experiment) -> float:
    """Side of the widest crop that a training draws, as a multiple of the face's longer side.

    >>> from vivant.recipes.starter import starter
    >>> round(widest_crop(starter()), 2)
    2.48
    """
    augment = experiment.augment
    largest = augment.scale_range[1] if augment.enabled else CROP_SCALE
    if experiment.network.advisor.context:
        largest *= CONTEXT_SCALE / CROP_SCALE
    return largest + 2 * (augment.shift if augment.enabled else 0)


def with_recaptures(rows: Sequence[Presentation]) -> tuple[Presentation, ...]:
    """The bona fide presentations, and beside each one attack of each of `RECAPTURED`."""
    bona_fide = [row for row in rows if row.label is Label.BONA_FIDE]
    attacks = [
        replace(row, label=Label.ATTACK, pai_species=species)
        for species in RECAPTURED
        for row in bona_fide
    ]
    return (*bona_fide, *attacks)


def _require_both_classes(
    clips: ClipStore, rows: tuple[Presentation, ...], side: str, folder: Place
) -> None:
    """Refuse a side that nothing can be learned from, or chosen on.

    Raises:
        TrainingError: says what is missing.
    """
    if not rows:
        raise TrainingError(
            f"the {side} is empty in {folder}: prepare the whole data set, or choose a protocol "
            "that divides what is there (`vivant data check` counts the sides)"
        )
    usable = [row for row in rows if clips.windows(row.path, row.max_frames)]
    for label in Label:
        if not any(row.label is label for row in usable):
            what = label.name.lower().replace("_", " ")
            raise TrainingError(
                f"the {side} has no clip that is {what} among {len(rows)} presentations in "
                f"{folder}: both classes are needed (`vivant data info {folder}` says why clips "
                "are missing)"
            )
