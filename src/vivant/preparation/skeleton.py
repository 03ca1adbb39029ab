"""A data set at a URL as a tree of this machine: its names, and the content of its lists alone.

Readers walk folders and read lists; videos they only name. So none of them has to know of URLs.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from upath import UPath

from vivant.datasets.dataset import DataSet, Problem, Reading
from vivant.datasets.made_up import MARKERS, is_made_up
from vivant.datasets.walk import STILL_ENDINGS, VIDEO_ENDINGS, ending, is_junk
from vivant.errors import DataError, OutputError
from vivant.preparation.place import Place, key_of, one_line, reached, sizes_below

__all__ = ["mirrored", "read_data_set"]

_LISTS = frozenset({".csv", ".json", ".parquet", ".txt"})
"""Endings of what readers read."""
_DEPTH = 3
"""Parts of a list's path at most. What is deeper is none, such as the face boxes that CelebA-Spoof
has of each picture; nor is what has a video's name, such as the eyes that OULU-NPU has of each."""
_MAX_BYTES = 2**30
"""Of all lists together: CelebA-Spoof's are some hundred MB."""
_LONGEST = 255
"""Bytes that a name may have in the file systems of Linux."""


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A folder of this machine that a reader can read."""

    folder: Path
    problems: tuple[Problem, ...] = ()
    """What is at the URL and cannot be in a folder."""


@contextmanager
def mirrored(root: Place) -> Iterator[Skeleton]:
    """Within, a data set's names and lists are in a folder of this machine.

    A folder of this machine stands for itself. Of a URL, everything below is listed once; media are
    empty files. The folder is the user's own and is gone afterwards.

    Args:
        root: The data set's folder.

    Raises:
        DataError: it cannot be read, or its lists are larger than lists are.
        OutputError: there is no room for the names.
    """
    if isinstance(root, Path):
        yield Skeleton(root)
        return
    try:
        sizes = sizes_below(root)
    except OSError as error:
        raise DataError(f"expected a data set at {root}: {error.strerror}") from error
    with TemporaryDirectory(prefix="vivant-") as name:
        folder = Path(name)
        contents = _read_lists(root, sizes)
        try:
            problems = tuple(_grow(folder, sizes, contents))
        except OSError as error:
            raise OutputError(
                f"cannot keep the names of {root} in {folder}: {error.strerror}. Name a folder "
                "with room in the environment (TMPDIR)"
            ) from error
        yield Skeleton(folder, problems)


def read_data_set(dataset: DataSet, root: Place) -> tuple[Reading, bool]:
    """What a data set holds, and whether any of it was made up by a program.

    Args:
        dataset: Its reader.
        root: Its folder, here or at a URL.

    Raises:
        DataError: it is not the data set's, or cannot be read.
    """
    with mirrored(root) as skeleton:
        here, there = str(skeleton.folder), str(root)
        try:
            reading = dataset.read(skeleton.folder)
            made_up = is_made_up(skeleton.folder, reading.presentations)
        except DataError as error:
            raise DataError(str(error).replace(here, there)) from error
    told = (replace(each, message=each.message.replace(here, there)) for each in reading.problems)
    return Reading(reading.presentations, (*told, *skeleton.problems)), made_up


def _grow(
    folder: Path, sizes: Mapping[str, int], contents: Mapping[str, bytes]
) -> Iterator[Problem]:
    """Make the tree; folders first, so that a name of both is a folder."""
    files = [name for name in sorted(sizes) if not name.endswith("/")]
    folders = {str(PurePosixPath(name).parent) for name in files if _is_name(name)}
    folders |= {name.rstrip("/") for name in sizes if name.endswith("/")}
    for name in sorted(folders):
        if _is_name(name):
            (folder / name).mkdir(parents=True, exist_ok=True)
    for name in files:
        if not _is_name(name):
            yield Problem(name, "expected a name that a file can have here: rename it")
        elif (folder / name).is_dir():
            yield Problem(name, "is a file, and there are files below it: rename it")
        else:
            (folder / name).write_bytes(contents.get(name, b""))


def _is_name(name: str) -> bool:
    """Whether a name in the store is one of a file below a folder, and of no other place."""
    parts = name.split("/")
    return "\0" not in name and all(
        part not in ("", ".", "..") and len(part.encode()) <= _LONGEST for part in parts
    )


def _read_lists(root: UPath, sizes: Mapping[str, int]) -> dict[str, bytes]:
    """The content of what readers may read.

    Raises:
        DataError: it is too much, or cannot be read.
    """
    names = [name for name in _lists(sizes.keys()) if sizes[name]]
    num_bytes = sum(sizes[name] for name in names)
    if num_bytes > _MAX_BYTES:
        raise DataError(
            f"expected lists of at most {_MAX_BYTES / 2**20:.0f} MiB in {root}, found "
            f"{num_bytes / 2**20:,.0f} MiB in {len(names):,} files: is it the data set's folder?"
        )
    paths = [f"{key_of(root)}/{name}" for name in names]
    try:
        with reached(root):
            ends = [sizes[name] for name in names]
            found = root.fs.cat_ranges(paths, 0, ends, on_error="return") if paths else []
    except OSError as error:
        raise DataError(f"cannot read the lists in {root}: {error.strerror}") from error
    contents = dict(zip(names, found, strict=True))
    for name, content in contents.items():
        if isinstance(content, Exception):
            raise DataError(f"cannot read {root}/{name}: {one_line(content)}") from content
    return contents


def _lists(names: Collection[str]) -> Iterator[str]:
    media = {_stem(name) for name in names if ending(name) in VIDEO_ENDINGS | STILL_ENDINGS}
    for name in names:
        parts = name.split("/")
        is_list = ending(name) in _LISTS and len(parts) <= _DEPTH and _stem(name) not in media
        if parts[-1] in MARKERS or (is_list and not any(map(is_junk, parts))):
            yield name


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))
