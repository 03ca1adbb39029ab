import av
import numpy as np
import pytest

from media import patterns
from vivant.attacks.recording import write_video
from vivant.errors import InputError, OutputError
from vivant.video.frames import read_media
from vivant.video.limits import VideoLimits


def codec_of(path) -> tuple[str, str]:
    with av.open(path) as source:
        return source.format.name, source.streams.video[0].codec_context.name


@pytest.mark.parametrize(
    ("name", "codec", "expected"),
    [
        ("a.mp4", None, ("mov,mp4,m4a,3gp,3g2,mj2", "h264")),
        ("a.MOV", None, ("mov,mp4,m4a,3gp,3g2,mj2", "h264")),
        ("a.avi", None, ("avi", "mpeg4")),
        ("a.avi", "mjpeg", ("avi", "mjpeg")),
    ],
)
def test_what_is_written_is_read_again(tmp_path, name, codec, expected):
    frames = patterns(12)
    assert write_video(tmp_path / name, iter(frames), 25.0, 12, codec) == 12
    assert codec_of(tmp_path / name) == expected
    found = list(read_media((tmp_path / name).read_bytes(), 0.04, VideoLimits()).frames)
    assert [round(frame.time_s, 2) for frame in found] == [n / 25 for n in range(12)]
    for frame, written in zip(found, frames, strict=True):
        assert np.abs(frame.pixels.astype(int) - written).mean() < 8


@pytest.mark.parametrize("name", ["a.mp4", "a.avi"])
def test_the_same_frames_are_the_same_bytes(tmp_path, name):
    contents = []
    for number in range(20):  # What an encoder finds in its memory is other each time.
        path = tmp_path / str(number) / name
        path.parent.mkdir()
        write_video(path, patterns(10), 30.0, 20)
        contents.append(path.read_bytes())
    assert contents == contents[:1] * 20


@pytest.mark.parametrize("name", ["a.mp4", "a.avi"])
def test_a_higher_crf_is_a_smaller_file(tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 256, (8, 64, 96, 3), np.uint8)
    sizes = []
    for crf in (14, 24, 34):
        write_video(tmp_path / name, noise, 30.0, crf)
        sizes.append((tmp_path / name).stat().st_size)
    assert sizes[0] > sizes[1] > sizes[2]


def test_nothing_is_left_of_a_video_that_is_not_finished(tmp_path):
    def stopping():
        yield from patterns(3)
        raise KeyError("the frames end")

    (tmp_path / "a.mp4").write_bytes(b"older")
    with pytest.raises(KeyError):
        write_video(tmp_path / "a.mp4", stopping(), 30.0, 20)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_bytes() == b"older"


def test_what_cannot_be_written_is_refused(tmp_path):
    frames = patterns(2)
    with pytest.raises(InputError, match=r"ending in .mp4, .mov, .avi, got 'a.webm'"):
        write_video(tmp_path / "a.webm", frames, 30.0, 20)
    with pytest.raises(InputError, match="a crf in 0..51"):
        write_video(tmp_path / "a.mp4", frames, 30.0, 60)
    with pytest.raises(InputError, match="at least one frame"):
        write_video(tmp_path / "a.mp4", [], 30.0, 20)
    with pytest.raises(InputError, match="even sides, got 95x64 after 0"):
        write_video(tmp_path / "a.mp4", [frames[0][:, :95]], 30.0, 20)
    with pytest.raises(InputError, match="got 48x64 after 1 of 96x64"):
        write_video(tmp_path / "a.mp4", [frames[0], frames[0][:, :48]], 30.0, 20)
    for codec in ("aac", "no-such"):
        with pytest.raises(
            InputError, match=f"an encoder of videos that FFmpeg has, got '{codec}'"
        ):
            write_video(tmp_path / "a.mp4", frames, 30.0, 20, codec)
    with pytest.raises(OutputError, match="cannot be written"):
        write_video(tmp_path / "missing" / "a.mp4", frames, 30.0, 20)
    assert not list(tmp_path.iterdir())
