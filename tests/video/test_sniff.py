import pytest

from forged import animation, picture
from media import clip
from vivant.errors import MediaError, Refusal
from vivant.video.sniff import sniff


def test_content_says_what_a_file_is() -> None:
    known = {
        "MP4": (clip(), "mp4", True),
        "MOV": (clip("mpeg4", "mov"), "mp4", True),
        "Matroska": (clip("libx264", "matroska"), "matroska", True),
        "WebM": (clip("libvpx", "webm"), "matroska", True),
        "AVI": (clip("mjpeg", "avi"), "avi", True),
        "JPEG": (picture("JPEG"), "jpeg", False),
        "PNG": (picture("PNG"), "png", False),
        "WebP": (picture("WEBP"), "webp", False),
        "box of nothing first": (b"\0\0\0\x08wide\0\0\0\0mdat", "mp4", True),
        "index first": (b"\0\0\x10\0moov", "mp4", True),
    }
    for which, (data, name, is_video) in known.items():
        for content in (data, data[:64]):
            kind = sniff(content)
            assert (kind.name, kind.is_video) == (name, is_video), which


NOT_READ = {
    "HLS playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\nhttp://127.0.0.1/a.ts\n",
    "HLS playlist of a local file": b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n",
    "list of files": b"ffconcat version 1.0\nfile 'other.mp4'\n",
    "SDP": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 0.0.0.0\nm=video 5004 RTP/AVP 96\n",
    "DASH manifest": b"<?xml version='1.0'?><MPD></MPD>",
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "TIFF": b"II*\0" + bytes(60),
    "BMP": b"BM" + bytes(60),
    "PFM": b"PF\n1 1\n-1.0\n" + bytes(12),
    "MPEG-TS": b"G" + bytes(187),
    "FLV": b"FLV\1\5" + bytes(60),
    "Ogg": b"OggS" + bytes(60),
    "WAV": b"RIFF\x24\0\0\0WAVEfmt " + bytes(40),
    "ASF": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
    "text": b"ftyp",
    "one byte": b"\0",
}


@pytest.mark.parametrize("data", NOT_READ.values(), ids=NOT_READ.keys())
def test_what_is_not_read_is_refused(data: bytes) -> None:
    with pytest.raises(MediaError, match=r"expected a video .* or a still picture") as caught:
        sniff(data)
    assert caught.value.code == Refusal.UNSUPPORTED_FORMAT


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis"])
def test_heic_and_avif_are_refused_with_advice(brand: bytes) -> None:
    for data in (
        b"\0\0\0\x18ftyp" + brand + bytes(4) + b"mif1heic",
        b"\0\0\0\x18ftyp" + brand + bytes(4) + b"miafMiHB",
    ):
        with pytest.raises(MediaError, match="save it as JPEG or PNG") as caught:
            sniff(data)
        assert caught.value.code == Refusal.UNSUPPORTED_FORMAT


def test_heic_is_known_by_its_other_brands() -> None:
    with pytest.raises(MediaError, match="HEIC or AVIF"):
        sniff(b"\0\0\0\x1cftypXXXX" + bytes(4) + b"isomheicmp42")


def test_nothing_is_refused_as_empty() -> None:
    with pytest.raises(MediaError, match="0 bytes") as caught:
        sniff(b"")
    assert caught.value.code == Refusal.EMPTY_INPUT


def test_gif_is_refused_as_an_animation() -> None:
    with pytest.raises(MediaError, match="is a GIF") as caught:
        sniff(animation("GIF"))
    assert caught.value.code == Refusal.ANIMATED_IMAGE
