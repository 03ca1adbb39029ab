import json
from collections.abc import Callable
from pathlib import Path

import pytest
from upath import UPath

from datasets import oulu_tree, trees
from vivant.datasets.celeba_spoof import celeba_spoof
from vivant.datasets.dataset import DataSet, Problem
from vivant.datasets.folder import folder
from vivant.datasets.made_up import is_made_up
from vivant.datasets.manifest import manifest
from vivant.datasets.nuaa import nuaa
from vivant.datasets.oulu_npu import oulu_npu
from vivant.errors import DataError
from vivant.preparation import skeleton
from vivant.preparation.place import to_place
from vivant.preparation.skeleton import mirrored, read_data_set


def upload(folder: Path, url: str) -> UPath:
    place = to_place(url)
    assert isinstance(place, UPath)
    start = place.path.rstrip("/")
    files = [path for path in folder.rglob("*") if path.is_file()]
    place.fs.pipe(
        {f"{start}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in files}
    )
    return place


def some_of_oulu(root: Path) -> None:
    oulu_tree.grow(root, [*oulu_tree.paths()[::200], "Train_files/unknown.avi"])
    oulu_tree.write_lists(root, ["1", "3_2"])
    for path in root.rglob("*_*.txt"):
        if path.parent.name == "Train_files":
            path.write_text("eyes")


def some_of_nuaa(root: Path) -> None:
    pictures = [f"{kind}/0001/0001_00_0{i}_01_{j}.jpg" for kind in ("ClientRaw", "ImposterRaw")
                for i in (0, 1) for j in (1, 12)]  # fmt: skip
    trees.plant(root, pictures)
    (root / "client_train_raw.txt").write_text("0001\\0001_00_00_01_1.jpg\n0001\\missing.jpg\n")


def some_of_celeba(root: Path) -> None:
    trees.celeba_spoof_tree(root)


def a_manifest(root: Path) -> None:
    trees.plant(root, ["a.mp4", "clips/b/1.png"])
    (root / "manifest.csv").write_text(
        "path,label,pai\na.mp4,bona_fide,\nclips/b,attack,print\nmissing.mp4,attack,print\n"
    )
    (root / "synthetic.json").write_text("{}")


def folders(root: Path) -> None:
    trees.plant(
        root,
        [
            "train/bona_fide/a.mp4", "train/attack/print/b/1.png", "test/attack/replay/c [1]#?.mp4",
            "test/other/d.mp4", "test/bona_fide/e.txt", "dev/attack/f.mp4", "__MACOSX/g.mp4",
        ],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("dataset", "plant"),
    [
        (oulu_npu(), some_of_oulu),
        (nuaa(), some_of_nuaa),
        (celeba_spoof(), some_of_celeba),
        (manifest(), a_manifest),
        (folder(), folders),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
def test_reading_at_a_url_is_that_of_the_folder(
    dataset: DataSet, plant: Callable[[Path], None], bucket: str, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    plant(root)
    expected, made_up = read_data_set(dataset, root)
    assert expected.presentations
    assert (expected, made_up) == (
        dataset.read(root), is_made_up(root, expected.presentations),
    )  # fmt: skip
    place = upload(root, f"{bucket}/odd [root] #%20")
    assert read_data_set(dataset, place) == (expected, made_up)


def test_mark_of_made_up_clips_is_seen_wherever_it_is(bucket: str, tmp_path: Path) -> None:
    trees.plant(tmp_path, ["attack/print/from/a/b/c.mp4", "bona_fide/d.mp4"])
    (tmp_path / "attack/print/from/simulation.json").write_text("{}")
    _, made_up = read_data_set(folder(), upload(tmp_path, bucket))
    assert made_up


def test_media_and_what_lies_beside_each_are_not_fetched(bucket: str, tmp_path: Path) -> None:
    contents = {
        "list.txt": "list", "a/b/list.json": "list", "a/video.mp4": "film", "a/video.txt": "eyes",
        "a/b/c/box.txt": "box", ".rows/a.json": "row", "a/notes.pdf": "notes",
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    with mirrored(upload(tmp_path, bucket)) as found:
        here = {name: (found.folder / name).read_text() for name in contents}
    assert {name for name, content in here.items() if content} == {"list.txt", "a/b/list.json"}
    assert not found.folder.exists()


def test_folder_of_this_machine_stands_for_itself(tmp_path: Path) -> None:
    with mirrored(tmp_path) as found:
        assert found.folder is tmp_path
    assert tmp_path.is_dir()


def test_names_that_no_folder_can_have_are_problems(bucket: str) -> None:
    place = to_place(f"{bucket}/root")
    assert isinstance(place, UPath)
    names = ["bona_fide/a.mp4", "bona_fide/b", "bona_fide/b/c.mp4", "x/../../../evil.mp4",
             "attack//d.mp4", f"attack/{'e' * 256}.mp4", "attack/print/"]  # fmt: skip
    for name in names:
        place.fs.pipe_file(f"{place.path}/{name}", b"")
    with mirrored(place) as found:
        here = sorted(
            path.relative_to(found.folder).as_posix() for path in found.folder.rglob("*.mp4")
        )
        assert (found.folder / "attack/print").is_dir()
    assert here == ["bona_fide/a.mp4", "bona_fide/b/c.mp4"]
    assert {problem.path for problem in found.problems} == {
        "bona_fide/b", "x/../../../evil.mp4", "attack//d.mp4", names[5],
    }  # fmt: skip
    reading, _ = read_data_set(folder(), place)
    assert set(found.problems) <= set(reading.problems)


def test_messages_name_the_url_and_not_the_copy(bucket: str, tmp_path: Path) -> None:
    trees.plant(tmp_path, ["a/b.mp4"])
    place = upload(tmp_path, f"{bucket}/wrong")
    with pytest.raises(DataError, match=r"OULU-NPU in s3://.*/wrong, found a/"):
        read_data_set(oulu_npu(), place)


def test_nothing_there_says_so(bucket: str) -> None:
    with pytest.raises(DataError, match=r"in s3://.*/nothing, found no folder"):
        read_data_set(oulu_npu(), to_place(f"{bucket}/nothing"))
    with pytest.raises(DataError, match=r"at s3://.*: The specified bucket does not exist"):
        read_data_set(oulu_npu(), to_place(f"{bucket}-nowhere"))


def test_more_lists_than_lists_are_is_told(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.json").write_text(json.dumps(["x"] * 1000))
    place = upload(tmp_path, bucket)
    monkeypatch.setattr(skeleton, "_MAX_BYTES", 1000)
    with (
        pytest.raises(DataError, match="expected lists of at most 0 MiB in s3://.*, found"),
        mirrored(place),
    ):
        pass


def test_problem_is_one_of_the_data_sets(bucket: str) -> None:
    place = to_place(bucket)
    assert isinstance(place, UPath)
    place.fs.pipe_file(f"{place.path.rstrip('/')}/a", b"")
    place.fs.pipe_file(f"{place.path.rstrip('/')}/a/b.mp4", b"")
    with mirrored(place) as found:
        assert found.problems == (
            Problem("a", "is a file, and there are files below it: rename it"),
        )
