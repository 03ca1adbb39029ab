"""A contact sheet of a synthetic benchmark: a row for each subject, a column for each instrument.

    python scripts/synthetic_sheet.py DIR OUT.png [--subjects N]

DIR is what `vivant data synthetic` wrote. Cameras and sessions change from cell to cell.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np
from jaxtyping import UInt8

from vivant.datasets.synthetic import read_marker
from vivant.datasets.synthetic_plan import Video, plan

WIDTH = 240
FRAME = 6  # Of each video.


def frame(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """One frame of a video, smaller."""
    with av.open(path) as source:
        frames = [each.to_ndarray(format="rgb24") for each in source.decode(video=0)]
    pixels = frames[FRAME]
    height = round(WIDTH * pixels.shape[0] / pixels.shape[1])
    small = cv2.resize(pixels, (WIDTH, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def cell(root: Path, video: Video) -> UInt8[np.ndarray, "height width 3"]:
    """A frame with its name."""
    pixels = frame(root / video.path).copy()
    place = (4, pixels.shape[0] - 6)
    name = f"{Path(video.path).stem} {video.instrument or 'bona fide'}"
    for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(pixels, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, thick, cv2.LINE_AA)
    return pixels


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--subjects", type=int, default=8, help="rows, spread over all subjects")
    options = parser.parse_args(arguments)
    marker = read_marker(options.root)
    if marker is None:
        parser.error(f"{options.root} is no synthetic benchmark")
    videos: dict[int, dict[str, list[Video]]] = defaultdict(lambda: defaultdict(list))
    for video in plan(marker.layout, marker.size):
        videos[video.subject][video.instrument or ""].append(video)
    subjects = sorted(videos)
    chosen = np.linspace(0, len(subjects) - 1, min(options.subjects, len(subjects))).round()
    rows = []
    for row, subject in enumerate(subjects[int(at)] for at in chosen):
        kinds = sorted(videos[subject].items())
        cells = [
            cell(options.root, each[(row + 2 * column) % len(each)])
            for column, (_, each) in enumerate(kinds)
        ]
        rows.append(np.hstack(cells))
    sheet = np.vstack(rows)
    cv2.imwrite(str(options.out), np.ascontiguousarray(sheet[..., ::-1]))
    print(f"{options.out}: {len(rows)} subjects, {sheet.shape[1]}x{sheet.shape[0]} pixels")


if __name__ == "__main__":
    main()
