import numpy as np
import pytest

from forged import hostile, mutated, picture, seeds
from media import clip, pattern, patterns, video
from vivant.errors import InputError, MediaError, Refusal
from vivant.video import frames as module
from vivant.video.frames import read_media
from vivant.video.limits import VideoLimits

LIMITS = VideoLimits()


def test_video_gives_the_frames_that_are_looked_at() -> None:
    media = read_media(video(patterns(60), 30), 0.1, LIMITS)
    frames = list(media.frames)
    assert not media.is_still
    assert [frame.time_s for frame in frames[:20]] == pytest.approx(np.arange(20) / 10, abs=1e-6)
    assert [frame.number for frame in frames[:4]] == [0, 3, 6, 9]
    assert abs(frames[4].pixels.astype(int) - pattern(12)).mean() < 12


def test_picture_is_one_frame() -> None:
    media = read_media(picture("PNG"), 0.1, LIMITS)
    (frame,) = media.frames
    assert media.is_still
    assert (frame.time_s, frame.number) == (0, 0)
    np.testing.assert_array_equal(frame.pixels, pattern())


def test_every_decoded_frame_is_counted() -> None:
    counted: list[tuple[int, int]] = []
    media = read_media(video(patterns(60), 30), 0.1, LIMITS, lambda *count: counted.append(count))
    list(media.frames)
    assert counted == [(index, 96 * 64) for index in range(1, 61)]


@pytest.mark.parametrize("interval_s", [0.0, -1.0, float("nan"), float("inf")])
def test_interval_must_be_a_time(interval_s: float) -> None:
    with pytest.raises(InputError, match="expected an interval of more than 0 seconds"):
        read_media(clip(), interval_s, LIMITS)


def test_hostile_files_meet_their_refusals() -> None:
    found: dict[str, str] = {}
    for which, (data, _) in hostile().items():
        try:
            frames = list(read_media(data, 0.1, LIMITS).frames)
            found[which] = f"accepted, {len(frames)} frames"
        except MediaError as error:
            found[which] = error.code
    assert found == {which: code for which, (_, code) in hostile().items()}


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(MediaError, match=r"\(max_bytes\)") as caught:
        read_media(clip(), 0.1, VideoLimits(max_bytes=1000))
    assert caught.value.code == Refusal.TOO_LARGE


def test_lack_of_memory_is_a_refusal_and_not_the_medias_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(module, "decode_still", no_memory)
    monkeypatch.setattr(module, "near_grid", no_memory)
    for data in (picture("PNG"), clip()):
        with pytest.raises(MediaError, match="max_memory_bytes") as caught:
            list(read_media(data, 0.1, LIMITS).frames)
        assert caught.value.code == Refusal.RESOURCE_LIMIT


def test_damage_gives_frames_or_a_refusal_and_nothing_else() -> None:
    num_accepted = 0
    for seed in range(100):
        for name, data in seeds().items():
            try:
                frames = list(read_media(mutated(data, seed), 0.1, LIMITS).frames)
            except MediaError:
                continue
            assert frames, (name, seed)
            times = [frame.time_s for frame in frames]
            assert times == sorted(set(times)), (name, seed)
            assert len({frame.pixels.shape for frame in frames}) == 1, (name, seed)
            num_accepted += 1
    # What can still be decoded is not refused.
    assert num_accepted > 250
