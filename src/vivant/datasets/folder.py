"""Folders of videos: anybody's `bona_fide/` and `attack/<species>/`."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from vivant.datasets.dataset import DataSet, Problem, Protocol, Reading, Splits, by_split
from vivant.datasets.walk import (
    STILL_ENDINGS,
    VIDEO_ENDINGS,
    describe,
    ending,
    folders_of,
    is_junk,
    is_text,
    list_files,
)
from vivant.errors import DataError
from vivant.records import Label, Presentation, Split

__all__ = ["folder"]

BONA_FIDE_FOLDERS = ("bona_fide", "bonafide")
ATTACK_FOLDER = "attack"
_LAYOUT = (
    "bona_fide/ (or bonafide/) and attack/<species>/, or these two below train/, dev/ and test/"
)


def folder() -> DataSet:
    """Anybody's videos, sorted into folders by what they are.

    `bona_fide/` (or `bonafide/`) and `attack/<species>/`, optionally below `train/`, `dev/` and
    `test/`. A presentation is a video at any depth, or a folder of pictures, which are its frames
    in the order of their numbers. It names no subjects: for those, write a manifest.

    Its protocol `folders` divides as the folders do.
    """
    return DataSet("folder", _read, {"folders": Protocol(_by_folders)})


def _by_folders(presentations: Sequence[Presentation]) -> Splits:
    if not any(row.split for row in presentations):
        raise DataError(
            "expected train/, dev/ and test/ above bona_fide/ and attack/, found none: sort the "
            "videos into them, or write a manifest with a column `split` or `subject`"
        )
    return by_split(presentations)


def _read(root: Path) -> Reading:
    top = folders_of(root, "bona_fide/ and attack/")
    sides = {f"{split}/": split for split in Split if split in top}
    parts: dict[str, Split | None] = {**sides} or {"": None}
    skip: set[str] = set()
    num_classes = 0
    for prefix in {"", *parts}:
        known = set(sides) if prefix == "" and sides else {*BONA_FIDE_FOLDERS, ATTACK_FOLDER}
        known = {each.rstrip("/") for each in known}
        names = folders_of(root / prefix, "bona_fide/ and attack/")
        num_classes += len(known & set(names)) if prefix in parts else 0
        strangers = (each for each in names if each not in known and not is_junk(each))
        skip |= {prefix + each for each in strangers if is_text(each)}
    if not num_classes:
        raise DataError(f"expected {_LAYOUT} in {root}, found {describe(top)}")
    files, problems = list_files(root, skip)
    problems += [Problem(each, f"unknown folder, not read: expected {_LAYOUT}") for each in skip]

    presentations: list[Presentation] = []
    pictures: dict[str, list[Presentation]] = defaultdict(list)
    with_videos: set[str] = set()
    for path in files:
        try:
            row, depth = _parse(path, parts)
        except DataError as error:
            problems.append(Problem(path, str(error)))
            continue
        parent = str(PurePosixPath(path).parent)
        if ending(path) in VIDEO_ENDINGS:
            presentations.append(row)
            with_videos.add(parent)
        elif path.count("/") == depth:
            problems.append(
                Problem(path, "a picture by itself: put the frames of one clip into a folder")
            )
        else:
            pictures[parent].append(row)
    for parent, rows in pictures.items():
        if parent in with_videos:
            message = f"holds videos and {len(rows)} pictures, which are not read: separate them"
            problems.append(Problem(parent, message))
        else:
            first = rows[0]
            presentations.append(
                Presentation(parent, first.label, first.pai_species, split=first.split)
            )
    return Reading(
        tuple(sorted(presentations, key=lambda row: row.path)),
        tuple(sorted(problems, key=lambda problem: problem.path)),
    )


def _parse(path: str, parts: dict[str, Split | None]) -> tuple[Presentation, int]:
    """The file as a presentation of its own, and how many slashes its class folder's files have.

    Raises:
        DataError: what is wrong with its place or its ending.
    """
    if ending(path) not in VIDEO_ENDINGS | STILL_ENDINGS:
        known = " ".join(sorted(VIDEO_ENDINGS | STILL_ENDINGS))
        raise DataError(f"expected a video or a picture ({known}), got {ending(path) or 'none'!r}")
    for prefix, split in parts.items():
        names = path.removeprefix(prefix).split("/")
        if not path.startswith(prefix) or len(names) == 1:
            continue
        if names[0] in BONA_FIDE_FOLDERS:
            return Presentation(path, Label.BONA_FIDE, None, split=split), prefix.count("/") + 1
        if len(names) > 2:
            return Presentation(path, Label.ATTACK, names[1], split=split), prefix.count("/") + 2
        raise DataError("an attack of no species: expected attack/<species>/<video>")
    raise DataError(f"lies outside of the folders: expected {_LAYOUT}")
