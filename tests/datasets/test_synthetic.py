import json
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from vivant.datasets import oulu_npu, synthetic
from vivant.datasets.oulu_npu import list_files, official
from vivant.datasets.synthetic import (
    MARKER,
    Marker,
    expected_counts,
    generate,
    read_marker,
    read_parameters,
)
from vivant.datasets.synthetic_plan import SIZES, Size, Video, plan
from vivant.errors import DataError, OutputError, UnknownNameError
from vivant.records import Split


class Painter:
    """Films nobody: frames of one tone, which follows from the name."""

    def __init__(self, layout: str, seed: int, num_frames: int) -> None:
        self.num_frames = num_frames

    def film(self, video: Video) -> Iterator[np.ndarray]:
        tone = 40 * int(video.path[-5])
        yield from [np.full((480, 360, 3), tone, np.uint8)] * self.num_frames


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested is what comes to disk; `test_synthetic_film` films people."""
    monkeypatch.setattr(synthetic, "Studio", Painter)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five videos of two frames instead of `tiny`."""
    videos = plan("oulu-npu", "tiny")[:5]
    monkeypatch.setitem(SIZES, "tiny", Size(2, False, 8, 8))
    monkeypatch.setattr(synthetic, "plan", lambda layout, size: videos)


def made(root: Path, seed: int = 0) -> list[tuple[int, int, int]]:
    return [(p.done, p.total, p.kept) for p in generate(root, "oulu-npu", "tiny", seed)]


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.mark.usefixtures("few", "painted")
def test_a_benchmark_is_made_and_gone_on_with_where_it_was_left(tmp_path):
    root = tmp_path / "new"
    assert made(root) == [(0, 5, 0), (5, 5, 0)]
    first = contents(root)
    assert set(first) == {
        MARKER, "README.md", "parameters.csv",
        *(f"Train_files/1_1_01_{file}.avi" for file in range(1, 6)),
    }  # fmt: skip
    assert len(oulu_npu.read(root).presentations) == 5
    with av.open(root / "Train_files/1_1_01_4.avi") as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
        assert video.streams.video[0].average_rate == 10
    assert [frame.shape for frame in frames] == [(480, 360, 3)] * 2
    assert abs(frames[0].mean() - 160) < 3

    # Killed: one video is missing, one is empty, another was not finished.
    (root / "Train_files/1_1_01_5.avi").write_bytes(b"")
    (root / "Train_files/1_1_01_3.avi").unlink()
    (root / "Train_files/.1_1_01_3.avi.77.part").write_bytes(b"half")
    kept = (root / "Train_files/1_1_01_1.avi").stat().st_mtime_ns
    assert made(root) == [(3, 5, 3), (5, 5, 3)]
    assert contents(root) == first
    assert (root / "Train_files/1_1_01_1.avi").stat().st_mtime_ns == kept

    with pytest.raises(DataError, match="oulu-npu, tiny, seed 0, .* expected .* seed 1"):
        made(root, seed=1)


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_two_processes_make_the_same_videos_as_one(tmp_path):
    made(tmp_path / "one")
    steps = list(generate(tmp_path / "two", "oulu-npu", "tiny", 0, num_workers=2))
    assert steps[-1].done == 5
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


@pytest.mark.usefixtures("few")
def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(DataError, match="expected an empty folder or .* found something else"):
        made(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(DataError, match="an empty folder"):
        made(tmp_path / "thesis.tex")


@pytest.mark.usefixtures("few")
def test_a_full_disk_is_noticed_before_anything_is_filmed(tmp_path, monkeypatch):
    class Full:
        free = 1000

    monkeypatch.setattr(synthetic.shutil, "disk_usage", lambda path: Full)
    with pytest.raises(OutputError, match="GB free at .* make room"):
        made(tmp_path / "new")


def test_an_unknown_layout_or_size_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UnknownNameError, match="no size is called 'tinny': did you mean 'tiny'"):
        list(generate(tmp_path / "new", "siw", "tinny"))
    assert not (tmp_path / "new").exists()


def mark(root: Path, layout: str, size: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    content = {"layout": layout, "size": size, "seed": 0, "version": 1, "num_videos": 1}
    (root / MARKER).write_text(json.dumps({"synthetic": content}))
    return root


def test_the_marker_says_what_a_folder_was_made_for(tmp_path):
    assert read_marker(tmp_path) is None
    assert read_marker(mark(tmp_path, "siw", "small")) == Marker("siw", "small", 0, 1, 1)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"synthetic": {"layout": "siw"}}', '{"synthetic": []}']
)
def test_a_damaged_marker_is_an_error_and_not_a_folder_of_people(tmp_path, text):
    (tmp_path / MARKER).write_text(text)
    with pytest.raises(DataError, match=r"synthetic.json is damaged"):
        read_marker(tmp_path)


def test_a_marker_of_an_unknown_size_is_an_error(tmp_path):
    with pytest.raises(DataError, match="a layout or size that is not known: siw, huge"):
        read_marker(mark(tmp_path, "siw", "huge"))


# Counted by hand for tiny: each of 16 or 8 users of a side has each phone once, each session twice.
@pytest.mark.parametrize(
    ("protocol", "dev", "test"),
    [("1", (32, 128), (16, 64)), ("2", (48, 96), (48, 96)), ("3_4", (40, 160), (8, 32))],
)
def test_tiny_s_counts_are_those_counted_by_hand(tmp_path, protocol, dev, test):
    found = expected_counts(mark(tmp_path, "oulu-npu", "tiny"), protocol)
    assert found == {
        Split.TRAIN: (2 * dev[0], 2 * dev[1]), Split.DEV: dev, Split.TEST: test,
    }  # fmt: skip


def test_full_has_the_counts_of_the_owner_s_lists(tmp_path):
    root = mark(tmp_path, "oulu-npu", "full")
    protocols = [name for name in oulu_npu.oulu_npu().protocols if name != "all"]
    assert len(protocols) == 14
    for protocol in protocols:
        assert expected_counts(root, protocol) == oulu_npu.expected(protocol)


def test_siw_s_counts_depend_on_whose_dev_side_it_is(tmp_path):
    root = mark(tmp_path, "siw", "tiny")
    # 14 videos of each of 16 or 8 subjects: 4 bona fide, 2 prints and 8 replays.
    assert expected_counts(root, "1") == {
        Split.TRAIN: (64, 160), Split.DEV: (32, 80), Split.TEST: (32, 80),
    }  # fmt: skip
    assert expected_counts(root, "3_1")[Split.TRAIN] == (64, 32)
    assert expected_counts(root, "3_1")[Split.TEST] == (32, 64)
    nobody = expected_counts(root, "1", "none")
    assert nobody[Split.TRAIN] == (96, 240)
    assert nobody[Split.DEV] == (0, 0)


def test_a_folder_that_is_not_synthetic_has_no_counts(tmp_path):
    assert expected_counts(tmp_path, "1") is None


def test_the_lists_of_full_are_the_owner_s(tmp_path):
    synthetic._write_lists(tmp_path, "1")
    synthetic._write_lists(tmp_path, "4_2")
    lists = official(tmp_path)
    assert lists.problems == ()
    assert set(lists.protocols) == {"1", "4_2"}
    first = (tmp_path / list_files("1")[Split.TEST]).read_text().splitlines()
    assert first[:5] == ["+1,1_3_36_1", "-1,1_3_36_2", "-1,1_3_36_3", "-2,1_3_36_4", "-2,1_3_36_5"]


@pytest.mark.usefixtures("few")
def test_parameters_are_read_by_path(tmp_path):
    steps = generate(tmp_path / "new", "oulu-npu", "tiny")
    next(steps)  # They are written before anything is filmed.
    found = read_parameters(tmp_path / "new")
    assert found["Train_files/1_1_01_2.avi"]["print_screen"] == "halftone"
    assert found["Train_files/1_1_01_1.avi"]["print_screen"] == ""
    with pytest.raises(DataError, match=r"expected .*parameters.csv"):
        read_parameters(tmp_path)
