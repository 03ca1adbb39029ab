"""Replay-Attack (Idiap, 2012): 50 clients, print, mobile and highdef attacks."""

import re
from pathlib import Path

from vivant.datasets.dataset import DataSet, Protocol, Reading, by_split
from vivant.datasets.walk import read_names, require_folders
from vivant.errors import DataError
from vivant.records import Label, Presentation, Split

__all__ = ["replay_attack"]

_FOLDERS = {"train": Split.TRAIN, "devel": Split.DEV, "test": Split.TEST}
_REAL = re.compile(
    r"(?P<side>train|devel|test)/real/(?P<client>client\d{3})_session(?P<session>\d{2})_webcam"
    r"_authenticate_(?P<light>adverse|controlled)_(?P<take>\d+)\.(?i:mov)"
)
_ATTACK = re.compile(
    r"(?P<side>train|devel|test)/attack/(?P<support>fixed|hand)/attack_"
    r"(?P<instrument>print|mobile|highdef)_(?P<client>client\d{3})_session(?P<session>\d{2})_"
    r"(?P<sample_device>highdef|mobile)_(?P<sample>photo|video)_(?P<light>adverse|controlled)"
    r"\.(?i:mov)"
)


def replay_attack() -> DataSet:
    """Replay-Attack, in its owner's folders `train/`, `devel/` and `test/`.

    PAI species: `print`, and `replay` with the instruments `mobile` and `highdef`, the devices that
    show it: the owners' kinds of attack are the instruments. What is shown (`photo` or `video`) is
    the column `sample`. Further columns: instrument, sample_device (what took the sample), support
    (`fixed` or `hand`), light, session; take for bona fide. `enroll/` is for face recognition: left
    out.

    Protocol `grandtest`: its folders. Results are HTER on test at the EER threshold of devel.
    """
    expected = {Split.TRAIN: (60, 300), Split.DEV: (60, 300), Split.TEST: (80, 400)}
    return DataSet("replay_attack", _read, {"grandtest": Protocol(by_split, expected)})


def _read(root: Path) -> Reading:
    missing = require_folders(root, "Replay-Attack", list(_FOLDERS))
    reading = read_names(root, _parse, skip=("enroll",))
    return Reading(reading.presentations, (*missing, *reading.problems))


def _parse(path: str) -> Presentation:
    match = _REAL.fullmatch(path) or _ATTACK.fullmatch(path)
    if match is None:
        raise DataError(
            "expected {train,devel,test}/real/client001_session01_webcam_authenticate_adverse_1.mov"
            " or .../attack/fixed/attack_print_client001_session01_highdef_photo_adverse.mov"
        )
    columns = match.groupdict()
    side = _FOLDERS[columns.pop("side")]
    client = columns.pop("client")
    instrument = columns.get("instrument")
    label = Label.BONA_FIDE if instrument is None else Label.ATTACK
    species = None
    if instrument:
        species = "print" if instrument == "print" else "replay"
    return Presentation(path, label, species, client, side, columns)
