"""Real crops for an export: some to calibrate with, others to judge by, of other people."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from vivant.errors import DataError
from vivant.networks.card import ModelCard
from vivant.preparation.clips import ClipStore, decode, spread_windows
from vivant.records import Label, Presentation

__all__ = ["JudgedClips", "read_clips"]

NUM_CALIBRATED, NUM_JUDGED = 48, 200
"""Clips at most. Each is the middle one of its presentation."""
_EACH = 4  # Every fourth subject is for calibration.
_BATCH = 16


@dataclass(frozen=True, slots=True, eq=False)
class JudgedClips:
    """Clips of a store."""

    calibration: tuple[UInt8[np.ndarray, "c n _ _ 3"], ...]
    """Of every fourth subject: crops, and their wider ones where the model sees them."""
    judged: tuple[UInt8[np.ndarray, "b n _ _ 3"], ...]
    """Of the others."""
    is_bona_fide: Bool[np.ndarray, " b"]
    """Of the judged."""
    source: str
    """The store's data set, for reports."""


def read_clips(folder: Path, card: ModelCard) -> JudgedClips:
    """Take clips out of a store, bona fide and attacks by turns.

    Args:
        folder: Written by `vivant data prepare`. Data that the model was not trained on tell more.
        card: Of the model: what a clip is.

    Raises:
        DataError: it is no store, or has too few subjects, or no clips of both kinds to judge by.
    """
    store = ClipStore.for_crops(
        folder, card.architecture.num_frames, card.preprocessing.context_scale
    )
    with_clips = [row for row in store.presentations if store.windows(row.path)]
    subjects = sorted({_subject(row) for row in with_clips})
    chosen = set(subjects[::_EACH])
    calibration = _by_turns([row for row in with_clips if _subject(row) in chosen], NUM_CALIBRATED)
    judged = _by_turns([row for row in with_clips if _subject(row) not in chosen], NUM_JUDGED)
    kinds = {row.label for row in judged}
    if not calibration or kinds != set(Label):
        raise DataError(
            f"expected clips of at least two subjects in {folder}, bona fide and attacks to judge "
            f"by: got {len(calibration)} for calibration and {len(judged)} to judge, of "
            f"{len(subjects)} subjects"
        )
    return JudgedClips(
        _crops(store, calibration, card),
        _crops(store, judged, card),
        np.array([row.label is Label.BONA_FIDE for row in judged]),
        folder.name,
    )


def _subject(row: Presentation) -> str:
    """Who is seen: where nobody says, each presentation is of somebody else."""
    return row.subject if row.subject is not None else row.path


def _by_turns(rows: Sequence[Presentation], num: int) -> list[Presentation]:
    """At most so many, evenly spread, half of each label as far as there are."""
    taken = []
    for label in Label:
        of_label = [row for row in rows if row.label is label]
        places = np.linspace(0, len(of_label) - 1, min(num // 2, len(of_label)))
        taken += [of_label[int(place)] for place in places]
    return taken


def _crops(
    store: ClipStore, rows: Sequence[Presentation], card: ModelCard
) -> tuple[UInt8[np.ndarray, "b n _ _ 3"], ...]:
    how = card.preprocessing
    windows = [spread_windows(store.windows(row.path), 1)[0] for row in rows]
    crops, wide = [], []
    for at in range(0, len(windows), _BATCH):
        for clip in store.read(windows[at : at + _BATCH]):
            prepared = decode(
                clip, how.crop_scale, how.crop_side_px, context_scale=how.context_scale
            )
            crops.append(prepared.crops)
            if prepared.context is not None:
                wide.append(prepared.context)
    return (np.stack(crops), np.stack(wide)) if wide else (np.stack(crops),)
