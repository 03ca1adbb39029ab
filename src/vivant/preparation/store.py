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
from vivant.files import is_unfinished
from vivant.preparation.manifest import (
    FILE,
    StoreManifest,
    load_manifest,
    save_manifest,
)
from vivant.preparation.record import PreparedPresentation
from vivant.preparation.schema import FRAMES, PRESENTATIONS, frame_rows, presentation_rows, told
from vivant.records import Presentation

__all__ = ["Store", "Writer", "delete_store"]

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


class Writer:
    """Appends to a store and removes from it; see `Store.writing`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name, schema in (("frames", FRAMES), ("presentations", PRESENTATIONS)):
            self._make(name, schema)
        rows = self._open("presentations").to_table(columns=["id", "path"]).to_pylist()
        self._ids = {row["path"]: row["id"] for row in sorted(rows, key=lambda row: row["id"])}
        replaced = {row["id"] for row in rows} - set(self._ids.values())
        self._delete("presentations", "id", replaced)
        frames = self._open("frames").to_table(columns=["presentation"])["presentation"]
        orphans = set(frames.unique().to_pylist()) - set(self._ids.values())
        self._delete("frames", "presentation", orphans)
        self._next_id = max((row["id"] for row in rows), default=-1) + 1

    def append(self, prepared: Sequence[PreparedPresentation]) -> None:
        """Add presentations with their frames; those of the same path are removed afterwards.

        Raises:
            OutputError: the disk is full, or cannot be written; what was there before still is.
        """
        paths = [each.presentation.path for each in prepared]
        replaced = {self._ids[path] for path in paths if path in self._ids}
        frames = frame_rows(prepared, self._next_id)
        if len(frames):
            self._append("frames", frames)
        self._append("presentations", presentation_rows(prepared, self._next_id))
        self._ids |= {path: number for number, path in enumerate(paths, self._next_id)}
        self._next_id += len(prepared)
        self.remove(replaced)

    def relabel(self, rows: Sequence[Presentation]) -> None:
        """Change what is said of presentations that are there; their frames stay.

        Raises:
            OutputError: it cannot be written.
        """
        if not rows:
            return
        table = self._open("presentations")
        there = {row["path"]: row for row in table.to_table().to_pylist()}
        changed = [there[row.path] | told(row) for row in rows]
        try:
            merge = table.merge_insert("id").when_matched_update_all()
            merge.execute(pa.Table.from_pylist(changed, schema=PRESENTATIONS))
        except OSError as error:
            raise self._unwritable(error) from error

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

    def _make(self, name: str, schema: pa.Schema) -> None:
        """The table, if it has no version yet: one that died in its first write has none."""
        path = self._folder / f"{name}.lance"
        if any((path / "_versions").glob("*")):
            return
        try:
            if path.exists():
                shutil.rmtree(path)
            lance.write_dataset(schema.empty_table(), str(path), mode="create")
        except OSError as error:
            raise self._unwritable(error) from error

    def _open(self, name: str) -> lance.LanceDataset:
        try:
            return lance.dataset(str(self._folder / f"{name}.lance"))
        except (OSError, ValueError) as error:
            raise DataError(f"{self._folder}: the table {name} is damaged: {error}") from error

    def _delete(self, name: str, column: str, ids: Collection[int]) -> None:
        if not ids:
            return
        listed = ", ".join(str(each) for each in sorted(ids))
        try:
            self._open(name).delete(f"{column} IN ({listed})")
        except OSError as error:
            raise self._unwritable(error) from error

    def _append(self, name: str, rows: pa.Table) -> None:
        try:
            lance.write_dataset(rows, self._open(name), mode="append")
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
    folder = folder.resolve()  # A link's folder is meant, and not the link.
    load_manifest(folder)
    ours = {FILE, _LOCK, "frames.lance", "presentations.lance"}
    strangers = sorted(
        each.name for each in folder.iterdir() if each.name not in ours and not is_unfinished(each)
    )
    if strangers:
        raise DataError(
            f"{folder} holds more than a store ({', '.join(strangers[:5])}): move that away first"
        )
    with _locked(folder):
        try:
            # The manifest goes last: what is left of a store can be deleted again.
            for name in ("frames.lance", "presentations.lance"):
                if (folder / name).exists():
                    shutil.rmtree(folder / name)
            shutil.rmtree(folder)
        except OSError as error:
            raise OutputError(f"cannot delete {folder}: {error}") from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Only one process at a time is within.

    Raises:
        OutputError: another one is, or the folder cannot be written.
    """
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


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not all(is_unfinished(each) for each in folder.iterdir()):
            raise DataError(
                f"expected an empty folder or a store at {folder}, found something else: name "
                "another one"
            )
    except OSError as error:
        raise OutputError(f"cannot make {folder}: {error.strerror}") from error
    _set_private(folder)


def _set_private(folder: Path) -> None:
    try:
        folder.chmod(_PRIVATE)
    except OSError as error:
        raise OutputError(
            f"cannot keep {folder} from other users' eyes: {error.strerror}"
        ) from error


def _check_same(there: StoreManifest, wanted: StoreManifest, folder: Path) -> None:
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
