import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from prepared import made_up_work, new_store, prepared, presentation, presentations
from vivant.errors import DataError
from vivant.parallel import Failure
from vivant.preparation.record import PreparedPresentation
from vivant.preparation.run import Outcome, prepare
from vivant.preparation.schema import to_presentation
from vivant.preparation.store import Store
from vivant.records import Label, Presentation, Split


def content(store: Store) -> list[tuple[object, ...]]:
    """All that is stored, without the order in which it came."""
    paths = {row["id"]: row["path"] for row in store.presentations()}
    rows = store.frames().to_table().to_pylist()
    frames = [(paths[row.pop("presentation")], *map(str, row.values())) for row in rows]
    told = [tuple(str(v) for k, v in row.items() if k != "id") for row in store.presentations()]
    return sorted(frames) + sorted(told)


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
import sys
from functools import partial
from pathlib import Path
from prepared import made_up_work, new_store, presentations
from vivant.preparation.run import prepare

if __name__ == "__main__":
    store = new_store(Path(sys.argv[1]))
    work = partial(made_up_work, 0.004)
    for outcome in prepare(presentations(80), store, work, 1, commit_s=0.02):
        print(outcome.num_done, flush=True)
"""


def test_killed_again_and_again_it_ends_with_the_same_rows(tmp_path: Path) -> None:
    """kill -9 at random moments: while it works, while it stores, while it cleans up."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    generator = np.random.default_rng(0)
    command = [sys.executable, str(program), str(tmp_path / "store")]
    environment = {"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": "/usr/bin:/bin"}
    num_kills = 0
    for _ in range(60):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        first = process.stdout.readline()  # Something was prepared, or all of it was before.
        if first:
            time.sleep(float(generator.uniform(0, 0.12)))
            process.send_signal(signal.SIGKILL)
            num_kills += 1
        code = process.wait()
        process.stdout.close()
        if code == 0:
            break
    assert code == 0
    assert num_kills >= 3
    undisturbed = new_store(tmp_path / "undisturbed")
    run(presentations(80), undisturbed)
    assert content(Store(tmp_path / "store")) == content(undisturbed)
