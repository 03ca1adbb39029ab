"""Files that open and files that do not, at both depths of looking."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from media import clip
from vivant.datasets.nuaa import nuaa
from vivant.datasets.readable import find_gaps, find_unreadable
from vivant.records import Label, Presentation
from vivant.video.isolation import DecoderPool
from vivant.video.limits import VideoLimits


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool(VideoLimits()) as pool:
        yield pool


def found(root: Path, path: str, pool: DecoderPool | None = None) -> dict[str, str]:
    row = Presentation(path, Label.BONA_FIDE, None)
    return {
        problem.path: problem.message
        for problem in find_unreadable(root, [row], VideoLimits(), pool)
    }


def picture(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(3).integers(0, 256, (96, 96, 3)).astype(np.uint8)
    assert cv2.imwrite(str(path), noise)
    return path.read_bytes()


def pictures(root: Path, *numbers: int) -> list[str]:
    for number in numbers:
        picture(root / f"clip/frame_{number:04}.png")
    row = Presentation("clip", Label.BONA_FIDE, None)
    return [problem.message for problem in find_gaps(root, row, VideoLimits())]


def test_a_sound_video_opens_at_both_depths(tmp_path: Path, pool: DecoderPool) -> None:
    (tmp_path / "a.mp4").write_bytes(clip())
    assert found(tmp_path, "a.mp4") == found(tmp_path, "a.mp4", pool) == {}


def test_the_first_bytes_tell_what_is_no_video(tmp_path: Path, pool: DecoderPool) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video")
    for depth in (None, pool):
        assert "0 bytes" in found(tmp_path, "empty.mp4", depth)["empty.mp4"]
        assert "begins with 6e 6f" in found(tmp_path, "text.mp4", depth)["text.mp4"]
        assert list(found(tmp_path, "gone.mp4", depth)) == ["gone.mp4"]


def test_decoding_tells_what_the_first_bytes_do_not(tmp_path: Path, pool: DecoderPool) -> None:
    (tmp_path / "half.mp4").write_bytes(clip()[:600])
    assert found(tmp_path, "half.mp4") == {}
    assert list(found(tmp_path, "half.mp4", pool)) == ["half.mp4"]


def test_each_damaged_picture_of_a_clip_is_named(tmp_path: Path, pool: DecoderPool) -> None:
    for number in range(1, 6):
        data = picture(tmp_path / f"clip/{number}.png")
        if number in (2, 4):
            (tmp_path / f"clip/{number}.png").write_bytes(data[:500])
    (tmp_path / "clip/5.png").write_text("")
    assert list(found(tmp_path, "clip")) == ["clip/5.png"]
    assert list(found(tmp_path, "clip", pool)) == ["clip/2.png", "clip/4.png", "clip/5.png"]
    (tmp_path / "none").mkdir()
    assert "expected a folder with the frames" in found(tmp_path, "none")["none"]


def test_pictures_in_even_steps_have_no_gaps(tmp_path: Path) -> None:
    assert pictures(tmp_path, 1, 2, 3, 4) == []


def test_pictures_of_every_fifth_frame_have_no_gaps(tmp_path: Path) -> None:
    assert pictures(tmp_path, 0, 5, 10, 15) == []


def test_missing_pictures_are_named(tmp_path: Path) -> None:
    (message,) = pictures(tmp_path, 8, 9, 10, 12, 13, 16)
    assert "in 2 places: 10 is followed by 12 where 11 is expected" in message


def test_names_without_numbers_and_videos_have_no_gaps(tmp_path: Path) -> None:
    for name in ("a", "b", "d1"):
        picture(tmp_path / f"clip/{name}.png")
    assert pictures(tmp_path) == []
    (tmp_path / "a.mp4").touch()
    video = Presentation("a.mp4", Label.BONA_FIDE, None)
    assert list(find_gaps(tmp_path, video, VideoLimits())) == []


def test_a_series_is_counted_and_each_of_its_pictures_opened(tmp_path: Path) -> None:
    for number in (1, 7, 116):
        picture(tmp_path / f"ClientRaw/0001/0001_00_00_01_{number}.jpg")
    picture(tmp_path / "ClientRaw/0001/0001_00_00_02_1.jpg")
    (tmp_path / "ImposterRaw").mkdir()
    row = nuaa().read(tmp_path).presentations[0]
    assert list(find_gaps(tmp_path, row, VideoLimits())) == []
    assert find_unreadable(tmp_path, [row], VideoLimits()) == []
    gone = tmp_path / "ClientRaw/0001/0001_00_00_01_7.jpg"
    gone.write_text("x")
    assert [problem.path for problem in find_unreadable(tmp_path, [row], VideoLimits())] == [
        "ClientRaw/0001/0001_00_00_01_7.jpg"
    ]
    gone.unlink()
    assert [problem.message for problem in find_gaps(tmp_path, row, VideoLimits())] == [
        "expected 3 pictures, found 2"
    ]
