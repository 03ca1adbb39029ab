"""CelebA-Spoof (2020): still pictures of 10,177 people, described by lists in JSON."""

import json
import re
from collections import defaultdict
from pathlib import Path

from vivant.datasets.dataset import DataSet, Problem, Protocol, Reading, by_split
from vivant.datasets.walk import list_files, require_folders
from vivant.errors import DataError
from vivant.records import Label, Presentation, Split

__all__ = ["celeba_spoof"]

_LISTS = {
    Split.TRAIN: "metas/intra_test/train_label.json",
    Split.TEST: "metas/intra_test/test_label.json",
}
_NAME = re.compile(
    r"Data/(?P<side>train|test)/(?P<subject>\d+)/(?P<kind>live|spoof)/[^/\\]+\.(?i:jpe?g|png)",
    re.ASCII,
)
_NUM_ATTRIBUTES = 44
_SPECIES_AT, _LIGHT_AT, _ENVIRONMENT_AT, _LABEL_AT = 40, 41, 42, 43
_SPECIES = {
    1: ("print", "photo"),
    2: ("print", "poster"),
    3: ("print", "a4"),
    4: ("paper_mask", "face_mask"),
    5: ("paper_mask", "upper_body_mask"),
    6: ("paper_mask", "region_mask"),
    7: ("replay", "pc"),
    8: ("replay", "pad"),
    9: ("replay", "phone"),
    10: ("3d_mask", "3d_mask"),
}
"""PAI species and instrument by the lists' code; 0 is bona fide."""


def celeba_spoof() -> DataSet:
    """CelebA-Spoof: `Data/` and its lists `metas/intra_test/{train,test}_label.json`.

    A presentation is one picture, marked by the column `still` = `yes`: a clip of it is the same
    picture N times. PAI species and instruments by the 41st attribute: `print` with `photo`,
    `poster`, `a4`; `paper_mask` with `face_mask`, `upper_body_mask`, `region_mask`; `replay` with
    `pc`, `pad`, `phone`; `3d_mask`. Further columns: instrument; light and environment, the codes
    of the lists.

    Pictures that a list names and `Data/` lacks are problems each; those that no list names are one
    problem a side, for this protocol does not use all.

    Protocol `intra_test`: the lists, without a dev side.
    """
    return DataSet("celeba_spoof", _read, {"intra_test": Protocol(by_split)})


def _read(root: Path) -> Reading:
    problems = require_folders(root, "CelebA-Spoof", ["Data", "metas"])
    if not any((root / name).is_file() for name in _LISTS.values()):
        raise DataError(
            f"expected {' and '.join(_LISTS.values())} of CelebA-Spoof in {root}, found neither: "
            "without them nobody knows what a picture shows"
        )
    files, unseen = list_files(root, ("metas",))
    problems += unseen
    there = set(files)
    rows: dict[str, Presentation] = {}
    listed: set[str] = set()
    for split, name in _LISTS.items():
        if not (root / name).is_file():
            problems.append(Problem(name, "expected this list, and it is missing"))
            continue
        for path, attributes in _load(root, name).items():
            listed.add(path)
            try:
                if path in rows:
                    raise DataError("is in both lists: take the owner's")
                row = _parse(path, attributes, split)
                if path not in there:
                    raise DataError("is missing")
            except DataError as error:
                problems.append(Problem(path, f"{name}: {error}"))
            else:
                rows[path] = row
    problems += _unlisted(files, listed)
    return Reading(tuple(rows[path] for path in sorted(rows)), tuple(problems))


def _load(root: Path, name: str) -> dict[str, object]:
    """A list: attributes by path.

    Raises:
        DataError: it is not JSON, or holds something else.
    """
    try:
        content = json.loads((root / name).read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{name}: expected JSON, and it cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{name}: expected an object of paths, got {type(content).__name__}")
    return content


def _parse(path: str, attributes: object, split: Split) -> Presentation:
    match = _NAME.fullmatch(path)
    if match is None:
        raise DataError("expected a path such as Data/train/1/live/000184.jpg")
    if match["side"] != split.value:
        raise DataError(f"expected a path below Data/{split.value}/")
    if (
        not isinstance(attributes, list)
        or len(attributes) != _NUM_ATTRIBUTES
        or not all(type(value) is int for value in attributes)
    ):
        raise DataError(f"expected {_NUM_ATTRIBUTES} whole numbers for each picture")
    code, label = attributes[_SPECIES_AT], attributes[_LABEL_AT]
    if label not in (0, 1) or code not in {0, *_SPECIES}:
        raise DataError(
            f"expected a species of 0 to {max(_SPECIES)} at {_SPECIES_AT} and 0 or 1 at "
            f"{_LABEL_AT}, got {code} and {label}"
        )
    if not (label == 1) == (code != 0) == (match["kind"] == "spoof"):
        raise DataError(
            f"contradicts itself: folder {match['kind']}, species {code}, label {label}"
        )
    columns = {
        "still": "yes",
        "light": str(attributes[_LIGHT_AT]),
        "environment": str(attributes[_ENVIRONMENT_AT]),
    }
    species, instrument = _SPECIES.get(code, (None, None))
    if instrument:
        columns["instrument"] = instrument
    return Presentation(path, Label(label), species, match["subject"], split, columns)


def _unlisted(files: list[str], listed: set[str]) -> list[Problem]:
    """Files that are no picture of the set; and how many pictures of a side no list names."""
    problems: list[Problem] = []
    strangers: dict[str, list[str]] = defaultdict(list)
    for path in files:
        match = _NAME.fullmatch(path)
        if match:
            if path not in listed:
                strangers[f"Data/{match['side']}"].append(path)
        elif path not in listed:
            problems.append(Problem(path, "expected a path such as Data/train/1/live/000184.jpg"))
    for place, paths in strangers.items():
        message = f"{len(paths):,} pictures are in no list and not read, such as {paths[0]}"
        problems.append(Problem(place, message))
    return problems
