import resource
import stat
from pathlib import Path

import lance
import pytest

from prepared import filled, new_store, prepared, presentation
from vivant.errors import DataError, OutputError
from vivant.preparation.manifest import current_manifest
from vivant.preparation.place import names_in, to_place, write
from vivant.preparation.schema import frame_rows, presentation_rows
from vivant.preparation.settings import PreparationSettings
from vivant.preparation.store import Store, delete_store


def names(store: Store) -> list[str]:
    return [row["path"] for row in store.presentations()]


def owners(store: Store) -> list[int]:
    return store.frames().to_table(columns=["presentation"])["presentation"].to_pylist()


def test_what_is_appended_is_there(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [prepared(presentation(name)) for name in "cab"])
    assert names(store) == [f"videos/{name}.mp4" for name in "abc"]
    assert owners(store) == [0] * 7 + [1] * 7 + [2] * 7


def test_ids_go_on_after_the_last(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [prepared(presentation("a"))])
    with store.writing() as writer:
        writer.append([prepared(presentation("b"))])
    assert sorted(row["id"] for row in store.presentations()) == [0, 1]


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    store = new_store(tmp_path / "above" / "store")
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700


def test_frames_of_a_killed_writer_are_removed_by_the_next(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [prepared(presentation("a"))])
    orphans = frame_rows([prepared(presentation("b"))], 1)
    lance.write_dataset(orphans, str(store.folder / "frames.lance"), mode="append")
    assert set(owners(store)) == {0, 1}
    with store.writing() as writer:
        assert set(owners(store)) == {0}
        writer.append([prepared(presentation("c"))])
    assert set(owners(store)) == {0, 1}
    assert names(store) == ["videos/a.mp4", "videos/c.mp4"]


def test_two_writers_at_once_are_refused(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    with (
        store.writing(),
        pytest.raises(OutputError, match="another process writes to"),
        store.writing(),
    ):
        pass
    with store.writing():
        pass


def test_removed_presentations_leave_no_trace_on_the_disk(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [prepared(presentation(name)) for name in ("ana", "bob")])
    with store.writing() as writer:
        writer.remove([0])
        writer.tidy()
    assert names(store) == ["videos/bob.mp4"]
    assert set(owners(store)) == {1}
    assert len(store.frames().versions()) == 1
    left = b"".join(path.read_bytes() for path in store.folder.rglob("*") if path.is_file())
    assert b"videos/bob.mp4" in left
    assert b"videos/ana.mp4" not in left


def test_full_files_are_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vivant.preparation.writer._ROWS_PER_FILE", 20)
    store = new_store(tmp_path / "store")
    files: list[set[str]] = []
    for name in "abcdefg":  # Seven frames each: three fill a file.
        with store.writing() as writer:
            writer.append([prepared(presentation(name))])
            writer.tidy()
        files.append({path.name for path in (store.folder / "frames.lance/data").iterdir()})
    assert [len(each) for each in files] == [1, 1, 1, 2, 2, 2, 3]
    assert files[2] < files[3]
    assert files[2] < files[6]


def test_store_of_other_settings_is_not_written_to(tmp_path: Path) -> None:
    new_store(tmp_path / "store")
    with pytest.raises(DataError, match=r"prepared otherwise \(max_frames: None there, 50 now\)"):
        new_store(tmp_path / "store", PreparationSettings(max_frames=50))


def test_store_of_another_data_set_is_not_written_to(tmp_path: Path) -> None:
    new_store(tmp_path / "store")
    with pytest.raises(DataError, match="was prepared from folder, not from siw"):
        Store.create(
            tmp_path / "store", current_manifest("siw", PreparationSettings(), is_synthetic=False)
        )


def test_another_version_of_a_program_is_noted(tmp_path: Path) -> None:
    new_store(tmp_path / "store")
    newer = current_manifest("folder", PreparationSettings(), is_synthetic=False)
    newer = newer.model_copy(update={"programs": (newer.programs[0] | {"av": "99"},)})
    for _ in range(2):
        Store.create(tmp_path / "store", newer)
    assert [each["av"] for each in Store(tmp_path / "store").manifest.programs][1:] == ["99"]


def test_folder_with_something_else_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(DataError, match="expected an empty folder or a store"):
        new_store(tmp_path)


def test_store_that_was_never_written_to_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="run `vivant data prepare` again"):
        new_store(tmp_path / "store").presentations()


def test_full_disk_ends_with_a_message_and_a_whole_store(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [prepared(presentation("a"))])
    with store.writing() as writer:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # Python ignores SIGXFSZ.
        try:
            with pytest.raises(OutputError, match="make room and run the same command again"):
                writer.append([prepared(presentation("b"))])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(store) == ["videos/a.mp4"]
    with store.writing() as writer:
        writer.append([prepared(presentation("b"))])
    assert len(owners(store)) == 14


@pytest.mark.parametrize("name", ["frames.lance", "presentations.lance"])
def test_table_that_died_in_its_first_write_is_made_anew(tmp_path: Path, name: str) -> None:
    store = new_store(tmp_path / "store")
    (store.folder / name / "_transactions").mkdir(parents=True)
    (store.folder / name / "_versions").mkdir()
    with store.writing() as writer:
        writer.append([prepared(presentation("a"))])
    assert names(store) == ["videos/a.mp4"]


def test_replacement_comes_before_what_it_replaces_goes(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [prepared(presentation("a"))])
    with store.writing() as writer:
        writer.append([prepared(presentation("a"))])
    assert [row["id"] for row in store.presentations()] == [1]
    assert set(owners(store)) == {1}


def test_killed_between_replacement_and_removal_the_newer_one_stays(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [prepared(presentation("a"))])
    for name, rows in (("frames", frame_rows), ("presentations", presentation_rows)):
        newer = rows([prepared(presentation("a"))], 1)
        lance.write_dataset(newer, str(store.folder / f"{name}.lance"), mode="append")
    with store.writing():
        pass
    assert [row["id"] for row in store.presentations()] == [1]
    assert set(owners(store)) == {1}


def test_wider_rights_are_taken_back(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    store.folder.chmod(0o755)
    new_store(tmp_path / "store")
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700


def test_deleting_removes_the_folder(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [prepared(presentation("a"))])
    delete_store(store.folder)
    assert not store.folder.exists()


def test_deleting_touches_nothing_that_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a folder written by"):
        delete_store(tmp_path)
    assert tmp_path.exists()


def test_deleting_stops_where_the_user_keeps_other_things(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [prepared(presentation("a"))])
    (store.folder / "thesis.txt").touch()
    with pytest.raises(DataError, match=r"holds more than a store \(thesis\.txt\)"):
        delete_store(store.folder)
    assert names(store) == ["videos/a.mp4"]


def test_store_at_a_url_is_made_gone_on_with_and_deleted(bucket: str) -> None:
    place = to_place(f"{bucket}/of faces/store")
    filled(place, [prepared(presentation("a"))])
    store = filled(place, [prepared(presentation("b"))])
    assert names(store) == ["videos/a.mp4", "videos/b.mp4"]
    assert names_in(place) == ["frames.lance", "presentations.lance", "store.json"]
    delete_store(place)
    assert names_in(place) == []
    with pytest.raises(DataError, match=r"at s3://.*/of faces/store, found no store\.json"):
        Store(place)


def test_bucket_itself_can_be_a_store(bucket: str) -> None:
    store = filled(to_place(bucket), [prepared(presentation("a"))])
    assert names(store) == ["videos/a.mp4"]
    delete_store(store.folder)
    assert names_in(store.folder) == []


def test_url_with_something_else_is_not_taken_nor_deleted(bucket: str) -> None:
    place = to_place(f"{bucket}/thesis")
    write(place / "thesis.txt", "chapter 1")
    with pytest.raises(DataError, match="expected an empty folder or a store"):
        new_store(place)
    store = filled(to_place(f"{bucket}/store"), [prepared(presentation("a"))])
    write(store.folder / "thesis.txt", "chapter 1")
    with pytest.raises(DataError, match=r"holds more than a store \(thesis\.txt\)"):
        delete_store(store.folder)
    assert names(store) == ["videos/a.mp4"]


def test_missing_bucket_is_not_made(bucket: str) -> None:
    with pytest.raises(
        OutputError, match="cannot write s3://.*: The specified bucket does not exist"
    ):
        new_store(to_place(f"{bucket}-nowhere/store"))


def test_missing_credentials_end_with_what_to_set(bucket: str, without_credentials: None) -> None:
    place = to_place(f"{bucket}/store")
    with pytest.raises(OutputError, match="cannot write to .*: set AWS_ACCESS_KEY_ID and"):
        new_store(place)
    with pytest.raises(DataError, match="cannot read .*: set AWS_ACCESS_KEY_ID and"):
        Store(place)
