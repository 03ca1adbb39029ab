"""A folder of prepared data: two Lance tables that survive being killed at any moment.

On this machine or in an object store. There is no lock there, and who may read the faces is what
the bucket's owner has set: see `vivant.preparation.writer` for what happens with two writers.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa

from vivant.errors import DataError, OutputError
from vivant.files import is_unfinished
from vivant.preparation.manifest import (
    FILE,
    StoreManifest,
    load_manifest,
    save_manifest,
)
from vivant.preparation.place import (
    Place,
    is_there,
    key_of,
    names_in,
    one_line,
    reached,
    sizes_below,
    table_uri,
)
from vivant.preparation.schema import FRAMES, PRESENTATIONS
from vivant.preparation.writer import Writer

__all__ = ["Store", "delete_store"]

_LOCK = "lock"
_TABLES = ("frames.lance", "presentations.lance")
_PRIVATE = 0o700  # Faces are biometric data: for the user that made them and nobody else.


class Store:
    """Prepared data in a folder.

    Frames come in first, then their presentations: what has no presentation does not count, and
    the next writer removes it. So an append is whole or has not happened.

    Args:
        folder: Made by `vivant data prepare`.

    Raises:
        DataError: it is no store, or a damaged one.
    """

    def __init__(self, folder: Place) -> None:
        self.folder = folder
        self.manifest = load_manifest(folder)

    @classmethod
    def create(cls, folder: Place, manifest: StoreManifest) -> "Store":
        """A store to write to: a new one, or the one that is there.

        Raises:
            DataError: the folder holds something else, or was prepared with other settings.
            OutputError: it cannot be written.
        """
        if not _has_manifest(folder):
            _make_private(folder)
            save_manifest(folder, manifest)
        store = cls(folder)
        _check_same(store.manifest, manifest, folder)
        _set_private(folder)  # It may have been copied or restored with wider rights.
        if manifest.programs[0] not in store.manifest.programs:
            with _locked(folder):
                programs = (*store.manifest.programs, *manifest.programs)
                store.manifest = store.manifest.model_copy(update={"programs": programs})
                save_manifest(folder, store.manifest)
        return store

    @contextmanager
    def writing(self) -> Iterator["Writer"]:
        """The one writer of the store.

        Raises:
            OutputError: another process writes to it, or it cannot be written.
        """
        with _locked(self.folder):
            yield Writer(self.folder)

    def presentations(self, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Rows of the table `presentations`, by their paths."""
        table = _table(self.folder, "presentations", PRESENTATIONS)
        rows = table.to_table(columns=None if columns is None else [*columns]).to_pylist()
        return sorted(rows, key=lambda row: str(row["path"])) if _has_path(columns) else rows

    def frames(self) -> lance.LanceDataset:
        """The table `frames`. It may hold frames of presentations that are not there (yet)."""
        return _table(self.folder, "frames", FRAMES)


def delete_store(folder: Place) -> None:
    """Delete a store whole.

    Raises:
        DataError: the folder is no store: nothing is deleted.
        OutputError: something could not be deleted.
    """
    if isinstance(folder, Path):
        folder = folder.resolve()  # A link's folder is meant, and not the link.
    load_manifest(folder)
    try:
        names = names_in(folder)
    except OSError as error:
        raise OutputError(f"cannot delete {folder}: {error.strerror}") from error
    ours = {FILE, _LOCK, *_TABLES}
    strangers = [name for name in names if name not in ours and not is_unfinished(Path(name))]
    if strangers:
        raise DataError(
            f"{folder} holds more than a store ({', '.join(strangers[:5])}): move that away first"
        )
    with _locked(folder):
        try:
            # The manifest goes last: what is left of a store can be deleted again.
            if isinstance(folder, Path):
                for name in _TABLES:
                    if (folder / name).exists():
                        shutil.rmtree(folder / name)
                shutil.rmtree(folder)
            else:
                for name in sorted(sizes_below(folder), key=lambda name: name == FILE):
                    with reached(folder):
                        folder.fs.rm_file(f"{key_of(folder)}/{name}")
        except OSError as error:
            raise OutputError(f"cannot delete {folder}: {error.strerror or error}") from error


@contextmanager
def _locked(folder: Place) -> Iterator[None]:
    """Only one process of this machine at a time is within; at a URL, whoever comes.

    Raises:
        OutputError: another one is, or the folder cannot be written.
    """
    if not isinstance(folder, Path):
        yield
        return
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OutputError(
                f"another process writes to {folder}: wait for it, or end it"
            ) from error
        yield
    finally:
        os.close(descriptor)


def _has_manifest(folder: Place) -> bool:
    try:
        return is_there(folder / FILE)
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror}") from error


def _make_private(folder: Place) -> None:
    """An empty folder of the user's own; at a URL, whose rights are its owner's, an empty one."""
    try:
        if isinstance(folder, Path):
            folder.mkdir(parents=True, exist_ok=True)
        names = names_in(folder)
    except OSError as error:
        raise OutputError(f"cannot make {folder}: {error.strerror}") from error
    if not all(is_unfinished(Path(name)) for name in names):
        raise DataError(
            f"expected an empty folder or a store at {folder}, found something else: name "
            "another one"
        )
    _set_private(folder)


def _set_private(folder: Place) -> None:
    if not isinstance(folder, Path):
        return
    try:
        folder.chmod(_PRIVATE)
    except OSError as error:
        raise OutputError(
            f"cannot keep {folder} from other users' eyes: {error.strerror}"
        ) from error


def _check_same(there: StoreManifest, wanted: StoreManifest, folder: Place) -> None:
    if there.dataset != wanted.dataset:
        raise DataError(
            f"{folder} was prepared from {there.dataset}, not from {wanted.dataset}: name another "
            "folder"
        )
    old, new = (
        each.settings.model_dump() | each.models | {"is_synthetic": each.is_synthetic}
        for each in (there, wanted)
    )
    other = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    if other:
        changes = "; ".join(f"{name}: {old.get(name)} there, {new.get(name)} now" for name in other)
        raise DataError(
            f"{folder} was prepared otherwise ({changes}): name another folder, or delete this one "
            "with `vivant data delete`"
        )


def _table(folder: Place, name: str, schema: pa.Schema) -> lance.LanceDataset:
    try:
        table = lance.dataset(table_uri(folder, name))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder} has no readable table {name}: run `vivant data prepare` again "
            f"({one_line(error)})"
        ) from error
    if not set(schema.names) <= set(table.schema.names):
        raise DataError(f"{folder}: the table {name} lacks columns: prepare the data again")
    return table


def _has_path(columns: Sequence[str] | None) -> bool:
    return columns is None or "path" in columns
