"""CASIA-FASD (2012): 50 subjects, warped and cut photos and videos in three qualities."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vivant.datasets.dataset import DataSet, Protocol, Reading, Splits, by_split
from vivant.datasets.folder import read_names, require_folders
from vivant.errors import DataError
from vivant.records import Label, Presentation, Split

__all__ = ["casia_fasd"]

_NUM_SUBJECTS = {Split.TRAIN: 20, Split.TEST: 30}
_NAME = re.compile(r"(train|test)_release/([1-9]\d?)/([1-8]|HR_[1-4])\.(?i:avi)")
_SPECIES = (None, "warped_photo", "cut_photo", "video")
# Videos 1 3 5 7 are of normal quality, 2 4 6 8 of low, HR_1 to HR_4 of high, each in this order.
_VIDEOS = {
    **{str(2 * at + 1): ("normal", species) for at, species in enumerate(_SPECIES)},
    **{str(2 * at + 2): ("low", species) for at, species in enumerate(_SPECIES)},
    **{f"HR_{at + 1}": ("high", species) for at, species in enumerate(_SPECIES)},
}
_DEV = {f"train_{user}" for user in (17, 18, 19, 20)}


def casia_fasd() -> DataSet:
    """CASIA-FASD, in its owner's folders `train_release/<1..20>/` and `test_release/<1..30>/`.

    Both number their subjects from 1, and they are other people: `train_1`, `test_1`. PAI species:
    `warped_photo`, `cut_photo`, `video`. Columns: quality (`low`, `normal`, `high`), video, the
    name in the folder, such as `HR_4`, and pai_type (`print`, `replay`).

    Protocols: `grandtest`, the two releases, without a dev side; `users_17_20`, in which those four
    users of the training release are the dev side (Gradiant's choice).
    """
    test = (90, 270)
    return DataSet(
        "casia_fasd",
        _read,
        {
            "grandtest": Protocol(
                by_split, {Split.TRAIN: (60, 180), Split.DEV: (0, 0), Split.TEST: test}
            ),
            "users_17_20": Protocol(
                _users_17_20, {Split.TRAIN: (48, 144), Split.DEV: (12, 36), Split.TEST: test}
            ),
        },
    )


def _users_17_20(presentations: Sequence[Presentation]) -> Splits:
    return by_split(
        [replace(row, split=Split.DEV) if row.subject in _DEV else row for row in presentations]
    )


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
    quality, species = _VIDEOS[video]
    label = Label.BONA_FIDE if species is None else Label.ATTACK
    columns = {"quality": quality, "video": video}
    if species:
        columns["pai_type"] = "replay" if species == "video" else "print"
    return Presentation(path, label, species, f"{release}_{subject}", split, columns)
