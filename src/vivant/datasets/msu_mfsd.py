"""MSU-MFSD (2015): 35 subjects before a phone and a laptop; prints, iPad and iPhone replays."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from vivant.datasets.dataset import DataSet, Problem, Protocol, Reading, by_split
from vivant.datasets.walk import read_names, require_folders
from vivant.errors import DataError
from vivant.records import Label, Presentation, Split

__all__ = ["msu_mfsd"]

_LISTS = {Split.TRAIN: "train_sub_list.txt", Split.TEST: "test_sub_list.txt"}
_NAME = re.compile(
    r"(?:(?P<folder>scene\d{2})/)?(?:real/real|attack/attack)_(?P<client>client\d{3})_"
    r"(?P<device>android|laptop)_SD_(?:(?P<instrument>ipad_video|iphone_video|printed_photo)_)?"
    r"(?P<scene>scene\d{2})\.(?i:mp4|mov)"
)
_ROTATED = {f"client{number:03}" for number in (3, 5, 6, 7, 8)}
"""Whose bona fide clips of the phone are upside down (bob.db.msu_mfsd_mod: rotated_videos.txt)."""


def msu_mfsd() -> DataSet:
    """MSU-MFSD, in its owner's folders `real/` and `attack/`, with its two lists of subjects.

    The folders may lie below `scene01/`. PAI species: `print` with the instrument `printed_photo`,
    `replay` with `ipad_video` and `iphone_video`. Columns: instrument, device (`android`,
    `laptop`), scene, and rotation_deg, `180` for the five clips that are upside down and that
    preparation has to turn, else `0`.

    Protocol `grandtest`: `train_sub_list.txt` and `test_sub_list.txt`; there is no dev side.
    """
    expected = {Split.TRAIN: (30, 90), Split.DEV: (0, 0), Split.TEST: (40, 120)}
    return DataSet("msu_mfsd", _read, {"grandtest": Protocol(by_split, expected)})


def _read(root: Path) -> Reading:
    top = "scene01" if (root / "scene01").is_dir() else ""
    missing = require_folders(root / top, "MSU-MFSD", ["real", "attack"])
    sides, problems = _read_lists(root)
    reading = read_names(root, _parse)
    found = {row.subject for row in reading.presentations}
    for subject in sorted(subject for subject in found if subject and subject not in sides):
        problems.append(
            Problem(subject, f"is in neither {' nor '.join(_LISTS.values())}: on no side")
        )
    return Reading(
        tuple(replace(row, split=sides.get(row.subject or "")) for row in reading.presentations),
        (*missing, *problems, *reading.problems),
    )


def _read_lists(root: Path) -> tuple[Mapping[str, Split], list[Problem]]:
    """The side of each subject that a list names.

    Raises:
        DataError: a subject is in both lists.
    """
    sides: dict[str, Split] = {}
    problems: list[Problem] = []
    for split, name in _LISTS.items():
        try:
            lines = (root / name).read_text("utf-8-sig").splitlines()
        except FileNotFoundError:
            problems.append(Problem(name, "expected this list of subjects, and it is missing"))
            continue
        except (OSError, UnicodeDecodeError) as error:
            problems.append(Problem(name, f"the list cannot be read: {error}"))
            continue
        for number, line in enumerate(lines, 1):
            text = line.strip()
            if not text:
                continue
            if not re.fullmatch(r"\d{1,3}", text, re.ASCII):
                message = f"line {number}: expected a subject's number, such as 01, got {text!r}"
                problems.append(Problem(name, message))
                continue
            subject = f"client{int(text):03}"
            if sides.setdefault(subject, split) is not split:
                raise DataError(
                    f"{name}, line {number}: {subject} is in {_LISTS[Split.TRAIN]} too, and no "
                    "subject may be on two sides: take the owner's lists"
                )
    return sides, problems


def _parse(path: str) -> Presentation:
    match = _NAME.fullmatch(path)
    if match is None or (match["instrument"] is None) != ("real/" in path):
        raise DataError(
            "expected real/real_client001_android_SD_scene01.mp4 or "
            "attack/attack_client001_laptop_SD_ipad_video_scene01.mov"
        )
    if match["folder"] not in (None, match["scene"]):
        raise DataError(f"expected the folder {match['scene']}, got {match['folder']}")
    client, device, instrument = match["client"], match["device"], match["instrument"]
    rotated = instrument is None and device == "android" and client in _ROTATED
    label = Label.BONA_FIDE if instrument is None else Label.ATTACK
    columns = {
        "device": device,
        "scene": match["scene"],
        "rotation_deg": "180" if rotated else "0",
    }
    species = None
    if instrument:
        columns["instrument"] = instrument
        species = "print" if instrument == "printed_photo" else "replay"
    return Presentation(path, label, species, client, columns=columns)
