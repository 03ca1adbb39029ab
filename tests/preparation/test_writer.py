from collections.abc import Callable
from pathlib import Path

import lance
import pyarrow as pa
import pytest

from prepared import filled, new_store, prepared, presentation
from vivant.errors import OutputError
from vivant.preparation.place import Place, names_in, sizes_below, table_uri, to_place
from vivant.preparation.schema import frame_rows, presentation_rows
from vivant.preparation.store import Store
from vivant.preparation.writer import Writer


@pytest.fixture(params=["here", "there"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "here":
        return tmp_path / "store"
    return to_place(f"{request.getfixturevalue('bucket')}/store")


def add(store: Store, name: str, rows: pa.Table) -> None:
    """What another process writes."""
    lance.write_dataset(rows, table_uri(store.folder, name), mode="append")


def paths(store: Store) -> list[str]:
    return [row["path"] for row in store.presentations()]


def owners(store: Store) -> list[int]:
    return store.frames().to_table(columns=["presentation"])["presentation"].to_pylist()


def ids(store: Store) -> list[int]:
    return [row["id"] for row in store.presentations()]


def is_sound(store: Store) -> bool:
    """Each presentation once, with its frames and no others."""
    assert len(set(paths(store))) == len(paths(store))
    return sorted(owners(store)) == sorted(number for number in ids(store) for _ in range(7))


def test_here_and_there_the_same_is_stored(folder: Place) -> None:
    store = filled(folder, [prepared(presentation(name)) for name in "cab"])
    assert paths(store) == [f"videos/{name}.mp4" for name in "abc"]
    assert is_sound(store)
    with store.writing() as writer:
        writer.append([prepared(presentation("a"))])
        assert len(owners(store)) == 3 * 7
        writer.relabel([presentation("b", subject="bob")])
        writer.remove([next(row["id"] for row in store.presentations() if "c" in row["path"])])
        writer.tidy()
    assert is_sound(store)
    assert [row["subject"] for row in store.presentations()] == ["a", "bob"]
    assert len(store.frames().versions()) == 1
    there = [folder / name for name in sizes_below(folder)]
    left = b"".join(
        each.read_bytes() if isinstance(each, Path) else each.fs.cat_file(each.path)
        for each in there
    )
    assert b"videos/b.mp4" in left
    assert b"videos/c.mp4" not in left


def test_here_and_there_a_writer_removes_what_another_left(folder: Place) -> None:
    store = filled(folder, [prepared(presentation("a"))])
    add(store, "frames", frame_rows([prepared(presentation("b"))], 10**15))
    with store.writing() as writer:
        assert is_sound(store)
        writer.append([prepared(presentation("c"))])
    assert paths(store) == ["videos/a.mp4", "videos/c.mp4"]
    assert is_sound(store)


def test_presentations_that_share_a_number_are_removed_with_their_frames(folder: Place) -> None:
    store = filled(folder, [prepared(presentation("a")), prepared(presentation("b"))])
    first = ids(store)[0]
    add(store, "frames", frame_rows([prepared(presentation("c"))], first))
    add(store, "presentations", presentation_rows([prepared(presentation("c"))], first))
    with store.writing():
        pass
    assert paths(store) == ["videos/b.mp4"]
    assert is_sound(store)


def test_presentation_without_its_frames_is_removed(folder: Place) -> None:
    store = filled(folder, [prepared(presentation("a")), prepared(presentation("b"))])
    lance.dataset(table_uri(folder, "frames")).delete(f"presentation = {ids(store)[0]}")
    with store.writing():
        pass
    assert paths(store) == ["videos/b.mp4"]
    assert is_sound(store)


def test_presentation_of_no_frames_stays(folder: Place) -> None:
    store = filled(folder, [prepared(presentation("a"), [], refusal="TIMEOUT")])
    with store.writing():
        pass
    assert paths(store) == ["videos/a.mp4"]


def test_where_nothing_locks_the_second_writer_is_told(bucket: str) -> None:
    store = new_store(to_place(f"{bucket}/store"))
    with store.writing() as first, store.writing() as second:
        first.append([prepared(presentation("a"))])
        with pytest.raises(OutputError, match=r"another process writes to s3://.*/store: wait"):
            second.append([prepared(presentation("b"))])
        first.append([prepared(presentation("c"))])
    with store.writing() as third:
        third.append([prepared(presentation("b"))])
    assert paths(store) == [f"videos/{name}.mp4" for name in "abc"]
    assert is_sound(store)


@pytest.mark.parametrize(
    "act",
    [
        lambda writer: writer.append([prepared(presentation("b"))]),
        lambda writer: writer.relabel([presentation("a", subject="ana")]),
        lambda writer: writer.remove([0]),
        lambda writer: writer.tidy(),
    ],
    ids=["append", "relabel", "remove", "tidy"],
)
def test_whatever_a_writer_does_it_is_told_of_another(
    bucket: str, act: Callable[[Writer], None]
) -> None:
    store = filled(to_place(f"{bucket}/store"), [prepared(presentation("a"))])
    with store.writing() as writer:
        with store.writing() as other:
            other.append([prepared(presentation("c"))])
        with pytest.raises(OutputError, match="another process writes to"):
            act(writer)
    with store.writing():
        pass
    assert is_sound(store)


@pytest.mark.parametrize("name", ["frames", "presentations"])
def test_writer_is_told_of_what_came_in_while_it_wrote(
    bucket: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(to_place(f"{bucket}/store"), [prepared(presentation("a"))])
    rows = {"frames": frame_rows, "presentations": presentation_rows}[name]
    with store.writing() as writer:
        table = writer._frames if name == "frames" else writer._presentations
        open_as_left = table.latest

        def latest() -> lance.LanceDataset:
            found = open_as_left()
            add(store, name, rows([prepared(presentation("x"))], 7))
            return found

        monkeypatch.setattr(table, "latest", latest)
        with pytest.raises(OutputError, match="another process writes to"):
            writer.append([prepared(presentation("b"))])
    with store.writing():
        pass
    assert is_sound(store)


def test_frames_that_another_took_for_leftovers_are_missed_at_once(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store(to_place(f"{bucket}/store"))
    with store.writing() as writer:
        append = writer._frames.append

        def slow_append(rows: pa.Table) -> None:
            append(rows)
            with store.writing():  # The other one begins, and mends.
                pass

        monkeypatch.setattr(writer._frames, "append", slow_append)
        with pytest.raises(OutputError, match="another process writes to"):
            writer.append([prepared(presentation("a"))])
    assert paths(store) == []
    assert owners(store) == []


def test_numbers_of_two_writers_lie_far_apart(bucket: str) -> None:
    store = new_store(to_place(f"{bucket}/store"))
    with store.writing() as first, store.writing() as second:
        assert abs(first._next_id - second._next_id) > 1000


def test_lost_network_is_told_and_leaves_a_whole_store(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(to_place(f"{bucket}/store"), [prepared(presentation("a"))])

    def broken(*arguments: object, **options: object) -> None:
        raise OSError("LanceError(IO): Generic S3 error: \nconnection closed, /lance/x.rs")

    with store.writing() as writer:
        monkeypatch.setattr(lance, "write_dataset", broken)
        with pytest.raises(
            OutputError,
            match=r"cannot write to s3://.*/store: LanceError\(IO\): Generic S3 error: connection "
            r"closed\. What was stored before is whole: run the same command again",
        ):
            writer.append([prepared(presentation("b"))])
    assert is_sound(store)


def test_table_that_another_writer_made_at_the_same_moment_is_taken(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = to_place(f"{bucket}/store")
    with new_store(folder).writing() as writer:
        writer.append([prepared(presentation("a"))])
    asked: list[Place] = []

    def names(place: Place) -> list[str]:
        """Nothing yet, when it is asked for the first time."""
        asked.append(place)
        return names_in(place) if asked.count(place) > 1 else []

    monkeypatch.setattr("vivant.preparation.writer.names_in", names)
    with Store(folder).writing() as writer:
        writer.append([prepared(presentation("b"))])
    assert [row["path"] for row in Store(folder).presentations()] == [
        "videos/a.mp4",
        "videos/b.mp4",
    ]
