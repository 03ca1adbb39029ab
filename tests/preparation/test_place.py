from pathlib import Path

import fsspec
import lance
import pyarrow as pa
import pytest
from upath import UPath

from vivant.errors import InputError, OutputError
from vivant.preparation.place import (
    is_there,
    names_in,
    one_line,
    read_text,
    sizes_below,
    table_uri,
    to_place,
    write,
)


def test_paths_stay_paths() -> None:
    for text in ("data/oulu", "/data/oulu", "C:/data", "a:b", "./s3:/b", "simplecache::s3://b"):
        assert to_place(text) == Path(text)


def test_file_url_is_a_path() -> None:
    assert to_place("file:///data/my%20oulu") == Path("/data/my oulu")
    assert to_place("FILE://localhost/data") == Path("/data")
    assert to_place("file:///data/oulu%232") == Path("/data/oulu#2")
    with pytest.raises(InputError, match="expected file:///PATH, of this machine"):
        to_place("file://server/data")


def test_url_is_a_place_that_prints_as_it_was_given() -> None:
    place = to_place("s3://bucket/oulu npu/")
    assert isinstance(place, UPath)
    assert str(place) == "s3://bucket/oulu npu"
    assert (
        str(place / "Train_files/1_1_01_1.avi") == "s3://bucket/oulu npu/Train_files/1_1_01_1.avi"
    )


@pytest.mark.parametrize(
    "text",
    [
        "s3://AKIA:hunter2@bucket/oulu",
        "s3://hunter2@bucket",
        "s3://bucket/a?X-Amz-Signature=hunter2",
        "s3://AKIA:hunt/hunter2@bucket/oulu",
    ],
)
def test_url_with_a_secret_is_refused_and_the_secret_not_repeated(text: str) -> None:
    with pytest.raises(InputError, match="AWS_SECRET_ACCESS_KEY") as caught:
        to_place(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("http://server/oulu", "one of file://, s3://, gs://, az://, got http://"),
        ("hdfs://server/oulu", "got hdfs://"),
        ("s3://", "expected s3://BUCKET/FOLDER"),
        ("s3:///oulu", "expected s3://BUCKET/FOLDER"),
        ("s3:/bucket/oulu", "expected s3://, got s3: without two slashes"),
        ("file:/data", "expected file://, got file: without two slashes"),
        ("file:///data/oulu#2", "expected %3F and %23"),
        ("file:///data/oulu?", "expected %3F and %23"),
    ],
)
def test_other_urls_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        to_place(text)


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(protocol: str) -> None:
        raise ImportError("Install gcsfs to access Google Storage")

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    with pytest.raises(InputError, match="gs:// needs gcsfs.*: pip install gcsfs"):
        to_place("gs://bucket/oulu")


@pytest.fixture(params=["here", "there"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path | UPath:
    if request.param == "here":
        return tmp_path / "a %20#é"
    return to_place(f"{request.getfixturevalue('bucket')}/a %20#é")


def test_here_and_there_files_are_written_listed_and_read(folder: Path | UPath) -> None:
    assert not is_there(folder)
    assert names_in(folder) == []
    write(folder / "store.json", "ü")
    write(folder / "b/c/d.txt", "12345")
    assert is_there(folder / "store.json")
    assert is_there(folder / "b")
    assert not is_there(folder / "store")
    assert read_text(folder / "store.json") == "ü"
    assert sizes_below(folder) == {"store.json": 2, "b/c/d.txt": 5}
    assert names_in(folder) == ["b", "store.json"]
    write(folder / "store.json", "two")
    assert read_text(folder / "store.json") == "two"
    with pytest.raises(FileNotFoundError) as caught:
        read_text(folder / "nothing")
    assert caught.value.strerror


def test_here_and_there_lance_takes_any_name(folder: Path | UPath) -> None:
    lance.write_dataset(pa.table({"a": [1]}), table_uri(folder, "frames"))
    assert lance.dataset(table_uri(folder, "frames")).count_rows() == 1
    assert names_in(folder) == ["frames.lance"]


def test_missing_bucket_is_told(bucket: str) -> None:
    place = to_place(f"{bucket}-nowhere/a")
    assert not is_there(place)
    with pytest.raises(FileNotFoundError, match="The specified bucket does not exist"):
        sizes_below(place)
    with pytest.raises(OutputError, match=r"cannot write s3://.*: The specified bucket does not"):
        write(place, "text")


def test_missing_credentials_say_what_to_set(bucket: str, without_credentials: None) -> None:
    with pytest.raises(
        PermissionError, match="come from the environment: set AWS_ACCESS_KEY_ID and AWS_SECRET"
    ):
        read_text(to_place(f"{bucket}/a"))


def test_endpoint_without_encryption_has_to_be_meant(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(InputError, match="set AWS_ALLOW_HTTP=true where that is meant"):
        table_uri(to_place(f"{bucket}/a"), "frames")


def test_markers_of_folders_are_no_files_of_their_own_name(bucket: str) -> None:
    place = to_place(f"{bucket}/a")
    for name in ("a/", "a/b/", "a/b/c.mp4"):
        place.fs.pipe_file(f"{place.path[:-1]}{name}", b"")
    assert sizes_below(place) == {"b/": 0, "b/c.mp4": 0}


def test_messages_of_others_are_one_short_line() -> None:
    told = one_line(OSError("LanceError(IO): no\n<xml>\n way, /lance/x.rs:1"))
    assert told == "LanceError(IO): no <xml> way"
    assert len(one_line(OSError("x" * 1000))) == 303
    assert one_line(OSError()) == "OSError"
