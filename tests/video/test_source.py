import os
import random
from pathlib import Path, PurePosixPath

import pytest

from vivant.errors import MediaError, Refusal
from vivant.video.limits import VideoLimits
from vivant.video.source import (
    check_num_bytes,
    check_size,
    list_frames,
    ordered_frames,
    read_file,
)

LIMITS = VideoLimits()


def refusal(path: Path, limits: VideoLimits = LIMITS) -> MediaError:
    with pytest.raises(MediaError) as caught:
        read_file(path, limits)
    return caught.value


def test_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.m3u8", "img%03d.jpg", "-i", "a b", "\udcff.mp4"):
        (tmp_path / name).write_bytes(b"content")
        assert read_file(tmp_path / name, LIMITS) == b"content"


def test_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_file(tmp_path / "link", LIMITS) == b"content"


@pytest.mark.parametrize(
    "name",
    [
        "http://127.0.0.1/clip.mp4", "concat:a.mp4|b.mp4", "subfile,,start,0,end,9,,:a.mp4",
        "async:a.mp4", "file:a.mp4", "img%03d.jpg", "nowhere.mp4", "a.mp4/b", "x" * 300,
    ],
)  # fmt: skip
def test_names_are_names_of_files_and_nothing_else(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"content")
    (tmp_path / "img001.jpg").write_bytes(b"content")
    assert refusal(tmp_path / name).code == Refusal.NOT_A_FILE


def test_name_with_nul_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"content")
    error = refusal(tmp_path / "a.mp4\0.txt")
    assert error.code == Refusal.NOT_A_FILE
    assert "NUL" in str(error)


def test_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "\ud800").code == Refusal.NOT_A_FILE


def test_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe").code == Refusal.NOT_A_FILE


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null", "/dev", "/"])
def test_devices_and_folders_are_refused(name: str) -> None:
    assert refusal(Path(name)).code == Refusal.NOT_A_FILE


def test_file_that_cannot_be_read_is_refused() -> None:
    memory = Path("/proc/self/mem")  # A regular file that nobody can read at 0.
    if not memory.exists():
        pytest.skip("no /proc here")
    assert refusal(memory).code == Refusal.NOT_A_FILE


def test_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert refusal(tmp_path / "empty").code == Refusal.EMPTY_INPUT


def test_file_one_byte_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(64 * 2**20 + 1)
    error = refusal(path)
    assert error.code == Refusal.TOO_LARGE
    assert "expected at most 64 MiB (max_bytes)" in str(error)
    os.truncate(path, 100)
    assert len(read_file(path, LIMITS.model_copy(update={"max_bytes": 100}))) == 100
    assert refusal(path, LIMITS.model_copy(update={"max_bytes": 99})).code == Refusal.TOO_LARGE


def test_size_of_bytes_is_checked_alike() -> None:
    limits = VideoLimits(max_bytes=3)
    check_size(b"abc", limits)
    for data, code in ((b"", Refusal.EMPTY_INPUT), (b"abcd", Refusal.TOO_LARGE)):
        with pytest.raises(MediaError) as caught:
            check_size(data, limits)
        assert caught.value.code == code


def test_frames_of_a_folder_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    names = ["1.jpg", "2.JPG", "9.png", "10.webp", "a2b10.jpeg", "a10b1.jpeg", "b.png"]
    for name in random.Random(1).sample(names, len(names)):
        (tmp_path / name).touch()
    (tmp_path / "notes.txt").touch()
    assert [path.name for path in list_frames(tmp_path, LIMITS)] == [
        "1.jpg", "2.JPG", "9.png", "10.webp", "a2b10.jpeg", "a10b1.jpeg", "b.png",
    ]  # fmt: skip


def test_odd_digits_in_names_are_no_numbers(tmp_path: Path) -> None:
    for name in ("1²3.jpg", "٣.jpg", "².jpg"):
        (tmp_path / name).touch()
    assert len(list_frames(tmp_path, LIMITS)) == 3


def test_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(MediaError, match="expected a folder with the frames of one clip") as caught:
        list_frames(tmp_path, LIMITS)
    assert caught.value.code == Refusal.EMPTY_INPUT


def test_folder_of_too_many_pictures_is_refused(tmp_path: Path) -> None:
    for index in range(4):
        (tmp_path / f"{index}.png").touch()
    with pytest.raises(MediaError, match=r"at most 3 frames \(max_frames\), got 4") as caught:
        list_frames(tmp_path, VideoLimits(max_frames=3))
    assert caught.value.code == Refusal.TOO_MANY_FRAMES


def test_number_of_bytes_is_checked_before_they_are_read() -> None:
    check_num_bytes(3, VideoLimits(max_bytes=3))
    for num_bytes, code in ((0, Refusal.EMPTY_INPUT), (4, Refusal.TOO_LARGE)):
        with pytest.raises(MediaError) as caught:
            check_num_bytes(num_bytes, VideoLimits(max_bytes=3))
        assert caught.value.code == code


def test_frames_are_ordered_wherever_they_lie() -> None:
    names = [PurePosixPath(name) for name in ("10.png", "notes.txt", "9.PNG")]
    assert [path.name for path in ordered_frames(names, LIMITS)] == ["9.PNG", "10.png"]
