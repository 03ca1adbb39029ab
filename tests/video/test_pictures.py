import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from media import clip, pattern
from vivant.errors import InputError, MediaError, Refusal
from vivant.video.isolation import DecoderPool
from vivant.video.limits import VideoLimits
from vivant.video.pictures import picture_reader, read_pictures, read_stills

LIMITS = VideoLimits()


def written(folder: Path, num_frames: int) -> list[Path]:
    paths = [folder / f"{number}.png" for number in range(num_frames)]
    for number, path in enumerate(paths):
        Image.fromarray(pattern(number)).save(path)
    return paths


def png(number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pattern(number)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("isolated", [False, True])
def test_frames_come_a_tenth_of_a_second_apart(tmp_path: Path, isolated: bool) -> None:
    paths = written(tmp_path, 10)
    with DecoderPool(LIMITS) as pool:
        media = read_pictures(paths, 30.0, 0.1, LIMITS, pool if isolated else None)
        frames = list(media.frames)
    assert not media.is_still
    assert [frame.number for frame in frames] == [0, 3, 6, 9]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3])
    for frame in frames:
        np.testing.assert_array_equal(frame.pixels, pattern(frame.number))


def test_numbers_say_when_pictures_were_taken(tmp_path: Path) -> None:
    paths = written(tmp_path, 5)
    numbers = [0, 3, 6, 36, 39]
    frames = list(read_pictures(paths, 30.0, 0.1, LIMITS, None, numbers).frames)
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.2, 1.2, 1.3])
    assert [frame.number for frame in frames] == [0, 1, 2, 3, 4]


def test_numbers_do_not_reach_beyond_the_limit(tmp_path: Path) -> None:
    paths = written(tmp_path, 2)
    last = round(30 * LIMITS.max_seconds)
    assert len(list(read_pictures(paths, 30.0, 0.1, LIMITS, None, [0, last]).frames)) == 2
    with pytest.raises(MediaError, match="max_seconds") as caught:
        read_pictures(paths, 30.0, 0.1, LIMITS, None, [0, last + 30])
    assert caught.value.code is Refusal.TOO_LONG


@pytest.mark.parametrize("isolated", [False, True])
def test_all_stills_are_read(tmp_path: Path, isolated: bool) -> None:
    paths = written(tmp_path, 4)
    with DecoderPool(LIMITS) as pool:
        media = read_stills(paths, 0.1, LIMITS, pool if isolated else None)
        frames = list(media.frames)
    assert media.is_still
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3])
    np.testing.assert_array_equal(frames[3].pixels, pattern(3))
    with pytest.raises(MediaError, match="expected the pictures of a series"):
        read_stills([], 0.1, LIMITS, None)


def test_only_what_is_looked_at_is_read(tmp_path: Path) -> None:
    paths = written(tmp_path, 4)
    paths[1].write_bytes(b"damaged")
    assert len(list(read_pictures(paths, 30.0, 0.1, LIMITS, None).frames)) == 2


def test_damaged_picture_is_named(tmp_path: Path) -> None:
    paths = written(tmp_path, 4)
    paths[3].write_bytes(clip())
    with pytest.raises(MediaError, match=r"3\.png: expected a picture, got a video") as caught:
        list(read_pictures(paths, 30.0, 0.1, LIMITS, None).frames)
    assert caught.value.code is Refusal.UNSUPPORTED_FORMAT


def test_picture_of_another_size_is_named(tmp_path: Path) -> None:
    paths = written(tmp_path, 2)
    Image.fromarray(pattern()[:, :70]).save(paths[1])
    with pytest.raises(MediaError, match=r"1\.png: expected a picture of 96x64") as caught:
        list(read_pictures(paths, 10.0, 0.1, LIMITS, None).frames)
    assert caught.value.code is Refusal.RESOLUTION_CHANGED


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_rate_must_be_positive(tmp_path: Path, rate: float) -> None:
    with pytest.raises(InputError, match="expected a rate above 0"):
        read_pictures(written(tmp_path, 1), rate, 0.1, LIMITS, None)


@pytest.mark.parametrize("isolated", [False, True])
def test_pictures_in_memory_are_those_of_files(isolated: bool) -> None:
    with DecoderPool(LIMITS) as pool:
        given = tuple(png(number) for number in range(10))
        media = read_pictures(given, 30.0, 0.1, LIMITS, pool if isolated else None)
        frames = list(media.frames)
    assert not media.is_still
    assert [frame.number for frame in frames] == [0, 3, 6, 9]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3])
    for frame in frames:
        np.testing.assert_array_equal(frame.pixels, pattern(frame.number))


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize(
    ("damage", "code", "message"),
    [
        (lambda: b"damaged", Refusal.UNSUPPORTED_FORMAT, "picture 3: the content is none"),
        (lambda: png(2)[:60], Refusal.CORRUPT_MEDIA, "picture 3: "),
        (bytes, Refusal.EMPTY_INPUT, "picture 3: .*0 bytes"),
        (clip, Refusal.UNSUPPORTED_FORMAT, "picture 3: expected a picture, got a video"),
    ],
)
def test_damaged_picture_in_memory_is_counted_from_one(
    isolated: bool, damage: Callable[[], bytes], code: Refusal, message: str
) -> None:
    given = (png(0), png(1), damage(), png(3))
    with DecoderPool(LIMITS) as pool:
        frames = read_pictures(given, 10.0, 0.1, LIMITS, pool if isolated else None).frames
        assert [next(frames).number, next(frames).number] == [0, 1]
        with pytest.raises(MediaError, match=message) as caught:
            next(frames)
    assert caught.value.code is code


def test_picture_in_memory_of_another_size_is_named() -> None:
    file = io.BytesIO()
    Image.fromarray(pattern()[:, :70]).save(file, "PNG")
    with pytest.raises(MediaError, match=r"picture 2: expected a picture of 96x64.*got 70x64") as e:
        list(read_pictures((png(0), file.getvalue()), 10.0, 0.1, LIMITS, None).frames)
    assert e.value.code is Refusal.RESOLUTION_CHANGED


def test_picture_in_memory_may_be_as_large_as_a_file() -> None:
    limits = VideoLimits(max_bytes=len(png(0)))
    assert len(list(read_pictures((png(0),), 10.0, 0.1, limits, None).frames)) == 1
    with pytest.raises(MediaError, match="picture 1: .*max_bytes") as caught:
        list(read_pictures((png(0) + b"x",), 10.0, 0.1, limits, None).frames)
    assert caught.value.code is Refusal.TOO_LARGE


@pytest.mark.parametrize("pictures", [(), []])
def test_no_pictures_are_empty_input(pictures: tuple | list) -> None:
    with pytest.raises(MediaError, match="expected the frames of one clip, got none") as caught:
        read_pictures(pictures, 10.0, 0.1, LIMITS, None)
    assert caught.value.code is Refusal.EMPTY_INPUT


@pytest.mark.parametrize("isolated", [False, True])
def test_reader_reads_one_picture_after_the_other_and_goes_on_after_a_bad_one(
    isolated: bool,
) -> None:
    with (
        DecoderPool(LIMITS) as pool,
        picture_reader(LIMITS, pool if isolated else None) as read,
    ):
        np.testing.assert_array_equal(read(png(1)), pattern(1))
        for bad, code in (
            (b"damaged", Refusal.UNSUPPORTED_FORMAT),
            (b"", Refusal.EMPTY_INPUT),
            (clip(), Refusal.UNSUPPORTED_FORMAT),
        ):
            with pytest.raises(MediaError) as caught:
                read(bad)
            assert caught.value.code is code
        np.testing.assert_array_equal(read(png(2)), pattern(2))


def test_reader_holds_one_process_for_all_its_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    with DecoderPool(LIMITS) as pool:
        taken = []
        take = pool._take
        monkeypatch.setattr(pool, "_take", lambda: taken.append(1) or take())
        with picture_reader(LIMITS, pool) as read:
            for number in range(5):
                read(png(number))
        assert len(taken) == 1
