"""Forged and hostile media for tests, made from the sound ones of `media`."""

import io
import random
import struct
import zlib
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from media import clip, pattern, patterns, remux, sound, video

SAMPLE_TABLE = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
# Bytes before the boxes in a box that is not wholly of boxes.
_HEADERS = {b"stsd": 8, b"avc1": 78, b"mp4v": 78, b"meta": 4}


def box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def edit_boxes(data: bytes, path: tuple[bytes, ...], change: Callable[[bytes], bytes]) -> bytes:
    """The same boxes with the content of those at `path` changed, and all sizes right."""
    made, at = [], 0
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        content = data[at + 8 : at + size]
        if kind == path[0]:
            skip = _HEADERS.get(kind, 0) if len(path) > 1 else 0
            rest = content[skip:]
            content = content[:skip] + (
                edit_boxes(rest, path[1:], change) if path[1:] else change(rest)
            )
        made.append(box(kind, content))
        at += size
    return b"".join(made)


def with_table(kind: bytes, content: bytes, data: bytes | None = None) -> bytes:
    """An MP4 with one of its sample tables put in the place of what it was."""
    data = data or clip("libx264")
    return edit_boxes(data, (*SAMPLE_TABLE, kind), lambda _: content)


def many_samples(kind: bytes, count: int = 10_000_000) -> bytes:
    """A few kB of MP4 whose table announces ten million samples."""
    tables = {
        b"stsz": struct.pack(">III", 0, 1, count),
        b"stts": struct.pack(">IIII", 0, 1, count, 1),
    }
    return with_table(kind, tables[kind])


def fragments(num_runs: int, samples_each: int) -> bytes:
    """A fragmented MP4 with one more fragment: so many runs of samples without a byte of their own."""
    data = video(
        patterns(8), 10, "libx264", container_options={"movflags": "frag_keyframe+empty_moov"}
    )
    run = box(b"trun", struct.pack(">II", 0, samples_each))
    header = box(b"tfhd", struct.pack(">III", 0x020000, 1, 0))
    traf = box(b"traf", header + run * num_runs)
    return data[: data.index(b"mfra") - 4] + box(b"moof", box(b"mfhd", bytes(8)) + traf)


def h264_sps(width: int, height: int) -> bytes:
    """A sequence parameter set of H.264 (7.3.2.1.1), baseline, for frames of this size."""
    bits = f"{66:08b}{0:08b}{51:08b}"  # profile_idc, constraint flags, level_idc

    def exp_golomb(value: int) -> str:
        binary = f"{value + 1:b}"
        return "0" * (len(binary) - 1) + binary

    # Its number, log2_max_frame_num - 4, pic_order_cnt_type, num_ref_frames; gaps; the size.
    bits += "".join(map(exp_golomb, (0, 0, 2, 1))) + "0"
    bits += exp_golomb(width // 16 - 1) + exp_golomb(height // 16 - 1)
    bits += "1" + "1" + "0" + "0" + "1"  # Frames only, direct 8x8, no cropping, no VUI; the end.
    bits += "0" * (-len(bits) % 8)
    content = int(bits, 2).to_bytes(len(bits) // 8, "big")
    assert b"\0\0\0" not in content  # Else it would need emulation prevention.
    return b"\x67" + content


def with_sps(sps: bytes, shown: tuple[int, int] | None = None) -> bytes:
    """An H.264 MP4 of a few kB with another SPS; `shown` is the size in its sample entry."""
    path = (*SAMPLE_TABLE, b"stsd", b"avc1")

    def change(content: bytes) -> bytes:
        old = int.from_bytes(content[6:8], "big")
        return content[:6] + struct.pack(">H", len(sps)) + sps + content[8 + old :]

    data = edit_boxes(clip("libx264"), (*path, b"avcC"), change)
    if shown:
        data = edit_boxes(
            data, path, lambda entry: entry[:24] + struct.pack(">HH", *shown) + entry[28:]
        )
    return data


def with_duration(seconds: int) -> bytes:
    """An MP4 that says that it lasts so long: in `mvhd`, `tkhd` and `mdhd`."""
    data = clip("libx264")
    for path, scale_at, at in (
        ((b"moov", b"mvhd"), 12, 16),
        ((b"moov", b"trak", b"mdia", b"mdhd"), 12, 16),
    ):

        def change(content: bytes, scale_at: int = scale_at, at: int = at) -> bytes:
            scale = int.from_bytes(content[scale_at : scale_at + 4], "big")
            return content[:at] + struct.pack(">I", scale * seconds) + content[at + 4 :]

        data = edit_boxes(data, path, change)
    return data


def two_sizes(codec: str, container: str) -> bytes:
    """One track whose frames change their size in the middle."""
    file = io.BytesIO()
    small, large = (
        video(patterns(6, width, 64), 10, codec, "matroska" if codec != "mjpeg" else "avi")
        for width in (96, 128)
    )
    with av.open(file, "w", format=container) as target:
        stream, time = None, 0
        for data in (small, large):
            with av.open(io.BytesIO(data)) as source:
                stream = stream or target.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.size:
                        content = bytes(packet)
                        if codec == "libx264" and packet.is_keyframe:
                            content = _parameters(source.streams.video[0]) + content
                        copy = av.Packet(content)
                        copy.stream, copy.time_base = stream, packet.time_base
                        copy.is_keyframe = packet.is_keyframe
                        copy.pts = copy.dts = round(time / 10 / packet.time_base)
                        target.mux(copy)
                        time += 1
    return file.getvalue()


def _parameters(stream: av.VideoStream) -> bytes:
    """SPS and PPS out of an avcC, as they stand in a packet: a length before each."""
    extra = stream.codec_context.extradata
    size = int.from_bytes(extra[6:8], "big")
    sps, rest = extra[8 : 8 + size], extra[8 + size + 1 :]
    pps = rest[2 : 2 + int.from_bytes(rest[:2], "big")]
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in (sps, pps))


def sound_with_cover() -> bytes:
    """AAC with a picture of the record's cover, as music shops sell it."""
    cover = picture("JPEG")
    data = box(b"data", struct.pack(">II", 13, 0) + cover)
    items = box(b"ilst", box(b"covr", data))
    handler = box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    meta = box(b"udta", box(b"meta", bytes(4) + handler + items))
    return edit_boxes(sound("mp4"), (b"moov",), lambda content: content + meta)


def many_tracks(count: int, container: str = "matroska") -> bytes:
    """So many tracks of pictures side by side."""
    file = io.BytesIO()
    frame = av.VideoFrame.from_ndarray(pattern(), format="rgb24").reformat(format="yuv420p")
    with av.open(file, "w", format=container) as target:
        streams = [target.add_stream("mpeg4", rate=10) for _ in range(count)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for stream in streams:
            target.mux(stream.encode(frame))
            target.mux(stream.encode(None))
    return file.getvalue()


def picture(
    kind: str, pixels: np.ndarray | None = None, mode: str = "", **options: object
) -> bytes:
    """A picture file; `mode` is what Pillow converts it to before."""
    file = io.BytesIO()
    image = Image.fromarray(pattern() if pixels is None else pixels)
    (image.convert(mode) if mode else image).save(file, kind, **options)
    return file.getvalue()


def animation(kind: str) -> bytes:
    first, *others = (Image.fromarray(pattern(index)) for index in range(3))
    file = io.BytesIO()
    first.save(file, kind, save_all=True, append_images=others, duration=100)
    return file.getvalue()


def stereo_jpeg() -> bytes:
    """A JPEG with a second picture behind the first (MPF), as phones write them."""
    first, second = (Image.fromarray(pattern(index)) for index in (0, 5))
    file = io.BytesIO()
    first.save(file, "MPO", save_all=True, append_images=[second], quality=95)
    return file.getvalue()


def png(width: int, height: int, bits: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG by hand: colour 0 grey, 2 RGB, 4 grey and alpha, 6 RGB and alpha; rows with filter bytes."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *((e[:4], e[4:]) for e in extra)]
    chunks += [(b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )  # fmt: skip


def png_bomb(side: int = 13_000) -> bytes:
    """169 million white pixels in a few kB: rows without colour, one bit each."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    data = png(side, side, 1, 0, b"")
    empty = zlib.compress(b"", 1)
    content = data.replace(struct.pack(">I", len(empty)) + b"IDAT" + empty, b"")
    start = content.index(b"IHDR") + 4 + 13 + 4
    chunk = struct.pack(">I", len(rows)) + b"IDAT" + rows
    return content[:start] + chunk + struct.pack(">I", zlib.crc32(b"IDAT" + rows)) + content[-12:]


def text_bomb(size: int = 64 * 2**20) -> bytes:
    """A PNG with a compressed text of 64 MiB."""
    text = PngInfo()
    text.add_text("Comment", "a" * size, zip=True)
    return picture("PNG", pnginfo=text)


def damaged(data: bytes, share: float, seed: int = 0, start: float = 0.1) -> bytes:
    """Bytes of the media (the `mdat`, or the file's middle) replaced at random."""
    at = data.index(b"mdat") + 4 if b"mdat" in data else int(start * len(data))
    end = at + int.from_bytes(data[at - 8 : at - 4], "big") - 8 if b"mdat" in data else len(data)
    generator = np.random.default_rng(seed)
    content = np.frombuffer(data, np.uint8).copy()
    places = generator.integers(at, min(end, len(data)), max(1, round(share * (end - at))))
    content[places] = generator.integers(0, 256, len(places), dtype=np.uint8)
    return content.tobytes()


def mutated(data: bytes, seed: int) -> bytes:
    """The same with a few bytes changed, cut out, put in or doubled: often near an end."""
    chance = random.Random(seed)
    made = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 3, 10])):
        near_start, near_end = chance.random() < 0.3, chance.random() < 0.5
        at = chance.randrange(len(made))
        if near_start:
            at = chance.randrange(min(len(made), 800))
        elif near_end:
            at = len(made) - 1 - chance.randrange(min(len(made), 1500))
        match chance.randrange(5):
            case 0:
                made[at] ^= 1 << chance.randrange(8)
            case 1:
                made[at : at + 4] = chance.choice(
                    [b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff"]
                )
            case 2:
                del made[at : at + chance.choice([1, 4, 100])]
            case 3:
                made[at:at] = chance.randbytes(chance.choice([1, 4, 100]))
            case _:
                made = made[: max(16, at)] if chance.random() < 0.3 else made
    return bytes(made)


@lru_cache
def seeds() -> dict[str, bytes]:
    """A small sound file of each kind, to be mutated."""
    fragmented = {"movflags": "frag_keyframe+empty_moov"}
    return {
        "mp4": video(patterns(8), 10, "libx264", sound=True),
        "fragments": video(patterns(8), 10, "libx264", container_options=fragmented),
        "mov": video(patterns(8), 10, "mjpeg", "mov", rotation=90),
        "matroska": video(patterns(8), 10, "mpeg4", "matroska"),
        "webm": video(patterns(8), 10, "libvpx", "webm"),
        "avi": video(patterns(8), 10, "mpeg4", "avi"),
        "jpeg": picture("JPEG"),
        "png": picture("PNG"),
        "webp": picture("WEBP"),
        "stereo": stereo_jpeg(),
    }


@lru_cache
def hostile() -> dict[str, tuple[bytes, str]]:
    """Files of the input policy, with the code of the refusal that each has to meet."""
    tiny = video(patterns(12, 64, 64), 240, "libx264", options={"g": "1"})
    return {
        "nothing": (b"", "EMPTY_INPUT"),
        "playlist": (b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n", "UNSUPPORTED_FORMAT"),
        "list of files": (b"ffconcat version 1.0\nfile 'other.mp4'\n", "UNSUPPORTED_FORMAT"),
        "SDP": (b"v=0\nc=IN IP4 0.0.0.0\nm=video 5004 RTP/AVP 96\n", "UNSUPPORTED_FORMAT"),
        "HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "UNSUPPORTED_FORMAT"),
        "FFV1": (clip("ffv1", "matroska"), "UNSUPPORTED_FORMAT"),
        "MP4 without its end": (clip("libx264")[:5000], "CORRUPT_MEDIA"),
        "damaged": (damaged(clip("libx264"), 0.5), "CORRUPT_MEDIA"),
        "sound": (sound("mp4"), "NO_VIDEO_STREAM"),
        "sound and cover": (sound_with_cover(), "NO_VIDEO_STREAM"),
        "8192x8192 SPS": (with_sps(h264_sps(8192, 8192)), "TOO_MANY_PIXELS"),
        "10 million sizes": (many_samples(b"stsz"), "TOO_MANY_FRAMES"),
        "10 million times": (many_samples(b"stts"), "TOO_MANY_FRAMES"),
        "10 million in a run": (fragments(1, 10_000_000), "TOO_MANY_FRAMES"),
        "1,801 frames": (remux(tiny, range(1801), Fraction(1, 240), "matroska"), "TOO_MANY_FRAMES"),
        "62 seconds": (video(patterns(62), 1), "TOO_LONG"),
        "another size": (two_sizes("mjpeg", "avi"), "RESOLUTION_CHANGED"),
        "9 tracks": (many_tracks(9), "TOO_MANY_STREAMS"),
        "62 pixels": (video(patterns(2, 62, 64)), "TOO_SMALL"),
        "oblique": (video([pattern()], matrix=(1, 1, -1, 1)), "UNSUPPORTED_FORMAT"),
        "1x1": (picture("PNG", np.zeros((1, 1, 3), np.uint8)), "TOO_SMALL"),
        "GIF": (animation("GIF"), "ANIMATED_IMAGE"),
        "APNG": (animation("PNG"), "ANIMATED_IMAGE"),
        "animated WebP": (animation("WEBP"), "ANIMATED_IMAGE"),
        "169 million pixels": (png_bomb(), "TOO_MANY_PIXELS"),
        "text": (text_bomb(), "CORRUPT_MEDIA"),
        "half a JPEG": (picture("JPEG")[:900], "CORRUPT_MEDIA"),
    }
