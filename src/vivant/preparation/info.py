"""What is in a store: counts, refusals, sizes, and a fingerprint of all of it."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from vivant.errors import DataError
from vivant.preparation.place import Place, sizes_below
from vivant.preparation.store import Store
from vivant.video.series import Series

__all__ = ["describe", "fingerprint"]

_ADDED = {"series": Series.EVEN, "close_faces": False}
"""Settings that came later, and what was done before there was a choice."""


def describe(store: Store) -> dict[str, Any]:
    """Counts of a store, ready for JSON.

    Returns:
        dataset, presentations, refusals (code: count), frames, usable_frames, faults (of frames),
        clip_faults (of presentations), frames_with_depth, without_depth (bona fide frames), splits
        (side: label or species: count), subjects, num_bytes, is_synthetic, fingerprint, settings,
        models, programs.

    Raises:
        DataError: it cannot be read.
    """
    rows = store.presentations()
    ids = {row["id"] for row in rows}
    bona_fide = {row["id"] for row in rows if row["label"] == "bona_fide"}
    table = store.frames().to_table(columns=["presentation", "faults"])
    owners = table["presentation"].to_pylist()
    faults = [
        found
        for owner, found in zip(owners, table["faults"].to_pylist(), strict=True)
        if owner in ids
    ]
    no_depth = store.frames().to_table(columns=["presentation"], filter="depth IS NULL")
    lacking = Counter(no_depth["presentation"].to_pylist())
    splits: dict[str, Counter[str]] = {}
    for row in rows:
        kind = row["pai_species"] or "bona_fide"
        splits.setdefault(row["split"] or "undivided", Counter())[kind] += 1
    return {
        "dataset": store.manifest.dataset,
        "presentations": len(rows),
        "refusals": _counted(row["refusal"] for row in rows if row["refusal"]),
        "frames": len(faults),
        "usable_frames": sum(not found for found in faults),
        "faults": _counted(code for found in faults for code in set(found)),
        "clip_faults": _counted(code for row in rows for code in row["faults"]),
        "frames_with_depth": len(faults) - sum(lacking[number] for number in ids),
        "without_depth": sum(lacking[number] for number in bona_fide),
        "splits": {side: dict(sorted(kinds.items())) for side, kinds in sorted(splits.items())},
        "subjects": len({row["subject"] for row in rows if row["subject"] is not None}),
        "num_bytes": _num_bytes(store.folder),
        "is_synthetic": store.manifest.is_synthetic,
        "fingerprint": fingerprint(store),
        "settings": store.manifest.settings.model_dump(mode="json"),
        "models": store.manifest.models,
        "programs": list(store.manifest.programs),
    }


def fingerprint(store: Store) -> str:
    """A hash of what was prepared: of each file's content, its labels, the settings, the data set.

    The same for two stores of the same data, whatever the order in which they were written.
    """
    digest = hashlib.sha256()
    digest.update(f"{store.manifest.dataset} {store.manifest.is_synthetic} ".encode())
    settings = store.manifest.settings
    # Stores that were made before there were these fields keep their fingerprint.
    absent = {name for name, usual in _ADDED.items() if getattr(settings, name) == usual}
    digest.update(settings.model_dump_json(exclude=absent).encode())
    digest.update(json.dumps(store.manifest.models, sort_keys=True).encode())
    for row in store.presentations():
        told = {key: value for key, value in row.items() if key not in ("id", "message")}
        digest.update(json.dumps(told, sort_keys=True).encode())
    return digest.hexdigest()


def _counted(codes: Iterable[str]) -> dict[str, int]:
    return dict(Counter(codes).most_common())


def _num_bytes(folder: Place) -> int:
    try:
        return sum(sizes_below(folder).values())
    except OSError as error:
        raise DataError(f"cannot read {folder}: {error.strerror}") from error
