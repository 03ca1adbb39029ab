import multiprocessing
import os
import pickle
import signal
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
import torch

from object_store import bucket, s3_environment, s3_port
from prepared import filled, frame, prepared, presentation
from training.small import presentations_of
from vivant.errors import DataError, TrainingError
from vivant.preparation.clips import ClipStore, decode
from vivant.preparation.place import to_place
from vivant.records import Label, Split
from vivant.training.draws import Augmentation, Draw, unchanged
from vivant.training.loader import Batch, ClipReader, deaths_told, load_batches

__all__ = ["bucket", "s3_environment", "s3_port"]

STRONG = Augmentation(
    1.45, True, (0.1, -0.05, 0.0), 1.2, (0.1, 0.2, 0.3, 0.4), (0.5, 0.5, 0.6, 0.75)
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    """A bona fide presentation, one with unknown depth, an attack; and one that is damaged."""
    one, other, attack = presentations_of(Split.TRAIN, [None, None, "print"])
    damaged = [replace(frame(i), crop=b"no") for i in range(3)]
    rows = [
        prepared(one),
        prepared(other, [frame(i, with_depth=i != 1) for i in range(3)]),
        prepared(attack),
        prepared(presentation("damaged"), damaged),
    ]
    return ClipStore(filled(tmp_path_factory.mktemp("loader") / "store", rows).folder, 2)


def draw(store: ClipStore, name: str, augmentation: Augmentation = STRONG, key: int = 0) -> Draw:
    path = f"videos/{name}.mp4"
    (row,) = (row for row in store.presentations if row.path == path)
    return Draw(path, row.label, store.windows(path)[0], augmentation, key)


def draws(store: ClipStore) -> list[Draw]:
    return [
        draw(store, "train02", key=5),
        draw(store, "train00", unchanged(), key=7),
        draw(store, "train01", key=6),
    ]


@pytest.fixture
def reader(store: ClipStore, request: pytest.FixtureRequest) -> ClipReader:
    return ClipReader(store_folder(request), 2, 224, 224)


def store_folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue("folder")
    return found


@pytest.fixture(scope="module")
def folder(store: ClipStore) -> Path:
    return Path(store._frames.uri).parent


def same(one: Batch, other: Batch) -> bool:
    return all(
        mine is theirs is None or torch.equal(mine, theirs)
        for mine, theirs in zip(one, other, strict=True)
    )


def test_batch_is_what_was_drawn_decoded_one_by_one(store: ClipStore, reader: ClipReader) -> None:
    batch = reader[draws(store)]
    for place, each in enumerate(draws(store)):
        (raw,) = store.read([each.window])
        clip = decode(raw, each.augmentation.scale, 224)
        assert np.array_equal(batch.crops[place].numpy(), clip.crops)
        assert np.array_equal(batch.depth[place].numpy(), clip.depth)
    assert batch.has_depth.tolist() == [[True, True], [True, True], [True, False]]
    assert batch.labels.tolist() == [Label.ATTACK, Label.BONA_FIDE, Label.BONA_FIDE]
    assert batch.keys.tolist() == [5, 7, 6]
    assert batch.flips.tolist() == [True, False, True]
    assert batch.gammas.tolist() == pytest.approx([1.2, 1, 1.2])
    assert batch.colours[0].tolist() == pytest.approx([0.1, -0.05, 0])
    assert batch.holes[0].flatten().tolist() == pytest.approx([*STRONG.erased, *STRONG.cut_out])
    assert not batch.holes[1].any()
    assert batch.context is None
    assert [part.dtype for part in batch[:-1]] == [
        torch.uint8, torch.uint8, torch.bool, torch.int64, torch.bool, torch.float32,
        torch.float32, torch.float32, torch.int64,
    ]  # fmt: skip


def test_depth_of_larger_crops_is_that_of_the_backbones(store: ClipStore, folder: Path) -> None:
    large = ClipReader(folder, 2, 448, 224)[[draw(store, "train00")]]
    assert large.crops.shape == (1, 2, 448, 448, 3)
    (raw,) = store.read([draw(store, "train00").window])
    depth = decode(raw, STRONG.scale, 448).depth.astype(float)
    means = depth.reshape(2, 224, 2, 224, 2).mean((2, 4))
    assert np.abs(large.depth[0].numpy() - means).max() <= 0.5


def test_copy_of_a_reader_opens_the_store_for_itself(store: ClipStore, reader: ClipReader) -> None:
    batch = reader[draws(store)]
    assert reader._store is not None
    copied = pickle.loads(pickle.dumps(reader))
    assert copied._store is None
    assert same(copied[draws(store)], batch)


def test_reading_leaves_the_generator_of_dropout_alone(
    store: ClipStore, reader: ClipReader
) -> None:
    before = torch.get_rng_state()
    list(load_batches(reader, [draws(store)], 0))
    assert torch.equal(torch.get_rng_state(), before), "or a training that goes on has other bits"


def test_batches_are_taken_as_they_are_needed(store: ClipStore, reader: ClipReader) -> None:
    batches = load_batches(reader, repeat(draws(store)[:1]), 0)
    assert [next(batches).keys.tolist() for _ in range(2)] == [[5], [5]]


def test_another_process_reads_the_same(store: ClipStore, reader: ClipReader) -> None:
    micro_batches = [draws(store)[:2], draws(store)[2:], [draw(store, "damaged")]]
    here, there = (load_batches(reader, iter(micro_batches), workers) for workers in (0, 1))
    before = torch.get_rng_state()
    for _ in range(2):
        assert same(next(there), next(here))
    assert torch.equal(torch.get_rng_state(), before)
    errors = []
    for batches in (here, there):
        with pytest.raises(DataError) as caught:
            next(batches)
        errors.append(str(caught.value))
    assert errors == ["videos/damaged.mp4: a stored picture is damaged"] * 2


# torch raises out of a signal, amid whatever runs: a file that was just being opened is left unclosed.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_killed_process_ends_the_training_and_does_not_hang(
    store: ClipStore, reader: ClipReader
) -> None:
    others = {each.pid for each in multiprocessing.active_children()}
    batches = load_batches(reader, repeat(draws(store)[:1], 10_000), 1)
    next(batches)
    (mine,) = {each.pid for each in multiprocessing.active_children()} - others
    with pytest.raises(TrainingError, match="a process that reads clips died"), deaths_told():
        os.kill(mine, signal.SIGKILL)
        for _ in batches:
            pass


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("DataLoader worker (pid 12) is killed by signal: Killed. "),
        RuntimeError("DataLoader worker (pid(s) 12) exited unexpectedly"),
        ConnectionResetError(104, "Connection reset by peer"),
    ],
)
def test_death_of_a_process_is_told_wherever_it_is_noticed(error: Exception) -> None:
    advice = "--resume, perhaps with --set data.num_workers=0"
    with pytest.raises(TrainingError, match=advice), deaths_told():
        raise error


def test_other_errors_are_not_taken_for_a_death() -> None:
    message = "Caught RuntimeError in DataLoader worker process 0."
    with pytest.raises(RuntimeError, match=message), deaths_told():
        raise RuntimeError(message)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_batches_out_of_a_bucket_are_those_of_a_folder(
    store: ClipStore, reader: ClipReader, bucket: str, num_workers: int
) -> None:
    one, other, attack = presentations_of(Split.TRAIN, [None, None, "print"])
    rows = [
        prepared(one),
        prepared(other, [frame(i, with_depth=i != 1) for i in range(3)]),
        prepared(attack),
    ]
    there = ClipReader(filled(to_place(f"{bucket}/store"), rows).folder, 2, 224, 224)
    (batch,) = load_batches(there, [draws(store)], num_workers)
    assert same(batch, reader[draws(store)])
