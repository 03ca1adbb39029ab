"""Whether a data set's files open: by their first bytes, or by decoding their first frame."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from vivant.datasets.dataset import Problem
from vivant.datasets.walk import STILL_ENDINGS
from vivant.errors import MediaError
from vivant.records import Presentation
from vivant.video.isolation import DecoderPool
from vivant.video.limits import VideoLimits
from vivant.video.sniff import sniff
from vivant.video.source import list_frames, read_file

__all__: list[str] = []

_NUM_BYTES = 64  # All that `sniff` asks for.
_FAR_APART_S = 60.0  # Only the first frame is wanted.
_LAST_NUMBER = re.compile(r"(\d+)\D*$", re.ASCII)


def find_unreadable(
    root: Path,
    presentations: Sequence[Presentation],
    limits: VideoLimits,
    pool: DecoderPool | None = None,
) -> list[Problem]:
    """Each file of these presentations that does not open, in the order of their paths.

    Args:
        root: The data set's folder.
        presentations: Videos, pictures, folders of pictures or series of them; a few dozen, for
            their pictures share a process, whose processor time is limited.
        limits: How many pictures a clip may have.
        pool: Decodes the first frame of each file, isolated; None: the first bytes alone are looked
            at, which finds what is no video or picture at all.
    """
    problems: list[Problem] = []
    pictures: list[Path] = []
    for row in presentations:
        try:
            files = _files(root, row, limits)
        except (MediaError, OSError) as error:
            problems.append(Problem(row.path, str(error)))
            continue
        for file in files:
            if pool is None:
                problems += _sniffed(root, file)
            elif file.suffix.lower() in STILL_ENDINGS:
                pictures.append(file)
            else:
                problems += _decoded(root, file, pool)
    if pool is not None:
        problems += _decoded_pictures(root, pictures, pool)
    return sorted(problems, key=lambda problem: problem.path)


def find_gaps(root: Path, presentation: Presentation, limits: VideoLimits) -> Iterator[Problem]:
    """Pictures that seem to be missing in a folder of them: their numbers rise in uneven steps.

    Frames are taken to be evenly apart in time, so a gap would be a jump. A series that shares its
    folder (NUAA) is counted instead, for its owner numbered it with gaps.
    """
    if "frames" in presentation.columns:
        found = len(_files(root, presentation, limits))
        expected = presentation.columns.get("num_pictures")
        if expected not in (None, str(found)):
            yield Problem(presentation.path, f"expected {expected} pictures, found {found}")
        return
    if not (root / presentation.path).is_dir():
        return
    try:
        names = [path.stem for path in _files(root, presentation, limits)]
    except (MediaError, OSError):
        return  # `find_unreadable` says so.
    matches = [_LAST_NUMBER.search(name) for name in names]
    numbers = [int(match[1]) for match in matches if match]
    if len(numbers) != len(names) or len(names) < 3:
        return
    steps = [(last, following - last) for last, following in pairwise(numbers)]
    usual, _ = Counter(step for _, step in steps).most_common(1)[0]
    jumps = [(last, step) for last, step in steps if step > usual]
    if jumps:
        last, step = jumps[0]
        yield Problem(
            presentation.path,
            f"pictures seem to be missing in {len(jumps)} places: {last} is followed by "
            f"{last + step} where {last + usual} is expected; put them back, or split the clip",
        )


def _files(root: Path, presentation: Presentation, limits: VideoLimits) -> list[Path]:
    """The files of a presentation.

    Raises:
        MediaError: a folder without pictures, or with too many.
        OSError: the folder cannot be read.
    """
    if "frames" in presentation.columns:
        return sorted(root.glob(presentation.columns["frames"]))
    path = root / presentation.path
    return list_frames(path, limits) if path.is_dir() else [path]


def _sniffed(root: Path, file: Path) -> Iterator[Problem]:
    try:
        with file.open("rb") as opened:
            sniff(opened.read(_NUM_BYTES))
    except (OSError, MediaError) as error:
        yield _problem(root, file, error)


def _decoded(root: Path, file: Path, pool: DecoderPool) -> Iterator[Problem]:
    try:
        media = pool.read_media(read_file(file, pool.limits), _FAR_APART_S)
        if next(media.frames, None) is None:
            yield Problem(_place(root, file), "no frame of it decodes")
    except MediaError as error:
        yield _problem(root, file, error)


def _decoded_pictures(root: Path, files: Sequence[Path], pool: DecoderPool) -> Iterator[Problem]:
    """Pictures, in one process: a damaged one ends it, and those after it have another."""
    left = list(files)
    while left:
        with pool.hold() as read:
            while left:
                file = left.pop(0)
                try:
                    for _ in read(read_file(file, pool.limits), _FAR_APART_S).frames:
                        pass
                except MediaError as error:
                    yield _problem(root, file, error)
                    break


def _problem(root: Path, file: Path, error: Exception) -> Problem:
    return Problem(_place(root, file), str(error))


def _place(root: Path, file: Path) -> str:
    return file.relative_to(root).as_posix()
