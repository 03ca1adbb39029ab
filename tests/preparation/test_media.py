from collections.abc import Mapping
from pathlib import Path

import fsspec
import pytest
from upath import UPath

from vivant.errors import MediaError, Refusal
from vivant.preparation.media import find_files, read_files
from vivant.preparation.place import Place, to_place
from vivant.records import Label, Presentation
from vivant.video.limits import VideoLimits

LIMITS = VideoLimits()
FILES = {
    "a [1]/clip #1?.mp4": b"film",
    "a [1]/empty.mp4": b"",
    "pictures/10.png": b"ten",
    "pictures/9.JPG": b"nine",
    "pictures/notes.txt": b"text",
    "pictures/deeper/8.png": b"eight",
    "series/1_2.jpg": b"one two",
    "series/1_10.jpg": b"one ten",
    "series/2_1.jpg": b"two",
    "nothing/notes.txt": b"text",
}


def filled(root: Place, files: Mapping[str, bytes]) -> Place:
    for name, content in files.items():
        place = root / name
        if isinstance(place, UPath):
            place.fs.pipe_file(place.path, content)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    return root


@pytest.fixture(params=["here", "there"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    name = "odd [root] #%20"
    if request.param == "here":
        return filled(tmp_path / name, FILES)
    return filled(to_place(f"{request.getfixturevalue('bucket')}/{name}"), FILES)


def clip(path: str, **columns: str) -> Presentation:
    return Presentation(path, Label.BONA_FIDE, None, columns=columns)


def names(root: Place, row: Presentation, limits: VideoLimits = LIMITS) -> list[str]:
    start = len(str(root).rstrip("/")) + 1
    return [str(file)[start:] for file in find_files(root, row, limits)[0]]


def refusal(root: Place, row: Presentation, limits: VideoLimits = LIMITS) -> Refusal:
    with pytest.raises(MediaError) as caught:
        list(read_files(find_files(root, row, limits)[0], limits))
    return caught.value.code


def test_here_and_there_a_video_is_one_file(root: Place) -> None:
    files, is_clip = find_files(root, clip("a [1]/clip #1?.mp4"), LIMITS)
    assert not is_clip
    assert list(read_files(files, LIMITS)) == [b"film"]


def test_here_and_there_a_folder_is_its_pictures_in_order(root: Place) -> None:
    files, is_clip = find_files(root, clip("pictures"), LIMITS)
    assert is_clip
    assert list(read_files(files, LIMITS)) == [b"nine", b"ten"]
    assert names(root, clip("pictures")) == ["pictures/9.JPG", "pictures/10.png"]


def test_here_and_there_a_pattern_is_its_pictures_in_order(root: Place) -> None:
    row = clip("series/1_2.jpg", frames="series/1_[0-9]*.[jJ][pP]*[gG]")
    assert names(root, row) == ["series/1_2.jpg", "series/1_10.jpg"]
    files, _ = find_files(root, row, LIMITS)
    assert list(read_files(files, LIMITS)) == [b"one two", b"one ten"]


@pytest.mark.parametrize(
    ("row", "limits", "code"),
    [
        (clip("missing.mp4"), LIMITS, Refusal.NOT_A_FILE),
        (clip("a [1]/empty.mp4"), LIMITS, Refusal.EMPTY_INPUT),
        (clip("a [1]/clip #1?.mp4"), VideoLimits(max_bytes=3), Refusal.TOO_LARGE),
        (clip("nothing"), LIMITS, Refusal.EMPTY_INPUT),
        (clip("series/1_2.jpg", frames="series/9_*.jpg"), LIMITS, Refusal.EMPTY_INPUT),
        (clip("pictures"), VideoLimits(max_frames=1), Refusal.TOO_MANY_FRAMES),
    ],
)
def test_here_and_there_refusals_are_the_same(
    root: Place, row: Presentation, limits: VideoLimits, code: Refusal
) -> None:
    assert refusal(root, row, limits) == code


def test_pictures_of_a_clip_at_a_url_are_bounded_together(bucket: str) -> None:
    root = filled(to_place(bucket), {f"clip/{i}.png": b"12345" for i in range(3)})
    assert refusal(root, clip("clip"), VideoLimits(max_bytes=14)) == Refusal.TOO_LARGE
    files, _ = find_files(root, clip("clip"), LIMITS)
    assert len(list(read_files(files, VideoLimits(max_bytes=15)))) == 3


def test_file_that_is_gone_when_it_is_read_is_refused(bucket: str) -> None:
    root = filled(to_place(bucket), {"clip/1.png": b"1", "clip/2.png": b"2"})
    files, _ = find_files(root, clip("clip"), LIMITS)
    assert isinstance(root, UPath)
    fsspec.filesystem("s3", use_listings_cache=False).rm_file(files[1].path)
    with pytest.raises(MediaError, match="expected a file: ") as caught:
        list(read_files(files, LIMITS))
    assert caught.value.code == Refusal.NOT_A_FILE


def test_marker_of_a_folder_is_no_picture(bucket: str) -> None:
    root = filled(to_place(bucket), {"clip/1.png": b"1"})
    assert isinstance(root, UPath)
    root.fs.pipe_file(f"{root.path.rstrip('/')}/clip/", b"")
    assert names(root, clip("clip")) == ["clip/1.png"]


@pytest.mark.parametrize("row", [clip("a.mp4"), clip("a.jpg", frames="a*.jpg")])
def test_unreachable_store_is_a_refusal_of_one_line(
    bucket: str, row: Presentation, without_credentials: None
) -> None:
    with pytest.raises(MediaError, match=r"expected a file: .*set AWS_ACCESS_KEY_ID") as caught:
        find_files(to_place(bucket), row, LIMITS)
    assert caught.value.code == Refusal.NOT_A_FILE
    assert "\n" not in str(caught.value)
