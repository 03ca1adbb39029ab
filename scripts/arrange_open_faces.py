"""Arranges openly licensed faces for `vivant data prepare manifest`.

    python scripts/arrange_open_faces.py FOLDER OUT

FOLDER has pictures and a MANIFEST.csv with the columns path, label (bona_fide or background),
subject, set, and any others. OUT gets a working copy of the bona fide pictures, whose black or
white letterbox bars are cut off, and the lower-case manifest.csv that the `manifest` reader takes:
one still presentation a picture, `split` by subject within each set, one subject of five on the
dev side. Videos are passed over. A picture that cannot be read stops nothing: it is named at the
end. What is there already is not made again.
"""

import argparse
import csv
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from vivant.files import write_whole

DEV_SHARE = 0.2
_DARK, _BRIGHT = 12, 243
_VIDEOS = (".mpg", ".mp4", ".mov", ".avi", ".webm")
_KEPT = ("subject", "set", "mask", "age_label", "gender_label", "race_label")
_QUALITY = 98


def without_bars(picture: np.ndarray) -> np.ndarray:
    """A picture without rows and columns at its edges that are all black, or all white.

    Args:
        picture: (height, width, 3), uint8.

    >>> framed = np.zeros((6, 8, 3), np.uint8)
    >>> framed[1:5] = 100
    >>> without_bars(framed).shape
    (4, 8, 3)
    """
    for empty in (picture.max(2) <= _DARK, picture.min(2) >= _BRIGHT):
        rows, columns = np.flatnonzero(~empty.all(1)), np.flatnonzero(~empty.all(0))
        if len(rows) and len(columns):
            picture = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return picture


def side_of(subject: str, subjects: Sequence[str]) -> str:
    """`train` or `dev`: one subject of five, the same whatever else there is.

    Args:
        subject: Who.
        subjects: All of the set: one alone is trained with.
    """
    if len(subjects) < 2:
        return "train"
    rank = sorted(subjects, key=lambda name: hashlib.sha256(name.encode()).digest()).index(subject)
    return "dev" if rank < max(1, round(DEV_SHARE * len(subjects))) else "train"


def copy(source: Path, target: Path) -> None:
    """Write a picture without its bars; one without bars is copied byte for byte.

    Raises:
        ValueError: it cannot be read.
    """
    if target.exists():
        return
    content = source.read_bytes()
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("it is no picture that OpenCV can read")
    cropped = without_bars(np.asarray(picture, np.uint8))
    if cropped.shape != picture.shape:
        settings = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
        _, encoded = cv2.imencode(source.suffix, cropped, settings)
        content = encoded.tobytes()
    write_whole(target, content)


def arrange(folder: Path, out: Path) -> list[str]:
    """Do it; returns what could not be read, with its reason."""
    with (folder / "MANIFEST.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] == "bona_fide"]
    rows = [row for row in rows if not row["path"].lower().endswith(_VIDEOS)]
    subjects: dict[str, list[str]] = {}
    for row in rows:
        if row["subject"] not in subjects.setdefault(row["set"], []):
            subjects[row["set"]].append(row["subject"])
    problems, made = [], []
    for number, row in enumerate(rows, start=1):
        try:
            copy(folder / row["path"], out / row["path"])
        except (OSError, ValueError) as error:
            problems.append(f"{row['path']}: {error}")
            continue
        side = side_of(row["subject"], subjects[row["set"]])
        kept = {name: row.get(name, "") for name in _KEPT}
        kept["subject"] = f"{row['set']}/{row['subject']}"
        made.append({"path": row["path"], "label": "bona_fide", "pai": "", "split": side} | kept)
        if number % 500 == 0 or number == len(rows):
            print(f"{number} of {len(rows)} pictures", flush=True)
    if made:
        lines = [",".join(made[0])]
        lines += [",".join(_quoted(value) for value in row.values()) for row in made]
        write_whole(out / "manifest.csv", "\n".join(lines) + "\n")
    return problems


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"' if set(value) & set(',"\n') else value


def main(arguments: Sequence[str] | None = None) -> None:
    """Arrange, and name what was left out."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="pictures and their MANIFEST.csv")
    parser.add_argument("out", type=Path, help="working copy: made if it is not there")
    options = parser.parse_args(arguments)
    if not (options.folder / "MANIFEST.csv").is_file():
        sys.exit(f"expected MANIFEST.csv in {options.folder}, found none")
    problems = arrange(options.folder, options.out)
    for problem in problems:
        print(f"left out: {problem}")
    print(f"{options.out}: {len(problems)} pictures left out")


if __name__ == "__main__":
    main()
