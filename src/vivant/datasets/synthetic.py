"""A benchmark made by a program: OULU-NPU's or SiW's own names, and nobody's face but one.

It proves that readers, protocols, training and evaluation run, and says nothing of accuracy on
people. `synthetic_plan` has the names, `synthetic_world` the cameras, rooms and instruments,
`synthetic_film` the frames; here they come to disk.
"""

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2

from vivant.attacks.recording import write_video
from vivant.datasets import oulu_npu, siw
from vivant.datasets.dataset import Counts, counts
from vivant.datasets.synthetic_film import Studio, parameters, take
from vivant.datasets.synthetic_plan import FRAME_RATE, LAYOUTS, SIZES, Video, plan
from vivant.datasets.synthetic_readme import readme
from vivant.errors import DataError, OutputError
from vivant.files import remove_unfinished, write_whole
from vivant.parallel import Failure, in_processes
from vivant.records import Split

__all__: list[str] = []

MARKER = "synthetic.json"
PARAMETERS = "parameters.csv"
README = "README.md"
VERSION = 2
"""Of what a seed and a name give; another number means other videos."""
_BYTES_PER_FRAME = 12_000  # Twice the mean of `tiny`: to see in time that a disk is too small.
_CHUNK = 30  # Videos of one subject that a process is given at once.


@dataclass(frozen=True, slots=True)
class Marker:
    """What a folder was made for: the content of `synthetic.json`."""

    layout: str
    size: str
    seed: int
    version: int
    num_videos: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a benchmark is made."""

    done: int
    total: int
    kept: int
    """Of those done, how many were there already."""


def read_marker(root: Path) -> Marker | None:
    """What a synthetic benchmark's folder was made for; None where it is none.

    Raises:
        DataError: the marker is damaged.
    """
    path = root / MARKER
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        marker = Marker(**content["synthetic"])
        if marker.layout in LAYOUTS and marker.size in SIZES:
            return marker
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise DataError(f"{path} is damaged: {error}; make the benchmark anew") from error
    raise DataError(
        f"{path} is of a layout or size that is not known: {marker.layout}, {marker.size}"
    )


def expected_counts(root: Path, protocol: str, siw_dev: str = "bob") -> Counts | None:
    """How many presentations a protocol has on each side of a synthetic benchmark.

    Args:
        root: The folder.
        protocol: Of the layout's data set, such as `3_2`.
        siw_dev: Which subjects of SiW are the dev side.

    Returns:
        Bona fide presentations and attacks; None where the folder is no synthetic benchmark.

    Raises:
        DataError: the marker is damaged.
        UnknownNameError: no such protocol.
    """
    marker = read_marker(root)
    if marker is None:
        return None
    is_oulu = marker.layout == "oulu-npu"
    dataset = oulu_npu.oulu_npu() if is_oulu else siw.siw(siw_dev)
    parse = oulu_npu.parse if is_oulu else siw.parse
    rows = [parse(video.path) for video in plan(marker.layout, marker.size)]
    return counts(dataset.split(rows, protocol))


def read_parameters(root: Path) -> dict[str, dict[str, str]]:
    """What was drawn for each video, by its path.

    Raises:
        DataError: the folder has no such table.
    """
    path = root / PARAMETERS
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {row["path"]: row for row in rows}
    except (OSError, KeyError, csv.Error) as error:
        raise DataError(
            f"expected {path} of a synthetic benchmark, and it cannot be read: {error}"
        ) from error


def generate(
    root: Path, layout: str, size: str, seed: int = 0, num_workers: int = 1
) -> Iterator[Progress]:
    """Make a benchmark, or go on with one: videos that are there are kept.

    It can be killed at any moment, and goes on when it is called again. Do not call it twice at a
    time for one folder.

    Args:
        root: A folder that is empty, or not there, or has a part of the same benchmark.
        layout: `oulu-npu` or `siw`.
        size: `smoke`, `tiny`, `small` or `full`.
        seed: Of all that is drawn.
        num_workers: Processes.

    Returns:
        How far it is: first what was there, then after each subject.

    Raises:
        UnknownNameError: no such layout or size.
        DataError: the folder holds something else.
        OutputError: no room on the disk, or something cannot be written.
    """
    videos = plan(layout, size)
    marker = Marker(layout, size, seed, VERSION, len(videos))
    _claim(root, marker)
    missing = [video for video in videos if not _is_made(root / video.path)]
    _require_space(root, len(missing) * SIZES[size].num_frames * _BYTES_PER_FRAME)
    _write_notes(root, marker, videos)
    kept = done = len(videos) - len(missing)
    yield Progress(done, len(videos), kept)
    build = partial(_build, root, layout, seed, SIZES[size].num_frames, num_workers > 1)
    for chunk, result in in_processes(build, _chunks(missing), num_workers):
        if isinstance(result, Failure):
            names = f"{chunk[0].path} and {len(chunk) - 1} more"
            raise OutputError(f"{names} were not made: {result.message}; run it again")
        done += result
        yield Progress(done, len(videos), kept)


def _is_made(path: Path) -> bool:
    """Whether a video is there. Videos come whole or not at all; a full disk leaves empty ones."""
    return path.is_file() and path.stat().st_size > 0


def _claim(root: Path, marker: Marker) -> None:
    """Make the folder ours, or make sure that it is.

    Raises:
        DataError: it holds something else.
    """
    found = read_marker(root)
    if found is not None and found != marker:
        raise DataError(
            f"{root} holds another synthetic benchmark ({_words(found)}), expected "
            f"{_words(marker)}: name another folder, or remove it"
        )
    if found is None:
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise DataError(
                f"expected an empty folder or a synthetic benchmark begun before, found something "
                f"else in {root}: name another folder"
            )
        content = {"synthetic": asdict(marker), "note": "drawn by a program; not people"}
        write_whole(root / MARKER, json.dumps(content, indent=2) + "\n")
    remove_unfinished(root)


def _words(marker: Marker) -> str:
    return f"{marker.layout}, {marker.size}, seed {marker.seed}, version {marker.version}"


def _require_space(root: Path, num_bytes: int) -> None:
    """Refuse a disk that is too small.

    Raises:
        OutputError: says how much is needed.
    """
    free = shutil.disk_usage(root).free
    if free < num_bytes:
        raise OutputError(
            f"expected {num_bytes / 1e9:.1f} GB free at {root}, found {free / 1e9:.1f}: make room, "
            "or name a folder on another disk"
        )


def _write_notes(root: Path, marker: Marker, videos: Sequence[Video]) -> None:
    """README, parameters, and where they are whole the owner's lists."""
    write_whole(root / README, readme(marker.layout, marker.size, marker.seed, len(videos)))
    rows = [parameters(take(video, marker.layout, marker.seed)) for video in videos]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    table = io.StringIO()
    writer = csv.DictWriter(table, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(root / PARAMETERS, table.getvalue())
    if marker.layout == "oulu-npu" and SIZES[marker.size].is_whole:
        for protocol in oulu_npu.oulu_npu().protocols:
            if protocol != "all":
                _write_lists(root, protocol)


def _write_lists(root: Path, protocol: str) -> None:
    """A protocol's lists as OULU-NPU's owner writes them."""
    ids = oulu_npu.rule_ids(protocol)
    for split, file in oulu_npu.list_files(protocol).items():
        lines = []
        for name in sorted(ids[split]):
            instrument = oulu_npu.INSTRUMENTS.get(name[-1], "")
            is_test_replay = split is Split.TEST and instrument.startswith("replay")
            label = "-2" if is_test_replay else "-1" if instrument else "+1"
            lines.append(f"{label},{name}\n")
        write_whole(root / file, "".join(lines))


def _chunks(videos: Sequence[Video]) -> Iterator[tuple[Video, ...]]:
    """Videos of one subject, a process's share: who draws a subject once films it often."""
    chunk: list[Video] = []
    for video in videos:
        if chunk and (len(chunk) == _CHUNK or video.subject != chunk[0].subject):
            yield tuple(chunk)
            chunk = []
        chunk.append(video)
    if chunk:
        yield tuple(chunk)


def _build(
    root: Path, layout: str, seed: int, num_frames: int, is_one_of_many: bool
) -> Callable[[tuple[Video, ...]], int]:
    """The work of a process: films videos, and says how many."""
    if is_one_of_many:
        cv2.setNumThreads(1)  # Each process has a core; threads would only wait for each other.
    studio = Studio(layout, seed, num_frames)

    def work(videos: tuple[Video, ...]) -> int:
        for video in videos:
            path = root / video.path
            path.parent.mkdir(parents=True, exist_ok=True)
            camera = take(video, layout, seed).camera
            write_video(path, studio.film(video), FRAME_RATE, camera.crf)
        return len(videos)

    return work
