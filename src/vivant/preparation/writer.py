"""The one writer of a store: what it appends is whole or has not happened, whatever ends it.

On this machine a lock keeps others away (`vivant.preparation.store`). An object store has none:
there a writer remembers the version of each table that it has left, and stops where it finds
another. What two writers may have mixed up by then, the next one removes and prepares again.
"""

import secrets
import shutil
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa

from vivant.errors import DataError, OutputError
from vivant.preparation.place import Place, names_in, one_line, table_uri
from vivant.preparation.record import PreparedPresentation
from vivant.preparation.schema import FRAMES, PRESENTATIONS, frame_rows, presentation_rows, told
from vivant.records import Presentation

__all__ = ["Writer"]

_ROWS_PER_FILE = 20_000  # About 700 MB: full files are not written again when a video is added.
_APART = 2**40  # Two writers at a URL number their rows by chance this far apart, at most.


class Writer:
    """Appends to a store and removes from it; see `Store.writing`.

    Args:
        folder: Of the store. What a killed writer left there is removed.

    Raises:
        OutputError: it cannot be written.
    """

    def __init__(self, folder: Place) -> None:
        self._presentations = _Table(folder, "presentations", PRESENTATIONS)
        self._frames = _Table(folder, "frames", FRAMES)
        rows = self._presentations.latest().to_table(columns=["id", "path", "num_frames"])
        self._ids = self._mend(rows.to_pylist())
        self._next_id = max(rows["id"].to_pylist(), default=-1) + 1
        if not isinstance(folder, Path):
            # So that rows of two writers never share a number, whenever they are told of it.
            self._next_id += secrets.randbelow(_APART)

    def append(self, prepared: Sequence[PreparedPresentation]) -> None:
        """Add presentations with their frames; those of the same path are removed afterwards.

        Raises:
            OutputError: the disk is full, or cannot be written, or another process writes to the
                store; what was there before still is.
        """
        paths = [each.presentation.path for each in prepared]
        replaced = {self._ids[path] for path in paths if path in self._ids}
        frames = frame_rows(prepared, self._next_id)
        if len(frames):
            self._frames.append(frames)
            self._frames.latest()  # Another writer may take them for what a killed one left.
        self._presentations.append(presentation_rows(prepared, self._next_id))
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
        there = {row["path"]: row for row in self._presentations.latest().to_table().to_pylist()}
        changed = [there[row.path] | told(row) for row in rows]
        self._presentations.update(pa.Table.from_pylist(changed, schema=PRESENTATIONS))

    def remove(self, ids: Collection[int]) -> None:
        """Remove presentations with their frames: marked first, gone from the disk with `tidy`."""
        self._presentations.delete("id", ids)
        self._frames.delete("presentation", ids)

    def tidy(self) -> None:
        """Join small files, and wipe from the disk what was removed or left behind."""
        self._frames.tidy()
        self._presentations.tidy()

    def _mend(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """Remove what does not belong together; the number of each path that stays.

        A presentation stays where its number is its own and all its frames are there, the newest of
        a path; frames stay with it.
        """
        column = self._frames.latest().to_table(columns=["presentation"])["presentation"]
        frames = {each["values"]: each["counts"] for each in column.value_counts().to_pylist()}
        times = Counter(row["id"] for row in rows)
        whole: dict[str, int] = {}
        for row in sorted(rows, key=lambda row: int(row["id"])):
            if times[row["id"]] == 1 and frames.get(row["id"], 0) == row["num_frames"]:
                whole[row["path"]] = row["id"]
        kept = set(whole.values())
        self._presentations.latest()  # What came in since it was read is nobody's leftover.
        self._presentations.delete("id", times.keys() - kept)
        self._frames.delete("presentation", frames.keys() - kept)
        return whole


class _Table:
    """A Lance table that only one process may write to, by its versions."""

    def __init__(self, folder: Place, name: str, schema: pa.Schema) -> None:
        self._folder = folder
        self._name = name
        self._uri = table_uri(folder, name)
        self._make(schema)
        self._version = self._open().version

    def latest(self) -> lance.LanceDataset:
        """The table as this writer left it.

        Raises:
            OutputError: another process has written to it.
        """
        table = self._open()
        self._expect(table.version, self._version)
        return table

    def append(self, rows: pa.Table) -> None:
        table = self.latest()
        try:
            after = lance.write_dataset(rows, table, mode="append").version
        except (OSError, RuntimeError) as error:
            raise self._unwritable(error) from error
        # Lance puts an append after whatever came in meanwhile, and says nothing.
        self._expect(after, self._version + 1)
        self._version = after

    def update(self, rows: pa.Table) -> None:
        """Replace rows of the same `id`."""
        table = self.latest()
        try:
            table.merge_insert("id").when_matched_update_all().execute(rows)
        except (OSError, RuntimeError) as error:
            raise self._unwritable(error) from error
        self._expect(table.version, self._version + 1)
        self._version = table.version

    def delete(self, column: str, ids: Collection[int]) -> None:
        if not ids:
            return
        table = self.latest()
        listed = ", ".join(str(each) for each in sorted(ids))
        try:
            table.delete(f"{column} IN ({listed})")
        except (OSError, RuntimeError) as error:
            raise self._unwritable(error) from error
        self._expect(table.version, self._version + 1)
        self._version = table.version

    def tidy(self) -> None:
        table = self.latest()
        try:
            table.optimize.compact_files(
                target_rows_per_fragment=_ROWS_PER_FILE, materialize_deletions_threshold=0.0
            )
            # Files of no version are a killed writer's, or another's at work: where no lock tells
            # them apart, Lance keeps those of the last seven days.
            table.cleanup_old_versions(
                older_than=timedelta(0), delete_unverified=isinstance(self._folder, Path)
            )
        except (OSError, RuntimeError) as error:
            raise self._unwritable(error) from error
        self._version = table.version

    def _make(self, schema: pa.Schema) -> None:
        """The table, if it has no version yet: one that died in its first write has none."""
        path = self._folder / f"{self._name}.lance"
        try:
            if names_in(path / "_versions"):
                return
            if isinstance(path, Path) and path.exists():
                shutil.rmtree(path)
            lance.write_dataset(schema.empty_table(), self._uri, mode="create")
        except (OSError, RuntimeError) as error:
            if isinstance(path, Path) or not self._is_made(path):
                raise self._unwritable(error) from error
            # Another writer was faster, at a URL: who appends next is told.

    def _is_made(self, path: Place) -> bool:
        """Whether the table has a version."""
        try:
            return bool(names_in(path / "_versions"))
        except OSError as error:
            raise self._unwritable(error) from error

    def _open(self) -> lance.LanceDataset:
        try:
            return lance.dataset(self._uri)
        except (OSError, ValueError) as error:
            raise DataError(
                f"{self._folder}: the table {self._name} is damaged, or cannot be reached: "
                f"{one_line(error)}"
            ) from error

    def _expect(self, found: int, version: int) -> None:
        if found != version:
            raise OutputError(
                f"another process writes to {self._folder}: wait for it, or end it, and run the "
                "same command again"
            )

    def _unwritable(self, error: Exception) -> OutputError:
        room, advice = "", ""
        if isinstance(self._folder, Path):
            free = shutil.disk_usage(self._folder).free
            room, advice = f" ({free / 2**20:.0f} MiB are free)", "make room and "
        return OutputError(
            f"cannot write to {self._folder}{room}: {one_line(error)}. What was stored before is "
            f"whole: {advice}run the same command again"
        )
