import struct

import numpy as np
import pytest
from PIL import Image

from forged import animation, picture, png, png_bomb, stereo_jpeg, text_bomb
from media import pattern
from vivant.errors import MediaError, Refusal
from vivant.video.limits import VideoLimits
from vivant.video.sniff import sniff
from vivant.video.still import decode_still

LIMITS = VideoLimits()
ORIENTATION = 0x0112
PIXELS = pattern(3)  # 64 x 96.
HEIGHT, WIDTH, _ = PIXELS.shape


def decode(data: bytes, limits: VideoLimits = LIMITS) -> np.ndarray:
    return decode_still(data, sniff(data), limits)


def refusal(data: bytes, limits: VideoLimits = LIMITS) -> MediaError:
    with pytest.raises(MediaError) as caught:
        decode(data, limits)
    return caught.value


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_orientation_comes_upright(kind: str, orientation: int) -> None:
    # How a camera that is held so stores the picture: the inverse of what a viewer does.
    stored = {
        1: PIXELS,
        2: PIXELS[:, ::-1],
        3: PIXELS[::-1, ::-1],
        4: PIXELS[::-1],
        5: PIXELS.transpose(1, 0, 2),
        6: np.rot90(PIXELS, 1),
        7: PIXELS[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(PIXELS, -1),
    }[orientation]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"PNG": {}, "JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}
    data = picture(kind, np.ascontiguousarray(stored), exif=exif, **options[kind])
    shown = decode(data)
    assert shown.shape == PIXELS.shape
    assert abs(shown.astype(int) - PIXELS).mean() < 2


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_unknown_orientation_is_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    assert (decode(picture("PNG", exif=exif)) == pattern()).all()


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("PNG", "1", {}), ("PNG", "L", {}), ("PNG", "P", {}), ("PNG", "RGB", {}), ("PNG", "RGBA", {}),
        ("PNG", "LA", {}), ("JPEG", "L", {}), ("JPEG", "CMYK", {"quality": 95}),
        ("WEBP", "RGBA", {"lossless": True}), ("WEBP", "RGB", {"quality": 95}),
        ("JPEG", "RGB", {"progressive": True, "quality": 95}),
    ],
)  # fmt: skip
def test_every_mode_becomes_rgb(kind: str, mode: str, options: dict[str, object]) -> None:
    shown = decode(picture(kind, PIXELS, mode, **options))
    expected = np.asarray(Image.fromarray(PIXELS).convert(mode).convert("RGB"))
    assert (shown.shape, shown.dtype) == (PIXELS.shape, np.uint8)
    assert abs(shown.astype(int) - expected).mean() < 3


def test_sixteen_bits_of_grey_are_scaled_and_not_clipped() -> None:
    grey = np.linspace(0, 65535, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in grey)
    shown = decode(png(WIDTH, HEIGHT, 16, 0, rows))
    np.testing.assert_array_equal(shown, np.repeat((grey // 256)[..., None], 3, axis=2))


@pytest.mark.parametrize("colour", [2, 6])
def test_sixteen_bits_of_colour_are_scaled(colour: int) -> None:
    deep = PIXELS.astype(np.uint16) * 257
    if colour == 6:
        deep = np.dstack([deep, np.full((HEIGHT, WIDTH), 65535, np.uint16)])
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    np.testing.assert_array_equal(decode(png(WIDTH, HEIGHT, 16, colour, rows)), PIXELS)


def transparent_pictures() -> dict[str, bytes]:
    clear = np.dstack([PIXELS, np.full((HEIGHT, WIDTH), 255, np.uint8)])
    clear[5, 7, 3] = 254  # One pixel, hardly.
    grey = np.zeros((HEIGHT, 1 + 2 * WIDTH), np.uint8).tobytes()
    return {
        "RGBA": picture("PNG", clear),
        "WebP": picture("WEBP", clear, lossless=True),
        "grey and alpha": picture("PNG", clear[..., [0, 3]]),
        "palette": picture("PNG", PIXELS, "P", transparency=bytes(256)),
        "a colour": picture("PNG", PIXELS, transparency=tuple(int(v) for v in PIXELS[0, 0])),
        "deep grey": png(WIDTH, HEIGHT, 16, 0, grey, b"tRNS\0\0"),
    }


@pytest.mark.parametrize("which", transparent_pictures())
def test_transparency_is_refused(which: str) -> None:
    error = refusal(transparent_pictures()[which])
    assert error.code == Refusal.UNSUPPORTED_FORMAT
    assert "transparent" in str(error)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animation_is_refused(kind: str) -> None:
    assert refusal(animation(kind)).code == Refusal.ANIMATED_IMAGE


def test_jpeg_with_more_pictures_inside_is_a_still() -> None:
    # Phones put a depth map, a gain map or a preview behind the picture (MPF).
    assert abs(decode(stereo_jpeg()).astype(int) - pattern(0)).mean() < 4


@pytest.mark.parametrize(
    ("size", "code"),
    [
        ((1, 1), Refusal.TOO_SMALL), ((62, 200), Refusal.TOO_SMALL), ((200, 63), Refusal.TOO_SMALL),
        ((8193, 64), Refusal.TOO_MANY_PIXELS), ((5001, 5000), Refusal.TOO_MANY_PIXELS),
    ],
)  # fmt: skip
def test_size_is_checked_before_a_pixel_is_decoded(size: tuple[int, int], code: Refusal) -> None:
    assert refusal(png(*size, 8, 0, b"")).code == code


def test_smallest_and_widest_pictures_are_read() -> None:
    for width, height in ((64, 64), (8192, 64)):
        rows = bytes(1 + width) * height
        assert decode(png(width, height, 8, 0, rows)).shape == (height, width, 3)


def test_bomb_of_169_million_pixels_is_refused() -> None:
    data = png_bomb()
    assert len(data) < 50_000
    assert refusal(data).code == Refusal.TOO_MANY_PIXELS


def test_size_beyond_pillows_own_limit_is_the_same_refusal() -> None:
    assert refusal(png(60_000, 60_000, 8, 0, b"")).code == Refusal.TOO_MANY_PIXELS
    webp = bytearray(animation("WEBP"))
    at = webp.index(b"VP8X") + 12
    webp[at : at + 6] = b"\xfe\x3f\0" * 2
    assert refusal(bytes(webp)).code == Refusal.TOO_MANY_PIXELS


def test_bomb_of_text_is_refused() -> None:
    data = text_bomb()
    assert len(data) < 100_000
    assert refusal(data).code == Refusal.CORRUPT_MEDIA


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.98])
def test_picture_that_is_cut_off_is_refused(kind: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = picture(kind, noise)
    error = refusal(data[: max(16, int(share * len(data)))])
    assert error.code == Refusal.CORRUPT_MEDIA
    assert "object at" not in str(error)


@pytest.mark.parametrize(
    "start", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x64\0\0\0WEBPVP8 "]
)
def test_junk_behind_a_true_beginning_is_refused(start: bytes) -> None:
    error = refusal(start + bytes(range(200)))
    assert error.code == Refusal.CORRUPT_MEDIA
    assert "object at" not in str(error)


def test_damaged_checksum_is_refused() -> None:
    data = bytearray(picture("PNG"))
    data[data.index(b"IDAT") + 20] ^= 1
    assert refusal(bytes(data)).code == Refusal.CORRUPT_MEDIA


def test_damaged_exif_does_not_escape() -> None:
    header = b"Exif\0\0II*\0" + struct.pack("<IHHHII", 8, 1, ORIENTATION, 99, 2**31, 2**31)
    data = picture("JPEG", exif=header)
    assert decode(data).shape == (64, 96, 3)
