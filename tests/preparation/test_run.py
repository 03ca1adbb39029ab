import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from prepared import content, made_up_work, new_store, prepared, presentation, presentations
from vivant.errors import DataError
from vivant.parallel import Failure
from vivant.preparation.place import Place, to_place
from vivant.preparation.record import PreparedPresentation
from vivant.preparation.run import Outcome, prepare
from vivant.preparation.schema import to_presentation
from vivant.preparation.store import Store
from vivant.records import Label, Presentation, Split


def run(rows: list[Presentation], store: Store, **options: object) -> list[Outcome]:
    return list(prepare(rows, store, made_up_work, 1, **options))


def test_every_presentation_is_stored_once(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    outcomes = run(presentations(6), store)
    assert [outcome.num_done for outcome in outcomes] == [1, 2, 3, 4, 5, 6]
    assert [row["path"] for row in store.presentations()] == [row.path for row in presentations(6)]
    assert store.frames().count_rows() == 6 * 7


def test_bad_video_is_a_row_with_its_reason(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    rows = [presentation("a"), presentation("bad"), presentation("c")]
    outcomes = run(rows, store)
    assert [outcome.refusal for outcome in outcomes] == [None, "CORRUPT_MEDIA", None]
    bad = store.presentations()[1]
    assert (bad["refusal"], bad["message"], bad["num_frames"]) == ("CORRUPT_MEDIA", "damaged", 0)


def test_second_run_does_only_what_is_missing(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    run([presentation("a"), presentation("bad")], store)
    outcomes = run([presentation("a"), presentation("bad"), presentation("c")], store)
    paths = [outcome.presentation.path for outcome in outcomes]
    assert paths == ["videos/bad.mp4", "videos/c.mp4"]  # Perhaps it was mended.
    assert outcomes[1].num_done == 3
    assert len(store.presentations()) == 3
    assert store.frames().count_rows() == 14


def test_other_subject_or_column_is_taken_over_without_new_work(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    run([presentation("a"), presentation("b")], store)
    renamed = presentation(
        "a", subject="anna", split=Split.TEST, columns={"phone": "1", "light": "x"}
    )
    assert run([renamed, presentation("b")], store) == []
    row = store.presentations()[0]
    assert to_presentation(row) == renamed
    assert (row["num_frames"], row["id"]) == (7, 0)
    assert store.frames().count_rows() == 14


def test_protocols_limit_on_frames_changes_nothing_in_the_store(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    run([presentation("a")], store)
    assert run([replace(presentation("a"), max_frames=60)], store) == []


def test_old_rows_stay_until_new_ones_are_stored(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    run([presentation("a")], store)

    def engine(build: object, items: Iterable[Presentation], num_workers: int):  # type: ignore[no-untyped-def]
        raise RuntimeError("out of luck")
        yield

    with pytest.raises(RuntimeError, match="out of luck"):
        run([presentation("a", Label.ATTACK)], store, engine=engine)
    assert [row["label"] for row in store.presentations()] == ["bona_fide"]
    assert store.frames().count_rows() == 7


def test_what_is_done_is_kept_when_something_fails(tmp_path: Path) -> None:
    def engine(build: object, items: Iterable[Presentation], num_workers: int):  # type: ignore[no-untyped-def]
        yield presentation("a"), prepared(presentation("a"))
        raise RuntimeError("out of luck")

    store = new_store(tmp_path / "store")
    with pytest.raises(RuntimeError, match="out of luck"):
        run([presentation("a"), presentation("b")], store, engine=engine)
    assert len(store.presentations()) == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([presentation("a"), presentation("a")], "is there twice"),
        ([presentation("\udce4")], "expected names in UTF-8"),
    ],
)
def test_paths_that_cannot_be_rows_are_refused(
    tmp_path: Path, rows: list[Presentation], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        run(rows, new_store(tmp_path / "store"))


def test_changed_label_is_prepared_anew(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    run([presentation("a"), presentation("b")], store)
    run([presentation("a", Label.ATTACK), presentation("b")], store)
    found = {row["path"]: row["label"] for row in store.presentations()}
    assert found == {"videos/a.mp4": "attack", "videos/b.mp4": "bona_fide"}
    assert store.frames().count_rows() == 14


def test_dead_process_is_a_row_and_tried_again(tmp_path: Path) -> None:
    def engine(
        build: object, items: Iterable[Presentation], num_workers: int
    ) -> Iterator[tuple[Presentation, PreparedPresentation | Failure]]:
        for item in items:
            yield item, Failure("its process died") if "a" in item.path else prepared(item)

    store = new_store(tmp_path / "store")
    rows = [presentation("a"), presentation("bob")]
    run(rows, store, engine=engine)
    assert [row["refusal"] for row in store.presentations()] == ["WORKER_DIED", None]
    (again,) = run(rows, store)
    assert again.refusal is None


def test_engine_gets_the_work_and_the_number_of_workers(tmp_path: Path) -> None:
    seen = []

    def engine(build: Callable[[], object], items: Iterable[Presentation], num_workers: int):  # type: ignore[no-untyped-def]
        seen.append((build, num_workers))
        yield from ((item, build()(item)) for item in items)  # type: ignore[operator]

    list(prepare([presentation("c")], new_store(tmp_path), made_up_work, 3, engine))
    assert seen == [(made_up_work, 3)]


def test_what_is_done_is_kept_when_the_user_stops(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    outcomes = prepare(presentations(5), store, made_up_work, 1)
    next(outcomes)
    next(outcomes)
    outcomes.close()
    assert len(store.presentations()) == 2
    assert len(run(presentations(5), store)) == 3


PROGRAM = """
import signal
import sys
from prepared import made_up_work, new_store, presentations
from vivant.preparation.place import to_place
from vivant.preparation.run import prepare

if __name__ == "__main__":
    store, num, num_before, processor_s = sys.argv[1:]
    rows = presentations(int(num))
    outcomes = prepare(rows, new_store(to_place(store)), made_up_work, 1, commit_s=0.0)
    for num_done, _ in enumerate(outcomes, 1):
        if num_done == int(num_before):
            signal.setitimer(signal.ITIMER_PROF, float(processor_s))
"""


def start(
    folder: Path, store: Place, num: int, num_before: int = 0, processor_s: float = 0.0
) -> "subprocess.Popen[str]":
    """Start a process that prepares presentations and stores each at once.

    It is killed by SIGPROF, which it does not handle, amid whatever it does. When that is does not
    depend on how busy the machine is.

    Args:
        folder: For the program.
        store: Where to.
        num: Presentations.
        num_before: It is killed after it has prepared so many; 0: it is not.
        processor_s: And has then used so much more processor time.
    """
    program = folder / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, program, store, num, num_before, processor_s]
    aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    environment = aws | {"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": "/usr/bin:/bin"}
    return subprocess.Popen(
        list(map(str, command)), env=environment, stderr=subprocess.PIPE, text=True
    )


def end_of(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Wait for the process: its code, and what it said of its errors."""
    errors = process.communicate()[1]
    return process.returncode, errors


@pytest.mark.slow
def test_killed_again_and_again_it_ends_with_the_same_rows(tmp_path: Path) -> None:
    """Killed at random moments: while it works, while it stores, while it cleans up."""
    generator = np.random.default_rng(0)
    num_kills = 0
    for _ in range(60):
        num_before, processor_s = int(generator.integers(1, 16)), generator.uniform(0.001, 0.03)
        code, errors = end_of(start(tmp_path, tmp_path / "store", 80, num_before, processor_s))
        if code == 0:
            break
        assert code == -signal.SIGPROF, errors
        num_kills += 1
    assert code == 0
    assert num_kills >= 3
    undisturbed = new_store(tmp_path / "undisturbed")
    run(presentations(80), undisturbed)
    assert content(Store(tmp_path / "store")) == content(undisturbed)


def test_killed_in_an_object_store_it_ends_with_the_same_rows(bucket: str, tmp_path: Path) -> None:
    place = to_place(f"{bucket}/store")
    code, errors = end_of(start(tmp_path, place, 20, 8, 0.01))
    assert code == -signal.SIGPROF, errors
    assert 8 <= len(Store(place).presentations(["path"])) < 20
    run(presentations(20), Store(place))
    undisturbed = new_store(tmp_path / "undisturbed")
    run(presentations(20), undisturbed)
    assert content(Store(place)) == content(undisturbed)


@pytest.mark.slow
def test_many_and_killed_in_an_object_store_leave_each_presentation_once(
    bucket: str, tmp_path: Path
) -> None:
    """Two at once, of whom one or the other is killed, or told of the other, again and again."""
    place = to_place(f"{bucket}/store")
    new_store(place)
    generator = np.random.default_rng(0)
    for _ in range(4):
        num_before, processor_s = int(generator.integers(1, 12)), generator.uniform(0.001, 0.2)
        both = [start(tmp_path, place, 60, num_before, processor_s), start(tmp_path, place, 60)]
        for code, errors in map(end_of, both):
            told = "another process writes to s3://" in errors
            assert code in (0, -signal.SIGPROF) or told, errors
    run(presentations(60), Store(place))
    undisturbed = new_store(tmp_path / "undisturbed")
    run(presentations(60), undisturbed)
    assert content(Store(place)) == content(undisturbed)
