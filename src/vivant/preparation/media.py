"""A presentation's files: which they are, and their bytes, on this machine or at a URL."""

from collections.abc import Iterator, Sequence
from glob import escape
from pathlib import Path

from upath import UPath

from vivant.errors import MediaError, Refusal
from vivant.preparation.place import Place, key_of, one_line, reached
from vivant.records import Presentation
from vivant.video.limits import VideoLimits
from vivant.video.source import check_num_bytes, in_order, list_frames, ordered_frames, read_file

__all__ = ["find_files", "read_files"]


def find_files(
    root: Place, presentation: Presentation, limits: VideoLimits
) -> tuple[list[Place], bool]:
    """The files of a presentation, and whether they are the pictures of a clip.

    Args:
        root: The data set's folder.
        presentation: One of it.
        limits: How many pictures a clip may have.

    Raises:
        MediaError: NOT_A_FILE where nothing is there or it cannot be reached; a folder without
            pictures, or with too many.
        OSError: a folder of this machine cannot be read.
    """
    pattern = presentation.columns.get("frames")
    if pattern is not None:  # Several clips of pictures share a folder.
        found = sorted(_matching(root, pattern), key=in_order)
        if not found:
            raise MediaError(Refusal.EMPTY_INPUT, f"expected pictures {pattern}, found none")
        return found, True
    path = root / presentation.path
    if isinstance(path, Path):
        if path.is_dir():
            return [*list_frames(path, limits)], True
        return [path], False
    try:
        with reached(path):
            path.fs.invalidate_cache()  # Of all that were read before, it would grow for ever.
            if path.fs.info(path.path)["type"] != "directory":
                return [path], False
            inside = path.fs.ls(path.path, detail=False)
    except OSError as error:
        raise _unreadable(error) from error
    return [*ordered_frames([_at(path, name) for name in inside], limits)], True


def read_files(files: Sequence[Place], limits: VideoLimits) -> Iterator[bytes]:
    """The content of files, in their order; at a URL all of them at once, for each way is long.

    Args:
        files: All on this machine, or all in one object store.
        limits: How many bytes each may have; at a URL, all of them together.

    Raises:
        MediaError: NOT_A_FILE, TOO_LARGE or EMPTY_INPUT; before anything is read at a URL.
    """
    remote = [file for file in files if not isinstance(file, Path)]
    if remote:
        yield from _read_remote(remote, limits)
    else:
        yield from (read_file(file, limits) for file in files if isinstance(file, Path))


def _read_remote(files: Sequence[UPath], limits: VideoLimits) -> list[bytes]:
    system, names = files[0].fs, [file.path for file in files]
    try:
        with reached(files[0]):
            sizes = [int(system.info(name)["size"]) for name in names]
    except OSError as error:
        raise _unreadable(error) from error
    for size in (*sizes, sum(sizes)):  # Those of a clip wait in memory together.
        check_num_bytes(size, limits)
    with reached(files[0]):
        # The range: what has grown since then is not read to its end.
        found = system.cat_ranges(names, 0, sizes, on_error="return")
    contents = []
    for each in found:
        if isinstance(each, Exception):
            raise _unreadable(each) from each
        contents.append(bytes(each))
    return contents


def _matching(root: Place, pattern: str) -> list[Place]:
    if isinstance(root, Path):
        return [*root.glob(pattern)]
    try:
        with reached(root):
            root.fs.invalidate_cache()
            names = root.fs.glob(f"{escape(key_of(root))}/{pattern}")
    except OSError as error:
        raise _unreadable(error) from error
    return [_at(root, name) for name in names]


def _at(place: UPath, name: str) -> UPath:
    """A file by its whole name in the store of a place; slashes at the end mark a folder."""
    return UPath(f"{place.protocol}://{name.rstrip('/')}")


def _unreadable(error: Exception) -> MediaError:
    told = error.strerror if isinstance(error, OSError) and error.strerror else one_line(error)
    return MediaError(Refusal.NOT_A_FILE, f"expected a file: {told}")
