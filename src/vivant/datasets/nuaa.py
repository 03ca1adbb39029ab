"""NUAA (2010): pictures of 15 people and of photos of them, in series."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from vivant.datasets.dataset import DataSet, Problem, Protocol, Reading, Splits, by_split
from vivant.datasets.folder import list_files, require_folders
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
    names have them. The lists `client_train_raw.txt` and so on are compared where they are there.

    Protocols: `official`, sessions 01 and 02 against 03, in which subjects are on both sides;
    `new_subjects`, the same without the test presentations of subjects who are in training. No dev
    side; the set is counted in pictures, so that no number of presentations is expected.
    """
    return DataSet(
        "nuaa",
        _read,
        {
            "official": Protocol(by_split, shares_subjects=True),
            "new_subjects": Protocol(_new_subjects),
        },
    )


def _new_subjects(presentations: Sequence[Presentation]) -> Splits:
    known = {row.subject for row in presentations if row.split is Split.TRAIN}
    return by_split(
        [row for row in presentations if row.split is Split.TRAIN or row.subject not in known]
    )


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


def _compare_lists(root: Path, files: set[str]) -> list[Problem]:
    """What the owner's lists, if they are there, say otherwise than the folders and the rule."""
    problems: list[Problem] = []
    for name, (folder, split) in _LISTS.items():
        try:
            lines = (root / name).read_text("utf-8-sig").splitlines()
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            problems.append(Problem(name, f"the list cannot be read: {error}"))
            continue
        for number, line in enumerate(lines, 1):
            # The lists were written on Windows: `0001\0001_00_00_01_0.jpg`.
            path = f"{folder}/{line.strip()}".replace("\\", "/")
            if not line.strip():
                continue
            try:
                side = _SPLITS[_parse(path)["session"]]
            except DataError as error:
                problems.append(Problem(name, f"line {number}: {error}"))
                continue
            if path not in files:
                problems.append(Problem(path, f"is in {name}, line {number}, and it is missing"))
            elif side is not split:
                message = f"line {number}: {path} is of a session that is for {side.value}"
                problems.append(Problem(name, message))
    return problems
