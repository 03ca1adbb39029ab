"""`vivant data prepare` and `vivant score` on a cluster whose parts are killed: the rows of one
machine, each once."""

import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clocks import wait_until
from clusters import Nodes, cluster, decoders_of, kill, wait_for_working
from made_up import MadeUpRunner
from people import person_video
from prepared import content
from served_process import is_running
from text_session import TextSession
from vivant.evaluation.score_folder import MediaFolder
from vivant.preparation.place import names_in, read, to_place, write
from vivant.preparation.store import Store
from vivant.session.session import Session

NUM_VIDEOS = 40

# Fast: what needs no cluster.


@pytest.mark.parametrize(
    ("asked", "label", "expected"),
    [
        ("auto", "onnx", "onnx"),
        ("auto", "onnx int8", "onnx"),
        ("auto", "openvino execute=bf16", "openvino"),
        ("torch:cuda", "torch bf16", "torch:cuda"),
    ],
)
def test_workers_open_the_runtime_of_the_command(
    asked: str, label: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    from vivant.distributed.engine import RayEngine
    from vivant.distributed.scoring import ClusterJudge

    class OneHere(RayEngine):
        """One worker, in this process; it works on nothing."""

        def __call__(self, build: Any, items: Iterable[Any], num_workers: int, /) -> Iterator[Any]:
            build()
            return iter(())

    opened: list[object] = []
    monkeypatch.setattr(ray, "put", lambda content: ray.ObjectRef.from_random())
    monkeypatch.setattr(ray, "get", lambda content: {})
    monkeypatch.setattr(Session, "open", lambda *_, **fields: opened.append(fields["runtime"]))
    session = TextSession(MadeUpRunner(0.9))
    monkeypatch.setattr(session.runner, "runtime", label)
    judge = ClusterJudge(OneHere(), 1, runtime=asked)
    assert list(judge(session, MediaFolder(tmp_path, (), 0, ()), ())) == []
    assert opened == [expected]


# Slow: what starts Ray.


@pytest.fixture(scope="module")
def mortal_nodes() -> Iterator[Nodes]:
    """Three nodes, of which each test kills one: that of `prepare` the third, of `score` the second."""
    with cluster(3) as found:
        yield found


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos of a sheet with a face, and two files that are none."""
    root = tmp_path_factory.mktemp("media")
    for number in range(NUM_VIDEOS):
        kind = ("bona_fide", "attack/print")[number % 2]
        (root / kind).mkdir(parents=True, exist_ok=True)
        (root / kind / f"{number:03}.mp4").write_bytes(person_video(15 + number % 7))
    (root / "bona_fide/bad.mp4").write_bytes(b"no video")
    (root / "bona_fide/empty.mp4").write_bytes(b"")
    return root


def started(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "vivant", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended(process: subprocess.Popen[str], code: int) -> str:
    text, _ = process.communicate(timeout=300)
    assert process.returncode == code, text
    return text


def rows_of(out: Path) -> list[dict[str, Any]]:
    return pq.read_table(out).to_pylist()


def on(nodes: Nodes) -> tuple[object, ...]:
    return "--engine", "ray", "--address", nodes.address, "--workers", 3


@pytest.mark.slow
def test_prepare_loses_and_duplicates_nothing(
    mortal_nodes: Nodes, media: Path, tmp_path: Path
) -> None:
    nodes = mortal_nodes
    undisturbed = started("data", "prepare", "folder", media, "--out", tmp_path / "here")
    ended(undisturbed, 1)  # Two files are refused.
    there = tmp_path / "there"
    command = ("data", "prepare", "folder", media, "--out", there, *on(nodes))
    first = started(*command)
    workers = [wait_for_working(nodes, node) for node in range(3)]
    first.send_signal(signal.SIGKILL)
    first.communicate()
    wait_until(lambda: not any(map(is_running, workers)), "the killed command's workers have ended")
    process = started(*command)
    # Each of these is at work when it dies: a decoder, a worker, and a node with its worker.
    kill(decoders_of(wait_for_working(nodes, 0))[-1])
    kill(wait_for_working(nodes, 1))
    wait_for_working(nodes, 2)
    nodes.kill_node(2)
    ended(process, 1)
    # The file that the decoder was killed over is refused for the moment: the next run tries again.
    text = ended(started(*command), 1)
    assert f"{NUM_VIDEOS + 2} presentations are in {there}: 2 refused" in text
    assert content(Store(there)) == content(Store(tmp_path / "here"))


@pytest.mark.slow
def test_score_loses_and_duplicates_nothing(
    mortal_nodes: Nodes, media: Path, tmp_path: Path
) -> None:
    nodes = mortal_nodes
    ended(started("score", media, "--out", tmp_path / "here.parquet"), 0)
    process = started("score", media, "--out", tmp_path / "there.parquet", *on(nodes))
    kill(wait_for_working(nodes, 0))
    wait_for_working(nodes, 1)
    nodes.kill_node(1)
    text = ended(process, 0)
    assert f"of {NUM_VIDEOS + 2} files" in text
    assert rows_of(tmp_path / "there.parquet") == rows_of(tmp_path / "here.parquet")


@pytest.mark.slow
def test_media_stores_and_rows_may_be_at_urls(media: Path, bucket: str, tmp_path: Path) -> None:
    """On a cluster of this machine alone, which ends with the command."""
    small = tmp_path / "small"
    for path in ("bona_fide/000.mp4", "attack/print/001.mp4", "bona_fide/bad.mp4"):
        (small / path).parent.mkdir(parents=True, exist_ok=True)
        (small / path).write_bytes((media / path).read_bytes())
        write(to_place(f"{bucket}/small/{path}"), (media / path).read_bytes())
    ended(started("score", small, "--out", tmp_path / "here.parquet"), 0)
    ended(started("data", "prepare", "folder", small, "--out", tmp_path / "here"), 1)
    there, rows, store = f"{bucket}/small", f"{bucket}/rows.parquet", f"{bucket}/store"
    ended(started("data", "prepare", "folder", there, "--out", store, "--engine", "ray"), 1)
    assert content(Store(to_place(store))) == content(Store(tmp_path / "here"))
    ended(started("score", there, "--out", rows, "--engine", "ray"), 0)
    found = pq.read_table(pa.BufferReader(read(to_place(rows)))).to_pylist()
    assert found == rows_of(tmp_path / "here.parquet")
    assert names_in(to_place(bucket)) == ["rows.parquet", "small", "store"]
    assert "--force" in ended(started("score", there, "--out", rows, "--engine", "ray"), 1)
