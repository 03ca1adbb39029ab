"""ROSE-Youtu (2018): 20 subjects, five phones, prints, replays and paper masks."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vivant.datasets.dataset import DataSet, Protocol, Reading, Splits, by_split
from vivant.datasets.walk import describe, folders_of, read_names
from vivant.errors import DataError
from vivant.records import Label, Presentation, Split

__all__ = ["rose_youtu"]

_TRAIN = {"2", "3", "4", "5", "6", "7", "9", "10"}
_DEV = {"11", "12"}
_TEST = {str(number) for number in range(11, 24)}
_INSTRUMENTS = {
    "G": None,
    "Ps": "print_still",
    "Pq": "print_quivering",
    "Vl": "video_lenovo",
    "Vm": "video_mac",
    "Mc": "mask_cropped",
    "Mf": "mask_full",
    "Mu": "mask_upper",
    "Ml": "mask_lower",
}
_SPECIES = {"P": "print", "V": "replay", "M": "paper_mask"}
_NAME = re.compile(
    rf"(?P<folder>\d+)/(?P<code>{'|'.join(_INSTRUMENTS)})_(?P<talking>T|NT)_"
    r"(?P<device>HS|HW|IP|5s|ZTE)_(?P<glasses>g|wg)_(?P<reserved>[A-Za-z0-9]+)_(?P<person>\d+)_"
    r"(?P<index>\d+)\.(?i:mp4)"
)


def rose_youtu() -> DataSet:
    """ROSE-Youtu, in its owner's folders `<subject>/L_S_D_x_E_p_N.mp4`.

    PAI species and instruments, by L: `print` with `print_still` (Ps) and `print_quivering` (Pq);
    `replay` with `video_lenovo` (Vl) and `video_mac` (Vm); `paper_mask` with `mask_cropped` (Mc),
    `mask_full` (Mf), `mask_upper` (Mu) and `mask_lower` (Ml). Columns: instrument, code (L itself),
    talking (`yes` for T, `no` for NT), device (D), glasses (`yes` for g, `no` for wg), reserved
    (E), index (N).

    Protocols: `grandtest`, subjects 2-7, 9, 10 against 11-23, without a dev side; `gradiant`, in
    which 11 and 12 are the dev side (Gradiant counts 1,389, 359 and 1,749 videos). How many of
    these are bona fide nobody states, so that nothing is expected.
    """
    return DataSet(
        "rose_youtu", _read, {"grandtest": Protocol(by_split), "gradiant": Protocol(_gradiant)}
    )


def _gradiant(presentations: Sequence[Presentation]) -> Splits:
    return by_split(
        [replace(row, split=Split.DEV) if row.subject in _DEV else row for row in presentations]
    )


def _read(root: Path) -> Reading:
    found = folders_of(root, "ROSE-Youtu")
    if not (_TRAIN | _TEST) & set(found):
        raise DataError(
            f"expected the subjects' folders 2/ to 23/ of ROSE-Youtu in {root}, found "
            f"{describe(found)}: name the folder that holds them"
        )
    return read_names(root, _parse)


def _parse(path: str) -> Presentation:
    match = _NAME.fullmatch(path)
    if match is None:
        raise DataError("expected <subject>/L_S_D_x_E_p_N.mp4, such as 2/G_NT_5s_wg_E_2_1.mp4")
    subject = match["folder"]
    if match["person"] != subject:
        raise DataError(f"expected subject {subject} by its folder, got {match['person']}")
    if subject not in _TRAIN | _TEST:
        raise DataError(f"expected subjects 2 to 7, 9, 10 and 11 to 23, got {subject}")
    instrument = _INSTRUMENTS[match["code"]]
    label = Label.BONA_FIDE if instrument is None else Label.ATTACK
    split = Split.TRAIN if subject in _TRAIN else Split.TEST
    columns = {name: match[name] for name in ("code", "device", "reserved", "index")}
    columns["talking"] = "yes" if match["talking"] == "T" else "no"
    columns["glasses"] = "yes" if match["glasses"] == "g" else "no"
    species = None
    if instrument:
        columns["instrument"] = instrument
        species = _SPECIES[match["code"][0]]
    return Presentation(path, label, species, subject, split, columns)
