import struct
from contextlib import suppress

import pytest

from forged import SAMPLE_TABLE, box, edit_boxes, fragments, many_samples, many_tracks, with_table
from media import clip, patterns, video
from vivant.errors import MediaError, Refusal
from vivant.video.isobmff import check_boxes
from vivant.video.limits import VideoLimits

LIMITS = VideoLimits()


def refusal(data: bytes, limits: VideoLimits = LIMITS) -> Refusal:
    with pytest.raises(MediaError) as caught:
        check_boxes(data, limits)
    return caught.value.code


def track(handler: bytes, *tables: bytes) -> bytes:
    """A `moov` with one track, whose tables are these."""
    media = box(b"hdlr", bytes(8) + handler + bytes(13))
    media += box(b"minf", box(b"stbl", b"".join(tables)))
    return box(b"moov", box(b"trak", box(b"mdia", media)))


def sizes(count: int) -> bytes:
    return box(b"stsz", struct.pack(">III", 0, 1, count))


def times(*entries: int) -> bytes:
    return box(
        b"stts",
        struct.pack(">II", 0, len(entries) // 2) + struct.pack(f">{len(entries)}I", *entries),
    )


def test_sound_files_pass() -> None:
    for data in (
        clip(),
        clip("libx264"),
        clip("mpeg4", "mov"),
        video(patterns(3), sound=True),
        video(patterns(3), container_options={"movflags": "frag_keyframe+empty_moov"}),
    ):
        check_boxes(data, LIMITS)


@pytest.mark.parametrize("kind", [b"stsz", b"stts"])
def test_ten_million_samples_are_refused(kind: bytes) -> None:
    data = many_samples(kind)
    assert len(data) < 10_000
    assert refusal(data) == Refusal.TOO_MANY_FRAMES


def test_samples_of_the_picture_are_frames() -> None:
    check_boxes(track(b"vide", sizes(1800), times(1800, 1)), LIMITS)
    assert refusal(track(b"vide", sizes(1801))) == Refusal.TOO_MANY_FRAMES
    assert refusal(track(b"vide", times(900, 1, 901, 2))) == Refusal.TOO_MANY_FRAMES
    check_boxes(track(b"soun", sizes(200_000)), LIMITS)
    assert refusal(track(b"soun", sizes(200_001))) == Refusal.TOO_MANY_FRAMES
    assert refusal(track(b"text", times(200_001, 1))) == Refusal.TOO_MANY_FRAMES


def test_uncompressed_sound_has_a_sample_for_each_tick() -> None:
    minute = 60 * 48_000
    check_boxes(track(b"soun", times(minute, 1), sizes(minute)), LIMITS)
    # But not where samples last longer, and are read one by one.
    for tables in (
        (times(minute, 2), sizes(minute)),
        (sizes(minute),),
        (times(minute, 1), sizes(minute), times(1, 2)),
        (times(minute, 1, 1, 1), sizes(minute)),
        (times(300_000_000, 1),),
    ):
        assert refusal(track(b"soun", *tables)) == Refusal.TOO_MANY_FRAMES


def test_handler_of_data_does_not_hide_that_of_media() -> None:
    # QuickTime has a second `hdlr`, in `minf`.
    data = box(b"hdlr", b"\0\0\0\0dhlralis" + bytes(13))
    media = box(b"hdlr", b"\0\0\0\0mhlrvide" + bytes(13)) + box(
        b"minf", data + box(b"stbl", sizes(1801))
    )
    whole = box(b"moov", box(b"trak", box(b"mdia", media)))
    assert refusal(whole) == Refusal.TOO_MANY_FRAMES


@pytest.mark.parametrize("kind", [b"stts", b"ctts", b"stsc", b"stco", b"co64", b"stss", b"elst"])
def test_table_must_hold_what_it_announces(kind: bytes) -> None:
    table = box(kind, struct.pack(">II", 0, 1000) + bytes(40))
    assert refusal(track(b"vide", table)) == Refusal.CORRUPT_MEDIA


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (struct.pack(">III", 0, 0, 1000), Refusal.CORRUPT_MEDIA),  # stsz, each of its own size
        (struct.pack(">III", 0, 0, 1000) + bytes(4000), None),
        (struct.pack(">III", 0, 0, 2**32 - 1), Refusal.CORRUPT_MEDIA),
    ],
)
def test_sizes_of_samples_must_be_there(content: bytes, code: Refusal | None) -> None:
    data = track(b"vide", box(b"stsz", content))
    if code:
        assert refusal(data) == code
    else:
        check_boxes(data, LIMITS)


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_compact_sizes_must_be_there(bits: int) -> None:
    header = struct.pack(">III", 0, bits, 1000)
    check_boxes(track(b"vide", box(b"stz2", header + bytes(1000 * bits // 8))), LIMITS)
    short = box(b"stz2", header + bytes(1000 * bits // 8 - 1))
    assert refusal(track(b"vide", short)) == Refusal.CORRUPT_MEDIA


def test_runs_of_fragments_are_summed() -> None:
    check_boxes(fragments(10, 1000), LIMITS)
    assert refusal(fragments(1, 10_000_000)) == Refusal.TOO_MANY_FRAMES
    assert refusal(fragments(1000, 1000)) == Refusal.TOO_MANY_FRAMES


def test_run_must_hold_what_it_announces() -> None:
    run = box(b"trun", struct.pack(">II", 0xF00, 100) + bytes(16 * 99))
    assert refusal(box(b"moof", box(b"traf", run))) == Refusal.CORRUPT_MEDIA


def test_edits_without_number_are_refused() -> None:
    entries = struct.pack(">II", 0, 100_000) + bytes(1_200_000)
    data = edit_boxes(clip("libx264"), (b"moov", b"trak", b"edts", b"elst"), lambda _: entries)
    assert refusal(data) == Refusal.TOO_MANY_FRAMES


def test_compressed_header_is_refused() -> None:
    data = box(b"ftyp", b"qt  ") + box(b"moov", box(b"cmov", box(b"dcom", b"zlib")))
    assert refusal(data) == Refusal.UNSUPPORTED_FORMAT


def test_too_many_tracks_are_refused() -> None:
    check_boxes(many_tracks(8, "mp4"), LIMITS)
    assert refusal(many_tracks(9, "mp4")) == Refusal.TOO_MANY_STREAMS


def test_too_many_boxes_are_refused() -> None:
    check_boxes(box(b"free") * 20_000, LIMITS)
    assert refusal(box(b"free") * 20_001) == Refusal.CORRUPT_MEDIA


def test_boxes_too_deep_are_refused() -> None:
    def nested(depth: int) -> bytes:
        data = b""
        for _ in range(depth):
            data = box(b"moov", data)
        return data

    check_boxes(nested(16), LIMITS)
    assert refusal(nested(18)) == Refusal.CORRUPT_MEDIA
    assert refusal(nested(5000)) == Refusal.CORRUPT_MEDIA


@pytest.mark.parametrize("size", [0, 1, 2, 7, 2**31, 2**32 - 1])
def test_any_size_of_a_box_ends_the_walk_or_goes_on(size: int) -> None:
    data = struct.pack(">I4s", size, b"free") + struct.pack(">Q", 2**63) + clip()
    check_boxes(data, LIMITS)


def test_every_cut_is_walked_without_an_error_of_ours() -> None:
    data = with_table(b"stsz", struct.pack(">III", 0, 1, 20))
    start = data.index(b"moov") - 4
    codes = set()
    for end in range(start, len(data), 3):
        with suppress(MediaError):
            check_boxes(data[:end], LIMITS)
            continue
        codes.add(refusal(data[:end]))
    assert codes == {Refusal.CORRUPT_MEDIA}


def test_path_to_the_tables_is_that_of_the_files() -> None:
    seen: list[bytes] = []

    def look(content: bytes) -> bytes:
        seen.append(content)
        return content

    assert edit_boxes(clip("libx264"), (*SAMPLE_TABLE, b"stsz"), look) == clip("libx264")
    assert struct.unpack(">I", seen[0][8:12]) == (20,)
