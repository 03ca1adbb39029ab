"""SiW, Spoof in the Wild (Liu et al., CVPR 2018): videos of 165 people, 3 protocols in 7 runs.

`Train/` and `Test/`, each `live/` and `spoof/`, each one folder for a subject with
`<subject>-<sensor>-<type>-<medium>-<session>.mov`.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vivant.datasets.dataset import DataSet, Problem, Protocol, Reading, Rule, Splits
from vivant.datasets.lists import some_of
from vivant.datasets.walk import read_names, require_folders
from vivant.errors import DataError, UnknownNameError
from vivant.records import Label, Presentation, Split

__all__ = ["siw"]

NUM_SUBJECTS = 165
TEST_SUBJECTS = frozenset(
    {
        1, 2, 4, 5, 8, 9, 10, 12, 13, 15, 18, 19, 20, 21, 23, 24, 25, 26, 27, 29, 31, 36,
        37, 39, 43, 44, 48, 49, 50, 52, 53, 57, 59, 61, 64, 65, 66, 67, 71, 73, 75, 79, 82,
        83, 84, 85, 87, 88, 90, 94, 95, 97, 102, 106, 108, 109, 110, 114, 116, 118, 122,
        124, 125, 126, 130, 132, 137, 138, 139, 141, 142, 153, 154, 158, 161,
    }
)  # fmt: skip
"""The owner's 75; the other 90 are for training."""
DEV_SUBJECTS = {
    "bob": frozenset([3, 6, 7, 11, 14, 16, 17, 22, 28, 30]),
    "gradiant": frozenset([150, 151, 152, 155, 156, 157, 159, 160, 162, 163, 164, 165]),
    "none": frozenset[int](),
}
"""Of the 90: SiW has no dev side of its own, so each of its users cut one."""
NUM_FRAMES = 60
"""Protocol 1 trains on the first 60 frames of each video."""
BOB_COUNTS = {
    "1": ((636, 1504), (78, 198), (599, 1454)),
    "2_1": ((636, 883), (78, 120), (599, 300)),
    "2_2": ((636, 883), (78, 120), (599, 296)),
    "2_3": ((636, 885), (78, 120), (599, 294)),
    "2_4": ((636, 958), (78, 120), (599, 250)),
    "3_1": ((636, 301), (78, 38), (599, 1140)),
    "3_2": ((636, 1203), (78, 160), (599, 314)),
}
"""Bona fide and attacks of train, dev and test in bob.db.siw, with its dev subjects: to compare
with, not to insist on. Copies differ: 4,469 videos there, 4,478 published."""

ID = re.compile(
    r"(?P<subject>[0-9]{3})(?P<by>[-_])(?P<sensor>[12])(?P=by)(?P<type>[123])(?P=by)"
    r"(?P<medium>[1-4])(?P=by)(?P<session>[0-9])(?P<mirrored>\.m)?"
)
"""A file's name without its ending: `003-1-2-1-1`, also with `_`, also with `.m` (mirrored)."""
_PATH = re.compile(
    r"(?P<side>Train|Test)/(?P<kind>live|spoof)/(?P<folder>[^/]+)/"
    rf"{ID.pattern}\.(?i:mov|mp4)"
)
_FOLDERS = {"Train": Split.TRAIN, "Test": Split.TEST}
_LABELS = {"live": Label.BONA_FIDE, "spoof": Label.ATTACK}
_SPECIES = {"1": None, "2": "print", "3": "replay"}
_MEDIA = {"1": "12", "2": "12", "3": "1234"}
_PRINTS = frozenset({"print_1", "print_2"})
_REPLAYS = frozenset({"replay_1", "replay_2", "replay_3", "replay_4"})
# The instruments in train and dev, and in test; every bona fide presentation is on its side always.
_SIDES = {
    "all": (_PRINTS | _REPLAYS, _PRINTS | _REPLAYS),
    "1": (_PRINTS | _REPLAYS, _PRINTS | _REPLAYS),
    **{f"2_{m}": (_REPLAYS - {f"replay_{m}"}, frozenset({f"replay_{m}"})) for m in "1234"},
    "3_1": (_PRINTS, _REPLAYS),
    "3_2": (_REPLAYS, _PRINTS),
}


def siw(dev: str = "bob") -> DataSet:
    """SiW, with the protocols `1`, `2_1` to `2_4`, `3_1`, `3_2`, and `all`.

    `all` is protocol 1 without its limit of 60 frames: for training on SiW and testing elsewhere.
    PAI species are `print` and `replay`; the column `instrument` has the finer `print_1`,
    `print_2`, `replay_1` to `replay_4`. Other columns: `sensor`, `medium`, `session`, `mirrored`
    (yes or no). No counts are expected: copies of SiW differ by a few videos (see `BOB_COUNTS`).

    Args:
        dev: Which train subjects are the dev side: `bob` (10), `gradiant` (12) or `none`.

    Raises:
        UnknownNameError: nobody cut the dev side so.
    """
    if dev not in DEV_SUBJECTS:
        raise UnknownNameError("dev side of SiW", dev, DEV_SUBJECTS)
    protocols = {name: Protocol(_rule(name, DEV_SUBJECTS[dev])) for name in _SIDES}
    return DataSet("siw", read, protocols)


def read(root: Path) -> Reading:
    """Read a folder of SiW.

    A file is used when its folders and its name agree; else it is a problem. `split` is that of
    the folder: the dev side is cut by the protocols.

    Raises:
        DataError: there is neither `Train` nor `Test`, or no video of SiW in them.
    """
    missing = require_folders(root, "SiW", list(_FOLDERS))
    missing += [
        Problem(f"{side}/{kind}", "expected this folder of SiW, and it is missing")
        for side in _FOLDERS
        for kind in _LABELS
        if (root / side).is_dir() and not (root / side / kind).is_dir()
    ]
    reading = read_names(root, parse)
    problems = [*missing, *reading.problems]
    if not reading.presentations:
        raise DataError(
            f"expected videos such as Train/live/003/003-1-1-1-1.mov of SiW in {root}, "
            f"found {some_of([problem.path for problem in reading.problems])}"
        )
    rows: dict[str, Presentation] = {}
    for row in reading.presentations:
        first = rows.setdefault(row.path.replace("_", "-").rpartition(".")[0], row)
        if first is not row:
            problems.append(Problem(row.path, f"is there twice, also as {first.path}: not used"))
    return Reading(tuple(rows.values()), tuple(problems))


def parse(path: str) -> Presentation:
    """The presentation that a file's path names.

    Args:
        path: Relative to the root, with slashes, such as `Test/spoof/001/001-1-2-1-1.mov`.

    Raises:
        DataError: it is not named so, or folder and name contradict each other.
    """
    name = _PATH.fullmatch(path)
    if name is None:
        raise DataError(
            "expected a file like Train/live/003/003-1-1-1-1.mov: "
            "<subject>-<sensor 1-2>-<type 1-3>-<medium 1-4>-<session>"
        )
    subject, medium, species = name["subject"], name["medium"], _SPECIES[name["type"]]
    label = Label.BONA_FIDE if species is None else Label.ATTACK
    if not 1 <= int(subject) <= NUM_SUBJECTS:
        raise DataError(f"expected a subject 001 to {NUM_SUBJECTS}, got {subject}")
    if medium not in _MEDIA[name["type"]]:
        known = ", ".join(_MEDIA[name["type"]])
        raise DataError(f"expected a medium of {known} for type {name['type']}, got {medium}")
    if name["folder"] != subject:
        raise DataError(f"subject {subject} is in the folder of {name['folder']}: not used")
    if label is not _LABELS[name["kind"]]:
        what = species or "bona fide"
        raise DataError(f"type {name['type']} is {what}, but it is in {name['kind']}: not used")
    side = "Test" if int(subject) in TEST_SUBJECTS else "Train"
    if name["side"] != side:
        raise DataError(f"subject {subject} belongs in {side}: not used")
    columns = {key: name[key] for key in ("sensor", "medium", "session")}
    columns["mirrored"] = "yes" if name["mirrored"] else "no"
    if species:
        columns["instrument"] = f"{species}_{medium}"
    return Presentation(
        path, label, species, subject=subject, split=_FOLDERS[side], columns=columns
    )


def _rule(protocol: str, dev_subjects: frozenset[int]) -> Rule:
    learn, test = _SIDES[protocol]
    max_frames = NUM_FRAMES if protocol == "1" else None

    def divide(presentations: Sequence[Presentation]) -> Splits:
        sides: dict[Split, list[Presentation]] = {split: [] for split in Split}
        for row in presentations:
            if "sensor" not in row.columns or row.subject is None or not row.subject.isdecimal():
                raise DataError(f"{row.path} is not of SiW: it has no sensor, or no subject number")
            side = row.split
            if side is Split.TRAIN and int(row.subject) in dev_subjects:
                side = Split.DEV
            instruments = test if side is Split.TEST else learn
            is_taken = row.label is Label.BONA_FIDE or row.columns.get("instrument") in instruments
            if side and is_taken:
                sides[side].append(row)
        sides[Split.TRAIN] = [replace(row, max_frames=max_frames) for row in sides[Split.TRAIN]]
        return {split: tuple(rows) for split, rows in sides.items()}

    return divide
