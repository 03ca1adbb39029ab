"""Arranges openly licensed faces for `vivant data prepare manifest`.

    python scripts/arrange_open_faces.py FOLDER OUT
    vivant data prepare manifest OUT --out STORE --margin 2.6 --close-faces

FOLDER has pictures and a MANIFEST.csv with the columns path, label (bona_fide or background),
subject and set, and optionally sha256 and any others. OUT becomes a working copy:

- the bona fide pictures without their letterbox bars (black or white) and mirrored edges; a
  picture without them is copied byte for byte;
- `manifest.csv` for the `manifest` reader, one still presentation a picture. The subject is named
  `SET/SUBJECT`; the columns `set` and the labels of age, gender and race are kept for breakdowns.
  One subject of five of each set is on the dev side, the others on the train side; a set of one
  subject is trained with;
- `backgrounds/`: the pictures of screens and rooms.

Pictures become stills and not series: their rate is not known, and a training that moves stills
itself moves those of both classes alike. Videos are passed over, or with `--pictures-per-video N`
become N stills each, evenly spread.

A picture that cannot be used stops nothing: it is named at the end. What is there already is not
made again, so the same command goes on where it was stopped.
"""

import argparse
import csv
import hashlib
import io
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import av
import cv2
import numpy as np

from vivant.files import remove_unfinished, write_whole

DEV_SHARE = 0.2
_REQUIRED = ("path", "label", "subject", "set")
_KEPT = ("mask", "age_label", "gender_label", "race_label")
_VIDEOS = (".mpg", ".mp4", ".mov", ".avi", ".webm")
_BACKGROUNDS = "backgrounds"
_DARK, _BRIGHT = 12, 243  # JPEG leaves noise in black and white.
_BLENDED = 2  # Rows beside a bar that resizing has mixed with it.
_MIRRORED = (0.1, 0.33)  # Shares of a picture between which a mirrored edge is looked for.
_ALIKE = 0.02  # A mirrored edge differs by 0.000 of its contrast; other pictures by 0.029 and more.
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 98, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111)


@dataclass
class Report:
    """What was done."""

    num_pictures: Counter[str] = field(default_factory=Counter)
    """In the manifest, by set."""
    num_cut: Counter[str] = field(default_factory=Counter)
    """Those that lost bars or mirrored edges, by set."""
    num_backgrounds: int = 0
    num_videos: int = 0
    """Passed over."""
    problems: list[str] = field(default_factory=list)


def without_bars(picture: np.ndarray) -> np.ndarray:
    """A picture without letterbox bars, black or white, and without mirrored edges.

    Args:
        picture: (height, width, 3), uint8.

    >>> framed = np.zeros((60, 80, 3), np.uint8)
    >>> framed[10:50] = np.arange(80, 160)[:, None]
    >>> without_bars(framed).shape
    (36, 80, 3)
    """
    for empty in (picture.max(2) <= _DARK, picture.min(2) >= _BRIGHT):
        (y0, y1), (x0, x1) = (_filled(empty.all(axis)) for axis in (1, 0))
        if y1 - y0 > 0 and x1 - x0 > 0:
            picture = picture[y0:y1, x0:x1]
    for axis in (0, 1):
        grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_BGR2GRAY)
        lines = grey if axis == 0 else grey.T
        first, last = _mirrored(lines), len(lines) - _mirrored(lines[::-1])
        picture = picture[first:last] if axis == 0 else picture[:, first:last]
    return picture


def _filled(empty: np.ndarray) -> tuple[int, int]:
    """Where a picture begins and ends along an axis whose lines are empty or not."""
    filled = np.flatnonzero(~empty)
    if not len(filled):
        return 0, len(empty)
    first, end = int(filled[0]), int(filled[-1]) + 1
    first += _BLENDED * (first > 0)
    end -= _BLENDED * (end < len(empty))
    return first, end


def _mirrored(lines: np.ndarray) -> int:
    """How many lines at the beginning are those after them in reverse."""
    num = len(lines)
    few = cv2.resize(lines, (48, num), interpolation=cv2.INTER_AREA).astype(np.float32)
    least, most = (round(share * num) for share in _MIRRORED)
    found = (_ALIKE, 0)
    for length in range(max(1, least), most + 1):
        edge, inner = few[:length][::-1], few[length : 2 * length]
        contrast = max(1.0, float(edge.std()))
        found = min(found, (float(np.abs(edge - inner).mean()) / contrast, length))
    return found[1]


def sides_of(subjects: Sequence[str]) -> dict[str, str]:
    """`train` or `dev` of each subject of a set: one of five on the dev side, chosen by a hash.

    >>> sorted(sides_of(["a", "b", "c", "d", "e"]).values())
    ['dev', 'train', 'train', 'train', 'train']
    >>> sides_of(["a"])
    {'a': 'train'}
    """
    order = sorted(subjects, key=lambda name: hashlib.sha256(name.encode()).digest())
    num_dev = max(1, round(DEV_SHARE * len(order))) if len(order) > 1 else 0
    return {name: "dev" if rank < num_dev else "train" for rank, name in enumerate(order)}


def evenly(rows: Sequence[Mapping[str, str]], most: int | None) -> list[Mapping[str, str]]:
    """At most so many rows of a set: as many of each subject as of the others, spread over time.

    Args:
        rows: Of one set, those of a subject in the order of filming.
        most: None: all.
    """
    if most is None or len(rows) <= most:
        return [*rows]
    by_subject: dict[str, list[Mapping[str, str]]] = {}
    for row in rows:
        by_subject.setdefault(row["subject"], []).append(row)
    counts = dict.fromkeys(by_subject, 0)
    while sum(counts.values()) < most:
        open_ = [name for name, found in by_subject.items() if counts[name] < len(found)]
        for name in open_[: most - sum(counts.values())]:
            counts[name] += 1
    return [
        by_subject[name][place]
        for name, count in counts.items()
        if count
        for place in np.linspace(0, len(by_subject[name]) - 1, count).round().astype(int)
    ]


def copy(source: Path, target: Path, row: Mapping[str, str]) -> bool:
    """Write a picture without its bars; one without bars is copied byte for byte.

    Args:
        source: The picture.
        target: Where to; what is there already is kept.
        row: Of MANIFEST.csv.

    Returns:
        Whether something was cut off.

    Raises:
        ValueError: it cannot be read, or is not what MANIFEST.csv names.
        OSError: it cannot be read or written.
    """
    content = source.read_bytes()
    if row.get("sha256") and hashlib.sha256(content).hexdigest() != row["sha256"]:
        raise ValueError("its SHA-256 is not that of MANIFEST.csv")
    if target.exists():
        return target.read_bytes() != content
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("it is not a picture that OpenCV can read")
    cropped = without_bars(np.asarray(picture, np.uint8))
    is_cut = bool(cropped.shape != picture.shape)
    write_whole(target, _encoded(cropped, target.suffix.lower()) if is_cut else content)
    return is_cut


def copy_frames(source: Path, targets: Sequence[Path]) -> None:
    """Write frames of a video as pictures, evenly spread; what is there already is kept.

    Args:
        source: The video.
        targets: Where to.

    Raises:
        ValueError: it cannot be read, or has fewer frames.
        OSError: it cannot be read or written.
    """
    if all(target.exists() for target in targets):
        return
    with av.open(str(source)) as video:
        frames = [frame.to_ndarray(format="bgr24") for frame in video.decode(video=0)]
    if len(frames) < len(targets):
        raise ValueError(f"expected {len(targets)} frames, found {len(frames)}")
    # The middle of each of so many equal parts.
    places = (np.arange(len(targets)) + 0.5) * len(frames) / len(targets)
    for place, target in zip(places.astype(int), targets, strict=True):
        write_whole(target, _encoded(without_bars(frames[place]), target.suffix))


def _encoded(picture: np.ndarray, suffix: str) -> bytes:
    options = _JPEG if suffix in (".jpg", ".jpeg") else ()
    return cv2.imencode(suffix, np.ascontiguousarray(picture), options)[1].tobytes()


def arrange(folder: Path, out: Path, most_per_set: int | None = None, per_video: int = 0) -> Report:
    """Make the working copy.

    Args:
        folder: Pictures and their MANIFEST.csv.
        out: Where to; made if it is not there.
        most_per_set: Pictures of a set at most; None: all.
        per_video: Stills to take from each video.

    Raises:
        ValueError: MANIFEST.csv lacks a column, or both folders are one.
        OSError: MANIFEST.csv cannot be read, or OUT cannot be written.
    """
    if out.resolve() == folder.resolve():
        raise ValueError(f"expected another folder than {folder} to write to")
    report = Report()
    out.mkdir(parents=True, exist_ok=True)
    out.chmod(0o700)  # Faces are biometric data.
    remove_unfinished(out)
    by_set: dict[str, list[Mapping[str, str]]] = {}
    for row in _read(folder / "MANIFEST.csv"):
        path = PurePosixPath(row["path"])
        if path.is_absolute() or ".." in path.parts or not path.parts:
            report.problems.append(f"{row['path']!r}: expected a path below {folder}")
        elif row["label"] == "background":
            try:
                copy(folder / path, out / _BACKGROUNDS / path, row)
                report.num_backgrounds += 1
            except (OSError, ValueError) as error:
                report.problems.append(f"{path}: {error}")
        elif row["label"] != "bona_fide":
            report.problems.append(f"{path}: expected bona_fide or background: {row['label']!r}")
        elif path.suffix.lower() in _VIDEOS:
            found = _frames_of(folder, out, row, per_video, report)
            by_set.setdefault(row["set"], []).extend(found)
        else:
            by_set.setdefault(row["set"], []).append(row)
    lines = []
    for name, rows in by_set.items():
        if not rows:
            continue
        sides = sides_of(sorted({row["subject"] for row in rows}))
        lines += _arrange_set(folder, out, evenly(rows, most_per_set), sides, report)
        print(f"{name}: {report.num_pictures[name]} pictures", flush=True)
    write_whole(out / "manifest.csv", _table(lines))
    return report


def _frames_of(
    folder: Path, out: Path, row: Mapping[str, str], per_video: int, report: Report
) -> list[Mapping[str, str]]:
    """Rows of the stills that were taken from a video."""
    if not per_video:
        report.num_videos += 1
        return []
    path = PurePosixPath(row["path"])
    names = [path.with_name(f"{path.stem}_{k + 1}of{per_video}.png") for k in range(per_video)]
    try:
        copy_frames(folder / path, [out / name for name in names])
    except (OSError, ValueError, IndexError, av.FFmpegError) as error:  # IndexError: sound alone.
        report.problems.append(f"{path}: {error}")
        return []
    return [{**row, "path": str(name), "video": "yes"} for name in names]


def _arrange_set(
    folder: Path,
    out: Path,
    rows: Sequence[Mapping[str, str]],
    sides: Mapping[str, str],
    report: Report,
) -> list[dict[str, str]]:
    """Copy the pictures of a set; returns their rows of manifest.csv."""
    lines = []
    for row in rows:
        path, set_ = row["path"], row["set"]
        try:
            if not row.get("video"):
                report.num_cut[set_] += copy(folder / path, out / path, row)
        except (OSError, ValueError) as error:
            report.problems.append(f"{path}: {error}")
            continue
        report.num_pictures[set_] += 1
        lines.append(
            {
                "path": path,
                "label": "bona_fide",
                "pai": "",
                "split": sides[row["subject"]],
                "subject": f"{set_}/{row['subject']}",
                "set": set_,
                **{name: row.get(name) or "" for name in _KEPT},
            }
        )
    return lines


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [name for name in _REQUIRED if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"expected the columns {', '.join(_REQUIRED)} in {path}")
        return [*reader]


def _table(lines: Sequence[Mapping[str, str]]) -> str:
    text = io.StringIO()
    names = ("path", "label", "pai", "split", "subject", "set", *_KEPT)
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def main(arguments: Sequence[str] | None = None) -> None:
    """Arrange, and name what was left out."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="pictures and their MANIFEST.csv")
    parser.add_argument("out", type=Path, help="working copy: made if it is not there")
    parser.add_argument(
        "--most-per-set", type=int, help="pictures of a set at most, evenly over its subjects"
    )
    parser.add_argument(
        "--pictures-per-video", type=int, default=0, help="stills to take from each video"
    )
    options = parser.parse_args(arguments)
    if options.most_per_set is not None and options.most_per_set < 1:
        sys.exit(f"expected --most-per-set of at least 1, got {options.most_per_set}")
    if options.pictures_per_video < 0:
        sys.exit(f"expected --pictures-per-video of at least 0, got {options.pictures_per_video}")
    try:
        report = arrange(
            options.folder, options.out, options.most_per_set, options.pictures_per_video
        )
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    for problem in report.problems:
        print(f"left out: {problem}")
    print(
        f"{options.out}: {report.num_pictures.total()} pictures of {len(report.num_pictures)} "
        f"sets, {report.num_cut.total()} of them cut ({dict(report.num_cut)}); "
        f"{report.num_backgrounds} backgrounds; {report.num_videos} videos passed over; "
        f"{len(report.problems)} left out"
    )


if __name__ == "__main__":
    main()
