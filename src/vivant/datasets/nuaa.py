"""NUAA (2010): pictures of 15 people and of photos of them, in series."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vivant.datasets.dataset import DataSet, Problem, Protocol, Reading, Splits, by_split
from vivant.datasets.walk import list_files, require_folders
from vivant.errors import DataError
from vivant.records import Label, Presentation, Split

__all__ = ["nuaa"]

_LABELS = {"ClientRaw": Label.BONA_FIDE, "ImposterRaw": Label.ATTACK}
_SPLITS = {"01": Split.TRAIN, "02": Split.TRAIN, "03": Split.TEST}
_NAME = re.compile(
    r"(?P<folder>ClientRaw|ImposterRaw)/(?P<subject>\d{4})/(?P<series>(?P<person>\d{4})_"
    r"(?P<glasses>\d{2})_(?P<position>\d{2})_(?P<session>\d{2}))_(?P<picture>\d+)\.(?i:jpe?g)",
    re.ASCII,
)
# The set's other editions: the same pictures, cut to the face.
_CUT = (
    *("Detectedface", "NormalizedFace", "ClientFace", "ImposterFace"),
    *("ClientNormalized", "ImposterNormalized"),
)
_LISTS = {
    "client_train_raw.txt": ("ClientRaw", Split.TRAIN),
    "client_test_raw.txt": ("ClientRaw", Split.TEST),
    "imposter_train_raw.txt": ("ImposterRaw", Split.TRAIN),
    "imposter_test_raw.txt": ("ImposterRaw", Split.TEST),
}


def nuaa() -> DataSet:
    """NUAA, the edition of whole pictures: `ClientRaw/` and `ImposterRaw/`.

    The pictures of one person, with or without glasses, in one position and session are one
    presentation. They share their folder with those of others, so its `path` is its first picture,
    by number, and its column `frames` is the pattern that finds them all, below the root as `path`
    is: `ClientRaw/0001/0001_00_00_01_[0-9]*.[jJ][pP]*[gG]`. Their order is that of their numbers.

    The PAI species is `print`. Further columns: num_pictures, glasses, position, session, as the
    names have them. Where the owner's lists `client_train_raw.txt` and so on are there, `read`
    compares them, and with `at` they replace the rules if all four are sound.

    Protocols: `official`, sessions 01 and 02 against 03, in which subjects are on both sides;
    `new_subjects`, the same without the test presentations of subjects who are in training. No dev
    side; the set is counted in pictures, so that no number of presentations is expected.
    """
    return DataSet(
        "nuaa",
        _read,
        {
            "official": Protocol(by_split, shares_subjects=True),
            "new_subjects": Protocol(lambda rows: _new_subjects(by_split(rows))),
        },
        _listed,
    )


def _new_subjects(splits: Splits) -> Splits:
    known = {row.subject for row in splits[Split.TRAIN]}
    test = tuple(row for row in splits[Split.TEST] if row.subject not in known)
    return {**splits, Split.TEST: test}


def _read(root: Path) -> Reading:
    problems = require_folders(root, "NUAA", list(_LABELS))
    files, unseen = list_files(root, _CUT)
    problems += unseen
    series: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for path in files:
        try:
            match = _parse(path)
        except DataError as error:
            problems.append(Problem(path, str(error)))
            continue
        prefix = f"{match['folder']}/{match['subject']}/{match['series']}"
        series[prefix].append((int(match["picture"]), path))
    rows = [_presentation(prefix, pictures) for prefix, pictures in series.items()]
    problems += _compare_lists(root, set(files))
    return Reading(tuple(sorted(rows, key=lambda row: row.path)), tuple(problems))


def _parse(path: str) -> re.Match[str]:
    match = _NAME.fullmatch(path)
    if match is None:
        raise DataError(
            "expected {ClientRaw,ImposterRaw}/0001/0001_00_00_01_116.jpg: "
            "ID, glasses, position, session, picture"
        )
    if match["person"] != match["subject"]:
        raise DataError(f"expected ID {match['subject']} by its folder, got {match['person']}")
    if match["session"] not in _SPLITS:
        raise DataError(f"expected session 01, 02 or 03, got {match['session']}")
    return match


def _presentation(prefix: str, pictures: Sequence[tuple[int, str]]) -> Presentation:
    """One series, of which the pictures' numbers and paths are given."""
    _, first = min(pictures)
    match = _parse(first)
    label = _LABELS[match["folder"]]
    return Presentation(
        first,
        label,
        None if label is Label.BONA_FIDE else "print",
        match["subject"],
        _SPLITS[match["session"]],
        {
            "frames": f"{prefix}_[0-9]*.[jJ][pP]*[gG]",
            "num_pictures": str(len(pictures)),
            **{name: match[name] for name in ("glasses", "position", "session")},
        },
    )


def _listed(root: Path) -> Mapping[str, Protocol]:
    """The protocols by the owner's four lists, where all are there without a damaged line."""
    lines, problems = _read_lists(root)
    if problems or {line.name for line in lines} != set(_LISTS):
        return {}
    sides: dict[str, set[Split]] = defaultdict(set)
    for line in lines:
        sides[line.path.rpartition("_")[0]].add(line.split)

    def divide(presentations: Sequence[Presentation]) -> Splits:
        found: dict[Split, list[Presentation]] = {split: [] for split in Split}
        for row in presentations:
            for split in sides.get(row.path.rpartition("_")[0], ()):  # Two: check_apart refuses.
                found[split].append(row)
        return {split: tuple(rows) for split, rows in found.items()}

    return {
        "official": Protocol(divide, shares_subjects=True, from_lists=True),
        "new_subjects": Protocol(lambda rows: _new_subjects(divide(rows)), from_lists=True),
    }


def _compare_lists(root: Path, files: set[str]) -> list[Problem]:
    """What the owner's lists, if they are there, say otherwise than the folders and the rule."""
    lines, problems = _read_lists(root)
    for line in lines:
        side = _SPLITS[_parse(line.path)["session"]]
        if line.path not in files:
            message = f"is in {line.name}, line {line.number}, and it is missing"
            problems.append(Problem(line.path, message))
        elif side is not line.split:
            message = f"line {line.number}: {line.path} is of a session that is for {side.value}"
            problems.append(Problem(line.name, message))
    return problems


@dataclass(frozen=True, slots=True)
class _Line:
    """One picture in one of the owner's lists."""

    name: str
    number: int
    path: str
    split: Split


def _read_lists(root: Path) -> tuple[list[_Line], list[Problem]]:
    """The pictures that the lists in a folder name, and what cannot be read of them."""
    lines: list[_Line] = []
    problems: list[Problem] = []
    for name, (folder, split) in _LISTS.items():
        try:
            texts = (root / name).read_text("utf-8-sig").splitlines()
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            problems.append(Problem(name, f"the list cannot be read: {error}"))
            continue
        for number, text in enumerate(texts, 1):
            # The lists were written on Windows: `0001\0001_00_00_01_0.jpg`.
            path = f"{folder}/{text.strip()}".replace("\\", "/")
            if not text.strip():
                continue
            try:
                _parse(path)
            except DataError as error:
                problems.append(Problem(name, f"line {number}: {error}"))
            else:
                lines.append(_Line(name, number, path, split))
    return lines, problems
