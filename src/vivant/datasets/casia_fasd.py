"""CASIA-FASD (2012): 50 subjects, warped and cut photos and videos in three qualities."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vivant.datasets.dataset import DataSet, Protocol, Reading, Rule, Splits, by_split
from vivant.datasets.walk import read_names, require_folders
from vivant.errors import DataError
from vivant.records import Label, Presentation, Split

__all__ = ["casia_fasd"]

_NUM_SUBJECTS = {Split.TRAIN: 20, Split.TEST: 30}
_NAME = re.compile(r"(train|test)_release/([1-9]\d?)/([1-8]|HR_[1-4])\.(?i:avi)")
_INSTRUMENTS = (None, "warped_photo", "cut_photo", "video")
_TYPES = {"warped_photo": "print", "cut_photo": "cut_photo", "video": "replay"}
# Videos 1 3 5 7 are of normal quality, 2 4 6 8 of low, HR_1 to HR_4 of high, each in this order.
_VIDEOS = {
    **{str(2 * at + 1): ("normal", kind) for at, kind in enumerate(_INSTRUMENTS)},
    **{str(2 * at + 2): ("low", kind) for at, kind in enumerate(_INSTRUMENTS)},
    **{f"HR_{at + 1}": ("high", kind) for at, kind in enumerate(_INSTRUMENTS)},
}
# The field cross-validates on training in five folds and names no users: ours are by number.
_FOLDS = {
    fold: frozenset(f"train_{user}" for user in range(4 * fold - 3, 4 * fold + 1))
    for fold in range(1, 6)
}


def casia_fasd() -> DataSet:
    """CASIA-FASD, in its owner's folders `train_release/<1..20>/` and `test_release/<1..30>/`.

    Both number their subjects from 1, and they are other people: `train_1`, `test_1`. PAI species:
    `print` (instrument `warped_photo`), `cut_photo`, `replay` (instrument `video`). Columns:
    instrument, quality (`low`, `normal`, `high`) and video, the name in the folder, as `HR_4`.

    Protocols: `grandtest`, the two releases, without a dev side; `users_17_20`, in which those four
    users of the training release are the dev side (Gradiant's choice); `fold_1` to `fold_5`, in
    which users 1-4, 5-8, 9-12, 13-16 or 17-20 are. Test is always the whole test release.
    """
    test = (90, 270)
    with_dev = {Split.TRAIN: (48, 144), Split.DEV: (12, 36), Split.TEST: test}
    folds = {f"fold_{number}": Protocol(_with_dev(_FOLDS[number]), with_dev) for number in _FOLDS}
    return DataSet(
        "casia_fasd",
        _read,
        {
            "grandtest": Protocol(
                by_split, {Split.TRAIN: (60, 180), Split.DEV: (0, 0), Split.TEST: test}
            ),
            "users_17_20": Protocol(_with_dev(_FOLDS[5]), with_dev),
            **folds,
        },
    )


def _with_dev(users: frozenset[str]) -> Rule:
    def divide(presentations: Sequence[Presentation]) -> Splits:
        return by_split(
            [replace(r, split=Split.DEV) if r.subject in users else r for r in presentations]
        )

    return divide


def _read(root: Path) -> Reading:
    missing = require_folders(root, "CASIA-FASD", ["train_release", "test_release"])
    reading = read_names(root, _parse)
    return Reading(reading.presentations, (*missing, *reading.problems))


def _parse(path: str) -> Presentation:
    match = _NAME.fullmatch(path)
    if match is None:
        raise DataError(
            "expected {train,test}_release/<subject>/{1..8,HR_1..HR_4}.avi, such as "
            "train_release/1/HR_4.avi"
        )
    release, subject, video = match.groups()
    split = Split(release)
    if int(subject) > _NUM_SUBJECTS[split]:
        raise DataError(f"expected subjects 1 to {_NUM_SUBJECTS[split]}, got {subject}")
    quality, instrument = _VIDEOS[video]
    label = Label.BONA_FIDE if instrument is None else Label.ATTACK
    columns = {"quality": quality, "video": video}
    species = None
    if instrument:
        columns["instrument"] = instrument
        species = _TYPES[instrument]
    return Presentation(path, label, species, f"{release}_{subject}", split, columns)
