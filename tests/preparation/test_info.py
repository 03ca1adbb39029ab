import json
from pathlib import Path

import pytest

from prepared import filled, frame, prepared, presentation
from vivant.preparation.info import describe, fingerprint
from vivant.preparation.place import to_place
from vivant.preparation.record import PreparedPresentation
from vivant.preparation.store import Store
from vivant.records import Label, Split


def rows() -> list[PreparedPresentation]:
    return [
        prepared(presentation("a"), [frame(0), frame(1, faults=("POSE",)), frame(2, with_depth=False)]),
        prepared(presentation("b", Label.ATTACK, split=Split.TEST), faults=("STATIC_FRAMES",)),
        prepared(presentation("c", split=None), [], refusal="TOO_LONG", message="too long"),
    ]  # fmt: skip


def test_everything_is_counted(tmp_path: Path) -> None:
    found = describe(filled(tmp_path / "store", rows()))
    assert (found["presentations"], found["frames"], found["usable_frames"]) == (3, 10, 9)
    assert found["refusals"] == {"TOO_LONG": 1}
    assert found["faults"] == {"POSE": 1}
    assert found["clip_faults"] == {"STATIC_FRAMES": 1}
    assert found["splits"] == {
        "test": {"print": 1}, "train": {"bona_fide": 1}, "undivided": {"bona_fide": 1},
    }  # fmt: skip
    assert found["subjects"] == 3
    assert found["num_bytes"] > 10_000
    assert found["settings"]["margin"] == 1.75


def test_attacks_lack_no_depth(tmp_path: Path) -> None:
    found = describe(filled(tmp_path / "store", rows()))
    assert (found["without_depth"], found["frames_with_depth"]) == (1, 2)


def test_fingerprint_does_not_depend_on_the_order(tmp_path: Path) -> None:
    one = filled(tmp_path / "one", rows())
    other = filled(tmp_path / "other", rows()[::-1])
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize("field", [{"sha256": "1" * 64}, {"num_looks": 8}])
def test_fingerprint_depends_on_what_was_prepared(tmp_path: Path, field: dict[str, object]) -> None:
    one = filled(tmp_path / "one", [prepared(presentation("a"))])
    other = filled(tmp_path / "other", [prepared(presentation("a"), **field)])
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize("told", [{"dataset": "other"}, {"is_synthetic": True}])
def test_fingerprint_depends_on_what_the_data_are(tmp_path: Path, told: dict[str, object]) -> None:
    one = filled(tmp_path / "one", rows())
    path = filled(tmp_path / "other", rows()).folder / "store.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | told))
    assert fingerprint(one) != fingerprint(Store(tmp_path / "other"))


def test_store_at_a_url_is_described_alike(bucket: str, tmp_path: Path) -> None:
    here = describe(filled(tmp_path / "store", rows()))
    there = describe(filled(to_place(f"{bucket}/store"), rows()))
    assert there["num_bytes"] == pytest.approx(here["num_bytes"], rel=0.2)
    assert here | {"num_bytes": 0} == there | {"num_bytes": 0}


def test_fingerprint_is_of_what_was_asked_for(tmp_path: Path) -> None:
    """A store of before the settings `series` and `close_faces` keeps its fingerprint."""
    store = filled(tmp_path / "store", rows())
    before = fingerprint(store)
    path = tmp_path / "store" / "store.json"
    told = json.loads(path.read_text())
    settings = told["settings"]
    old = {name: value for name, value in settings.items() if name not in ("series", "close_faces")}
    path.write_text(json.dumps(told | {"settings": old}))
    assert fingerprint(Store(store.folder)) == before
    changed = set()
    for fields in ({"series": "still"}, {"series": "numbered"}, {"close_faces": True}):
        path.write_text(json.dumps(told | {"settings": settings | fields}))
        changed.add(fingerprint(Store(store.folder)))
    assert len(changed | {before}) == 4
