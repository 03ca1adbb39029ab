from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from media import clip, pattern
from vivant.errors import InputError, MediaError, Refusal
from vivant.video.isolation import DecoderPool
from vivant.video.limits import VideoLimits
from vivant.video.pictures import read_pictures

LIMITS = VideoLimits()


def written(folder: Path, num_frames: int) -> list[Path]:
    paths = [folder / f"{number}.png" for number in range(num_frames)]
    for number, path in enumerate(paths):
        Image.fromarray(pattern(number)).save(path)
    return paths


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
