"""OULU-NPU (Boulkenafet et al., FG 2017): 4,950 videos of 55 people from 6 phones, 4 protocols.

`Train_files/ Dev_files/ Test_files/`, each with `<phone>_<session>_<user>_<file>.avi`. The
protocols are rules on these four numbers; the owner's lists in `Protocols/` are not needed. Where
they are present they are used, and held against the rules.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from vivant.datasets.dataset import DataSet, Problem, Protocol, Reading, Rule, Splits
from vivant.datasets.lists import read_list, some_of
from vivant.datasets.walk import describe, folders_of, read_names, require_folders
from vivant.errors import DataError
from vivant.records import Label, Presentation, Split

__all__ = ["oulu_npu"]

PHONES, SESSIONS, FILES = "123456", "123", "12345"
INSTRUMENTS = {"2": "print_1", "3": "print_2", "4": "replay_1", "5": "replay_2"}
"""The instrument of each file of an attack; file 1 is bona fide."""
USERS = {Split.TRAIN: range(1, 21), Split.DEV: range(21, 36), Split.TEST: range(36, 56)}
FOLDERS = {Split.TRAIN: "Train_files", Split.DEV: "Dev_files", Split.TEST: "Test_files"}
ID = re.compile(
    r"(?P<phone>[1-6])_(?P<session>[1-3])_(?P<user>0[1-9]|[1-4][0-9]|5[0-5])_(?P<file>[1-5])"
)
_PATH = re.compile(rf"(?P<folder>[^/]+)/(?P<id>{ID.pattern})\.(?i:avi|mp4|mov)")
_SPLITS = {user: split for split, users in USERS.items() for user in users}

Ids = Mapping[Split, frozenset[str]]


@dataclass(frozen=True, slots=True)
class _Side:
    """The phones, sessions and files that one side of a protocol takes."""

    phones: str = PHONES
    sessions: str = SESSIONS
    files: str = FILES

    def takes(self, name: Mapping[str, str]) -> bool:
        return (
            name["phone"] in self.phones
            and name["session"] in self.sessions
            and name["file"] in self.files
        )


# For train and dev, and for test.
_SIDES: dict[str, tuple[_Side, _Side]] = {
    "all": (_Side(), _Side()),
    "1": (_Side(sessions="12"), _Side(sessions="3")),
    "2": (_Side(files="124"), _Side(files="135")),
    **{f"3_{k}": (_Side(PHONES.replace(k, "")), _Side(k)) for k in PHONES},
    **{f"4_{k}": (_Side(PHONES.replace(k, ""), "12", "124"), _Side(k, "3", "135")) for k in PHONES},
}

# Bona fide and attacks of train, dev and test, of all protocols that share a number: counted in
# other people's copies of the lists, not by the rules above.
_COUNTS = {
    "all": ((360, 1440), (270, 1080), (360, 1440)),
    "1": ((240, 960), (180, 720), (120, 480)),
    "2": ((360, 720), (270, 540), (360, 720)),
    "3": ((300, 1200), (225, 900), (60, 240)),
    "4": ((200, 400), (150, 300), (20, 40)),
}


@dataclass(frozen=True, slots=True)
class Official:
    """What the owner's lists in `Protocols/` say."""

    protocols: Mapping[str, Protocol]
    """Those whose lists of train, dev and test are all there, without a damaged line."""
    problems: tuple[Problem, ...]
    """Damaged lines, missing lists, and each difference from the rule of that protocol."""
    ids: frozenset[str]
    """All that these lists name."""


def oulu_npu() -> DataSet:
    """OULU-NPU, with the protocols `1`, `2`, `3_1` to `3_6`, `4_1` to `4_6`, and `all`.

    `all` takes every video, each on its own side: for training on the whole of OULU-NPU and
    testing elsewhere. PAI species are `print` and `replay`; the column `instrument` has the finer
    `print_1`, `print_2`, `replay_1`, `replay_2`. Other columns: `phone`, `session`, `file`.

    With `at`, the lists of a folder that has `Protocols/` replace the rules of their protocols;
    `read` reports where they differ from them.
    """
    protocols = {name: Protocol(_by_rule(name), expected(name)) for name in _SIDES}
    return DataSet("oulu_npu", read, protocols, _listed_protocols)


def _listed_protocols(root: Path) -> Mapping[str, Protocol]:
    return official(root).protocols if (root / "Protocols").is_dir() else {}


def expected(protocol: str) -> dict[Split, tuple[int, int]]:
    """Bona fide presentations and attacks of each side of a protocol, such as `3_2`."""
    return dict(zip(Split, _COUNTS[protocol.partition("_")[0]], strict=True))


def rule_ids(protocol: str) -> Ids:
    """The ids that a protocol's rule puts on each side, of all the 4,950."""
    learn, test = _SIDES[protocol]
    found: dict[Split, set[str]] = {split: set() for split in Split}
    for phone, session, user, file in product(PHONES, SESSIONS, _SPLITS, FILES):
        split = _SPLITS[user]
        side = test if split is Split.TEST else learn
        if side.takes({"phone": phone, "session": session, "file": file}):
            found[split].add(f"{phone}_{session}_{user:02}_{file}")
    return {split: frozenset(ids) for split, ids in found.items()}


def list_files(protocol: str) -> dict[Split, str]:
    """Where the owner's lists of a protocol are: `3_2` -> `Protocols/Protocol_3/Train_2.txt`."""
    number, _, fold = protocol.partition("_")
    end = f"_{fold}.txt" if fold else ".txt"
    return {split: f"Protocols/Protocol_{number}/{split.value.title()}{end}" for split in Split}


def official(root: Path) -> Official:
    """Read the owner's 42 lists, and hold each against the rule of its protocol.

    Args:
        root: The folder that has `Protocols`.

    Raises:
        DataError: it has no `Protocols`.
    """
    if not (root / "Protocols").is_dir():
        raise DataError(
            f"expected Protocols, with the lists of OULU-NPU, in {root}; "
            f"found {describe(folders_of(root, 'OULU-NPU'))}"
        )
    protocols: dict[str, Protocol] = {}
    problems: list[Problem] = []
    named: set[str] = set()
    for protocol in _SIDES:
        if protocol == "all":
            continue
        files = list_files(protocol)
        if not any((root / file).exists() for file in files.values()):
            continue
        ids = {split: _listed(root, file, split, problems) for split, file in files.items()}
        named.update(*ids.values())
        if all(ids.values()):
            protocols[protocol] = Protocol(_by_list(ids), _counted(ids), from_lists=True)
            problems += _differences(protocol, ids)
        else:
            problems += [
                Problem(file, f"missing or damaged: the rule of protocol {protocol} stands")
                for split, file in files.items()
                if not ids[split]
            ]
    return Official(protocols, tuple(problems), frozenset(named))


def read(root: Path) -> Reading:
    """Read a folder of OULU-NPU.

    A file is on a side when its folder and its user number both say so; else it is a problem.

    Raises:
        DataError: there is none of the three folders, or no video of OULU-NPU in them.
    """
    missing = require_folders(root, "OULU-NPU", list(FOLDERS.values()))
    reading = read_names(root, parse)
    problems = [*missing, *reading.problems]
    if not reading.presentations:
        raise DataError(
            f"expected videos such as Train_files/1_1_01_1.avi of OULU-NPU in {root}, "
            f"found {some_of([problem.path for problem in reading.problems])}"
        )
    if (root / "Protocols").is_dir():
        lists = official(root)
        problems += lists.problems
        if absent := lists.ids - {_id(row) for row in reading.presentations}:
            message = f"{len(absent):,} listed ids have no video: {some_of(absent)}"
            problems.append(Problem("Protocols", message))
    return Reading(reading.presentations, tuple(problems))


def parse(path: str) -> Presentation:
    """The presentation that a file's path names.

    Args:
        path: Relative to the root, with slashes, such as `Test_files/6_3_55_5.avi`.

    Raises:
        DataError: it is not named so, or the user does not belong in the folder.
    """
    name = _PATH.fullmatch(path)
    if name is None:
        raise DataError(
            "expected a file like Train_files/1_1_01_1.avi: "
            "<phone 1-6>_<session 1-3>_<user 01-55>_<file 1-5>"
        )
    split = _SPLITS[int(name["user"])]
    if name["folder"] != FOLDERS[split]:
        raise DataError(f"user {name['user']} belongs in {FOLDERS[split]}: not used")
    instrument = INSTRUMENTS.get(name["file"])
    columns = {key: name[key] for key in ("phone", "session", "file")}
    if instrument:
        columns["instrument"] = instrument
    return Presentation(
        path,
        Label.ATTACK if instrument else Label.BONA_FIDE,
        instrument.partition("_")[0] if instrument else None,
        subject=name["user"],
        split=split,
        columns=columns,
    )


def _id(row: Presentation) -> str:
    try:
        name = "_".join(
            (row.columns["phone"], row.columns["session"], str(row.subject), row.columns["file"])
        )
    except KeyError as error:
        raise DataError(f"{row.path} is not of OULU-NPU: it has no column {error}") from error
    return name


def _by_list(ids: Ids) -> Rule:
    def divide(presentations: Sequence[Presentation]) -> Splits:
        return {
            split: tuple(row for row in presentations if _id(row) in ids[split]) for split in Split
        }

    return divide


def _by_rule(protocol: str) -> Rule:
    learn, test = _SIDES[protocol]

    def divide(presentations: Sequence[Presentation]) -> Splits:
        sides: dict[Split, list[Presentation]] = {split: [] for split in Split}
        for row in presentations:
            _id(row)  # refuses what is not of OULU-NPU
            if row.split and (test if row.split is Split.TEST else learn).takes(row.columns):
                sides[row.split].append(row)
        return {split: tuple(rows) for split, rows in sides.items()}

    return divide


def _listed(root: Path, file: str, split: Split, problems: list[Problem]) -> frozenset[str]:
    """The ids of one list; none where it is missing or damaged: half a list is no protocol."""
    if not (root / file).exists():
        return frozenset()
    try:
        listing = read_list(root, file, ID, lambda name: _labels(name, split))
    except DataError as error:
        problems.append(Problem(file, str(error)))
        return frozenset()
    problems += listing.problems
    return frozenset() if listing.problems else frozenset(entry.id for entry in listing.entries)


def _labels(name: str, split: Split) -> Collection[str]:
    """+1 is bona fide, -1 an attack; in test, and there only, a replay can be -2."""
    file = name[-1]
    if file not in INSTRUMENTS:
        return ("+1",)
    is_replay = INSTRUMENTS[file].startswith("replay")
    return ("-1", "-2") if is_replay and split is Split.TEST else ("-1",)


def _counted(ids: Ids) -> dict[Split, tuple[int, int]]:
    bona_fide = {split: sum(name[-1] not in INSTRUMENTS for name in ids[split]) for split in Split}
    return {split: (bona_fide[split], len(ids[split]) - bona_fide[split]) for split in Split}


def _differences(protocol: str, ids: Ids) -> list[Problem]:
    rule = rule_ids(protocol)
    problems = []
    for split, file in list_files(protocol).items():
        for names, what in (
            (ids[split] - rule[split], "lists {} that the rule of protocol {} has not here: {}"),
            (rule[split] - ids[split], "lacks {} that the rule of protocol {} has here: {}"),
        ):
            if names:
                message = what.format(f"{len(names):,} ids", protocol, some_of(names))
                problems.append(Problem(file, message))
    return problems
