"""A folder of prepared data: two Lance tables that survive being killed at any moment."""

import fcntl
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa

from vivant.errors import DataError, OutputError
from vivant.preparation.manifest import (
    FILE,
    StoreManifest,
    load_manifest,
    save_manifest,
)
from vivant.preparation.record import PreparedPresentation
from vivant.preparation.schema import FRAMES, PRESENTATIONS, frame_rows, presentation_rows

__all__ = ["Store", "delete_store"]

_LOCK = "lock"
_ROWS_PER_FILE = 20_000  # About 700 MB: full files are not written again when a video is added.
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

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = load_manifest(folder)

    @classmethod
    def create(cls, folder: Path, manifest: StoreManifest) -> "Store":
        """A store to write to: a new one, or the one that is there.

        Raises:
            DataError: the folder holds something else, or was prepared with other settings.
            OutputError: it cannot be written.
        """
        if not (folder / FILE).exists():
            _make_private(folder)
            save_manifest(folder, manifest)
        store = cls(folder)
        _check_same(store.manifest, manifest, folder)
        if manifest.programs[0] not in store.manifest.programs:
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
        descriptor = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise OutputError(
                    f"another process writes to {self.folder}: wait for it, or end it"
                ) from error
            yield Writer(self.folder)
        finally:
            os.close(descriptor)

    def presentations(self, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Rows of the table `presentations`, by their paths."""
        table = _table(self.folder, "presentations", PRESENTATIONS)
        rows = table.to_table(columns=None if columns is None else [*columns]).to_pylist()
        return sorted(rows, key=lambda row: str(row["path"])) if _has_path(columns) else rows

    def frames(self) -> lance.LanceDataset:
        """The table `frames`. It may hold frames of presentations that are not there (yet)."""
        return _table(self.folder, "frames", FRAMES)


class Writer:
    """Appends to a store and removes from it; see `Store.writing`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name, schema in (("frames", FRAMES), ("presentations", PRESENTATIONS)):
            if not (folder / f"{name}.lance").exists():
                self._write(name, schema.empty_table(), "create")
        ids = set(self._open("presentations").to_table(columns=["id"])["id"].to_pylist())
        frames = self._open("frames").to_table(columns=["presentation"])["presentation"]
        self._delete("frames", "presentation", set(frames.unique().to_pylist()) - ids)
        self._next_id = max(ids, default=-1) + 1

    def append(self, prepared: Sequence[PreparedPresentation]) -> None:
        """Add presentations with their frames.

        Raises:
            OutputError: the disk is full, or cannot be written; what was there before still is.
        """
        frames = frame_rows(prepared, self._next_id)
        if len(frames):
            self._write("frames", frames, "append")
        self._write("presentations", presentation_rows(prepared, self._next_id), "append")
        self._next_id += len(prepared)

    def remove(self, ids: Collection[int]) -> None:
        """Remove presentations with their frames: marked first, gone from the disk with `tidy`."""
        self._delete("presentations", "id", ids)
        self._delete("frames", "presentation", ids)

    def tidy(self) -> None:
        """Join small files, and wipe from the disk what was removed or left behind."""
        for name in ("frames", "presentations"):
            table = self._open(name)
            try:
                table.optimize.compact_files(
                    target_rows_per_fragment=_ROWS_PER_FILE, materialize_deletions_threshold=0.0
                )
                table.cleanup_old_versions(older_than=timedelta(0), delete_unverified=True)
            except OSError as error:
                raise self._unwritable(error) from error

    def _open(self, name: str) -> lance.LanceDataset:
        return lance.dataset(str(self._folder / f"{name}.lance"))

    def _delete(self, name: str, column: str, ids: Collection[int]) -> None:
        if ids:
            listed = ", ".join(str(each) for each in sorted(ids))
            self._open(name).delete(f"{column} IN ({listed})")

    def _write(self, name: str, rows: pa.Table, mode: str) -> None:
        try:
            lance.write_dataset(rows, str(self._folder / f"{name}.lance"), mode=mode)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> OutputError:
        free = shutil.disk_usage(self._folder).free
        told = str(error).partition(", /")[0]  # Lance goes on with a place in its own source.
        return OutputError(
            f"cannot write to {self._folder} ({free / 2**20:.0f} MiB are free): {told}. What was "
            "stored before is whole: make room and run the same command again"
        )


def delete_store(folder: Path) -> None:
    """Delete a store whole.

    Raises:
        DataError: the folder is no store: nothing is deleted.
        OutputError: something could not be deleted.
    """
    load_manifest(folder)
    ours = {FILE, f"{FILE}.new", _LOCK, "frames.lance", "presentations.lance"}
    strangers = sorted(each.name for each in folder.iterdir() if each.name not in ours)
    if strangers:
        raise DataError(
            f"{folder} holds more than a store ({', '.join(strangers[:5])}): move that away first"
        )
    try:
        # The manifest goes last: what is left of a store can be deleted again.
        for name in ("frames.lance", "presentations.lance"):
            if (folder / name).exists():
                shutil.rmtree(folder / name)
        shutil.rmtree(folder)
    except OSError as error:
        raise OutputError(f"cannot delete {folder}: {error}") from error


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(each.name != f"{FILE}.new" for each in folder.iterdir()):
            raise DataError(
                f"expected an empty folder or a store at {folder}, found something else: name "
                "another one"
            )
        folder.chmod(_PRIVATE)
    except OSError as error:
        raise OutputError(f"cannot make {folder}: {error.strerror}") from error


def _check_same(there: StoreManifest, wanted: StoreManifest, folder: Path) -> None:
    if there.dataset != wanted.dataset:
        raise DataError(
            f"{folder} was prepared from {there.dataset}, not from {wanted.dataset}: name another "
            "folder"
        )
    old, new = (each.settings.model_dump() | each.models for each in (there, wanted))
    other = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    if other:
        changes = "; ".join(f"{name}: {old.get(name)} there, {new.get(name)} now" for name in other)
        raise DataError(
            f"{folder} was prepared otherwise ({changes}): name another folder, or delete this one "
            "with `vivant data delete`"
        )


def _table(folder: Path, name: str, schema: pa.Schema) -> lance.LanceDataset:
    try:
        table = lance.dataset(str(folder / f"{name}.lance"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder} has no readable table {name}: run `vivant data prepare` again ({error})"
        ) from error
    if not set(schema.names) <= set(table.schema.names):
        raise DataError(f"{folder}: the table {name} lacks columns: prepare the data again")
    return table


def _has_path(columns: Sequence[str] | None) -> bool:
    return columns is None or "path" in columns
