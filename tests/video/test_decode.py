import gc
import struct
from contextlib import suppress
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from forged import (
    SAMPLE_TABLE,
    box,
    damaged,
    edit_boxes,
    h264_sps,
    many_samples,
    many_tracks,
    sound_with_cover,
    two_sizes,
    with_duration,
    with_sps,
)
from media import MATRICES, clip, pattern, patterns, remux, sound, video
from vivant.errors import MediaError, Refusal
from vivant.records import Frame
from vivant.video.decode import check_frame_size, decode_video
from vivant.video.limits import VideoLimits
from vivant.video.sniff import sniff

LIMITS = VideoLimits()
READ = [
    ("mpeg4", "mp4"), ("mpeg4", "mov"), ("mpeg4", "matroska"), ("mpeg4", "avi"), ("mjpeg", "avi"),
    ("mjpeg", "mov"), ("mjpeg", "matroska"), ("libx264", "mp4"), ("libx264", "matroska"),
    ("libx264", "avi"), ("libx265", "mp4"), ("libvpx", "webm"), ("libvpx-vp9", "webm"),
    ("libsvtav1", "mp4"),
]  # fmt: skip


def decode(data: bytes, limits: VideoLimits = LIMITS) -> list[Frame]:
    return [Frame(f.pixels(), f.time_s) for f in decode_video(data, sniff(data), limits)]


def refusal(data: bytes, limits: VideoLimits = LIMITS) -> MediaError:
    with pytest.raises(MediaError) as caught:
        decode(data, limits)
    return caught.value


@pytest.mark.parametrize(("codec", "container"), READ)
def test_every_codec_and_container_is_read(codec: str, container: str) -> None:
    frames = decode(clip(codec, container))
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(20) / 10)
    for index, frame in enumerate(frames):
        assert abs(frame.pixels.astype(int) - pattern(index)).mean() < 12


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_frames_that_are_stored_out_of_order_come_in_order(container: str) -> None:
    options = {"preset": "medium", "bf": "3"}
    data = video(patterns(20), 10, "libx264", container, options=options)
    frames = decode(data)
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(20) / 10)
    assert abs(frames[7].pixels.astype(int) - pattern(7)).mean() < 12


def test_times_are_the_files_and_not_counted() -> None:
    times = [0, 0.1, 0.25, 0.3, 0.9, 1.0]
    for codec, container in (("mpeg4", "mp4"), ("libx264", "matroska")):
        data = video(patterns(6), codec=codec, container=container, times=times)
        assert [frame.time_s for frame in decode(data)] == pytest.approx(times, abs=2e-3)


def test_times_begin_with_the_first_frame() -> None:
    data = video(patterns(3), container="matroska", codec="libx264", times=[5, 5.5, 6])
    assert [frame.time_s for frame in decode(data)] == pytest.approx([0, 0.5, 1])


@pytest.mark.parametrize(("exif", "matrix"), MATRICES.items())
def test_display_matrix_is_that_of_the_picture_with_the_same_orientation(
    exif: int, matrix: tuple[int, int, int, int]
) -> None:
    (upright,) = decode(video([pattern()]))
    (shown,) = decode(video([pattern()], matrix=matrix))
    image = Image.fromarray(upright.pixels)
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
    }  # fmt: skip
    expected = image.transpose(turns[exif]) if exif in turns else image
    np.testing.assert_array_equal(shown.pixels, np.asarray(expected))


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_is_read_from_matroska_too(rotation: int) -> None:
    turned = np.rot90(decode(video([pattern()], container="matroska"))[0].pixels, -rotation // 90)
    (shown,) = decode(video([pattern()], container="matroska", rotation=rotation))
    np.testing.assert_array_equal(shown.pixels, turned)


def test_oblique_matrix_is_refused() -> None:
    error = refusal(video([pattern()], matrix=(1, 1, -1, 1)))
    assert error.code == Refusal.UNSUPPORTED_FORMAT


def test_one_frame_is_a_video() -> None:
    assert len(decode(video([pattern()]))) == 1


def test_sound_beside_the_picture_is_ignored() -> None:
    assert len(decode(video(patterns(4), sound=True))) == 4
    assert len(decode(video(patterns(4), container="matroska", sound=True))) == 4


@pytest.mark.parametrize(
    "data",
    [sound("mp4"), sound("matroska"), sound("matroska", "flac"), sound_with_cover()],
    ids=["mp4", "matroska", "flac", "cover"],
)
def test_sound_alone_has_no_picture_track(data: bytes) -> None:
    assert refusal(data).code == Refusal.NO_VIDEO_STREAM


def test_title_that_is_no_utf8_is_nobodys_fault() -> None:
    title = b"\xf2\xff caf\xe9"
    item = box(b"\xa9nam", struct.pack(">HH", len(title), 0) + title)
    data = edit_boxes(clip(), (b"moov",), lambda content: content + box(b"udta", item))
    assert len(decode(data)) == 20


@pytest.mark.parametrize("codec", ["ffv1", "mpeg2video", "huffyuv", "rawvideo", "no such"])
def test_other_codecs_are_refused_by_name(codec: str) -> None:
    tags = {"huffyuv": b"HFYU", "rawvideo": b"I420", "no such": b"\1\2\3\4"}
    if codec in tags:
        data = clip("mpeg4", "avi").replace(b"FMP4", tags[codec])
    else:
        data = video(patterns(3), 25, codec, "matroska")
    error = refusal(data)
    assert error.code == Refusal.UNSUPPORTED_FORMAT
    assert "expected a video coded as av1, h264, hevc" in str(error)


def test_truncated_mp4_without_its_header_is_refused() -> None:
    data = clip("libx264")
    header = data.index(b"moov") - 4
    for end in (header, 40, 100):
        assert refusal(data[:end]).code == Refusal.CORRUPT_MEDIA
    # Cut amid the header, before or behind the place where the track says what it is.
    for end in range(header + 8, len(data), 40):
        with suppress(MediaError):
            assert len(decode(data[:end])) <= 20


def test_mp4_without_half_of_its_media_gives_what_is_there() -> None:
    data = video(patterns(40), 10, "mjpeg", "mov")
    start = data.index(b"moov") - 4
    half = edit_boxes(data[:start], (b"mdat",), lambda content: content[: len(content) // 2])
    assert 15 < len(decode(half + data[start:])) <= 21


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_truncated_matroska_gives_what_is_there(codec: str) -> None:
    data = clip(codec, "matroska")
    frames = decode(data[: 2 * len(data) // 3])
    assert 5 < len(frames) < 20
    assert refusal(data[:200]).code == Refusal.CORRUPT_MEDIA


@pytest.mark.parametrize(
    ("size", "shown", "code"),
    [
        ((8192, 8192), None, Refusal.TOO_MANY_PIXELS),
        ((8192, 8192), (8192, 8192), Refusal.TOO_MANY_PIXELS),
        ((16384, 64), None, Refusal.TOO_MANY_PIXELS),
        ((4096, 4096), None, Refusal.TOO_MANY_PIXELS),
        ((48, 64), None, Refusal.TOO_SMALL),
        ((16, 16), (16, 16), Refusal.TOO_SMALL),
    ],
)
def test_forged_sizes_are_refused(
    size: tuple[int, int], shown: tuple[int, int] | None, code: Refusal
) -> None:
    data = with_sps(h264_sps(*size), shown)
    assert len(data) < 10_000
    assert refusal(data).code == code


def test_forged_sps_is_one_that_decoders_take() -> None:
    assert len(decode(with_sps(h264_sps(96, 64)))) == 20


def test_huge_frame_amid_small_ones_is_damage_and_is_not_painted() -> None:
    # A JPEG of 16,000 pixels a side in the header, and no more bytes than before.
    data = bytearray(clip("mjpeg", "avi"))
    at = -1
    for _ in range(8):
        at = data.index(b"\xff\xc0", at + 1)
    data[at + 5 : at + 9] = struct.pack(">HH", 16_000, 16_000)
    assert len(decode(bytes(data))) == 19


def test_ten_million_samples_are_refused() -> None:
    assert refusal(many_samples(b"stsz")).code == Refusal.TOO_MANY_FRAMES


@pytest.mark.parametrize("size", [(62, 64), (64, 62), (16, 16)])
def test_small_frames_are_refused(size: tuple[int, int]) -> None:
    error = refusal(video(patterns(2, *size)))
    assert error.code == Refusal.TOO_SMALL
    assert f"got {size[0]}x{size[1]}" in str(error)


@pytest.mark.parametrize(
    ("size", "code"),
    [
        ((64, 64), None), ((4096, 2304), None), ((2304, 4096), None), ((63, 64), Refusal.TOO_SMALL),
        ((1, 1), Refusal.TOO_SMALL), ((4097, 64), Refusal.TOO_MANY_PIXELS),
        ((4096, 2305), Refusal.TOO_MANY_PIXELS), ((64, 8192), Refusal.TOO_MANY_PIXELS),
    ],
)  # fmt: skip
def test_limits_of_size_are_exact(size: tuple[int, int], code: Refusal | None) -> None:
    if code is None:
        check_frame_size(*size, LIMITS)
        return
    with pytest.raises(MediaError) as caught:
        check_frame_size(*size, LIMITS)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("codec", "container"), [("mjpeg", "avi"), ("libx264", "matroska"), ("libx264", "mp4")]
)
def test_change_of_size_is_refused(codec: str, container: str) -> None:
    error = refusal(two_sizes(codec, container))
    assert error.code == Refusal.RESOLUTION_CHANGED
    assert "got 96x64 and then 128x64" in str(error)


@pytest.mark.parametrize(("container", "count"), [("matroska", 9), ("mp4", 12), ("avi", 9)])
def test_too_many_tracks_are_refused(container: str, count: int) -> None:
    assert refusal(many_tracks(count, container)).code == Refusal.TOO_MANY_STREAMS
    assert len(decode(many_tracks(8, container))) == 1


def test_more_frames_than_are_read_are_refused() -> None:
    tiny = video(patterns(12, 64, 64), 240, "libx264", options={"g": "1"})
    for container in ("mp4", "matroska"):
        error = refusal(remux(tiny, range(1801), Fraction(1, 240), container))
        assert error.code == Refusal.TOO_MANY_FRAMES
        assert len(decode(remux(tiny, range(1800), Fraction(1, 240), container))) == 1800


def test_frames_times_pixels_are_limited() -> None:
    limits = VideoLimits(max_total_pixels=19 * 96 * 64)
    for container in ("mp4", "matroska"):
        error = refusal(clip("libx264", container), limits)
        assert error.code == Refusal.TOO_MANY_FRAMES
        assert "at most 19 frames of this size" in str(error)


@pytest.mark.parametrize("container", ["mp4", "matroska", "avi"])
def test_more_than_a_minute_is_refused(container: str) -> None:
    assert refusal(video(patterns(62), 1, container=container)).code == Refusal.TOO_LONG
    assert len(decode(video(patterns(59), 1, container=container))) == 59


def test_times_beyond_a_minute_are_refused_where_the_header_says_less() -> None:
    data = video(patterns(3), container="matroska", times=[0, 1, 61])
    # The element Duration (44 89), 8 bytes: a float.
    at = data.index(b"\x44\x89\x88") + 3
    lied = data[:at] + struct.pack(">d", 1000.0) + data[at + 8 :]
    assert refusal(lied).code == Refusal.TOO_LONG


def test_declared_duration_counts_where_it_is_believed() -> None:
    data = clip("mpeg4", "matroska")
    at = data.index(b"\x44\x89\x88") + 3
    for seconds in (3600, 1e9):
        lied = data[:at] + struct.pack(">d", 1000.0 * seconds) + data[at + 8 :]
        assert refusal(lied).code == Refusal.TOO_LONG
    # FFmpeg believes an MP4's samples and not its headers: it lasts two seconds.
    assert len(decode(with_duration(3600))) == 20


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mjpeg"])
def test_few_damaged_frames_are_dropped_and_many_refused(codec: str) -> None:
    container = "mov" if codec == "mjpeg" else "mp4"
    data = video(patterns(40), 10, codec, container, options={"g": "5"})
    assert refusal(damaged(data, 0.5)).code == Refusal.CORRUPT_MEDIA
    at = _offsets(data)
    broken = bytearray(data)
    for index in (12, 23):  # Two frames of forty, overwritten.
        broken[at[index] : at[index] + 12] = b"\xff" * 12
    frames = decode(bytes(broken))
    assert 30 <= len(frames) <= 40
    whole = {round(frame.time_s, 3) for frame in decode(data)}
    assert {round(frame.time_s, 3) for frame in frames} <= whole


def _offsets(data: bytes) -> list[int]:
    """Where each frame begins, of a file with one chunk."""
    found: dict[bytes, bytes] = {}
    for kind in (b"stsz", b"stco"):

        def keep(content: bytes, kind: bytes = kind) -> bytes:
            found[kind] = content
            return content

        edit_boxes(data, (*SAMPLE_TABLE, kind), keep)
    (start,) = struct.unpack(">I", found[b"stco"][8:12])
    sizes = np.frombuffer(found[b"stsz"], ">u4", offset=12)
    return [start + int(before) for before in np.cumsum(sizes) - sizes]


def test_limits_on_damage_are_exact() -> None:
    data = clip("mjpeg", "mov")
    broken = bytearray(data)
    for count, index in enumerate((3, 5, 7, 9, 11, 13), start=1):
        at = _offsets(data)[index]
        broken[at : at + 2] = b"\0\0"
        broken[at + 20 : at + 700] = bytes(680)
        if count <= 5:  # max(3, a quarter of 20)
            assert len(decode(bytes(broken))) == 20 - count
        else:
            assert refusal(bytes(broken)).code == Refusal.CORRUPT_MEDIA


def test_frames_do_not_wait_for_the_garbage_collector() -> None:
    data = video(patterns(30), rotation=90)
    gc.collect()
    gc.disable()
    try:
        before = sum(type(thing) is av.VideoFrame for thing in gc.get_objects())
        for _ in decode_video(data, sniff(data), VideoLimits()):
            pass
        after = sum(type(thing) is av.VideoFrame for thing in gc.get_objects())
    finally:
        gc.enable()
    assert after - before <= 2
