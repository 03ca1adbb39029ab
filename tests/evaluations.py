"""Stores and scored presentations for tests of evaluation, made up without decoding or training."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from made_up import MadeUpRunner, card
from prepared import encoded, filled, frame, picture, prepared
from vivant.evaluation.scored import ScoredClip, ScoredPresentation
from vivant.networks.card import ModelCard
from vivant.preparation.record import PreparedPresentation
from vivant.records import Label, Presentation, Scores, Split

NUM_FRAMES = 5
BRIGHT, DARK = 170, 30


class GreyRunner(MadeUpRunner):
    """Takes bright clips for bona fide: the score is the mean grey level of 255."""

    def __init__(self, card_: ModelCard | None = None) -> None:
        super().__init__(0.5, card_ or card())

    def run(self, clips: np.ndarray, context: np.ndarray | None = None) -> Scores:
        self.scores = [float(clip.mean()) / 255 for clip in clips]
        return super().run(clips, context)


def row(split: Split, number: int, species: str | None, **fields: object) -> Presentation:
    label = Label.BONA_FIDE if species is None else Label.ATTACK
    kind = species or "bona_fide"
    fields = {"subject": f"{split}-{number}", "columns": {"phone": str(number % 2)}} | fields
    return Presentation(f"{split}/{kind}-{number}.mp4", label, species, split=split, **fields)


def shown(presentation: Presentation, grey: int, **fields: object) -> PreparedPresentation:
    """Prepared, all of its frames about a grey level."""
    crop = encoded(picture(grey), "JPEG")
    is_attack = presentation.label is Label.ATTACK
    frames = [replace(frame(at, with_depth=not is_attack), crop=crop) for at in range(8)]
    return prepared(presentation, frames, **fields)


def grey_rows(num: int = 3) -> list[PreparedPresentation]:
    """On each side bright bona fide and dark attacks of two species; on test one of each is wrong,
    and one was refused."""
    rows = []
    for split in (Split.TRAIN, Split.DEV, Split.TEST):
        for number in range(num):
            is_wrong = split is Split.TEST and number == 0
            bright, dark = (DARK, BRIGHT) if is_wrong else (BRIGHT, DARK)
            rows.append(shown(row(split, number, None), bright))
            rows.append(shown(row(split, number, "print"), dark))
            rows.append(shown(row(split, number, "replay"), DARK))
    rows.append(PreparedPresentation(row(Split.TEST, 90, "print"), refusal="CORRUPT_MEDIA"))
    return rows


def grey_store(folder: Path, rows: Sequence[PreparedPresentation] | None = None) -> Path:
    return filled(folder, grey_rows() if rows is None else rows).folder


def scored(
    split: Split,
    number: int,
    species: str | None,
    scores: Sequence[float],
    *,
    reasons: tuple[str, ...] = (),
    aam: float | None = 0.5,
    displacement_px: float | None = 3.0,
    feature: Sequence[float] = (0.0, 1.0),
) -> ScoredPresentation:
    """One, with a clip for each score; the Advisor says half of it."""
    clips = tuple(
        ScoredClip(
            score,
            score / 2,
            aam,
            displacement_px,
            np.array(feature, np.float32),
            np.array(feature, np.float32),
            np.array(feature, np.float32),
        )
        for score in scores
    )
    return ScoredPresentation(row(split, number, species), split, clips, reasons)
