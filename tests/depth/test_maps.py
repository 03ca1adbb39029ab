"""Depth maps by name: which file is a frame's, and which files are no maps."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vivant.datasets.walk import STILL_ENDINGS, VIDEO_ENDINGS
from vivant.depth import maps
from vivant.depth.maps import DepthMaps
from vivant.errors import InputError

RAMP = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


def put(root: Path, name: str, pixels: np.ndarray = RAMP) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
    return path


def png(width: int, height: int, bits: int = 8, kind: int = 0) -> bytes:
    """A header that says so, and no pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunk


def test_a_map_is_found_by_path_and_time(tmp_path: Path) -> None:
    put(tmp_path, "Train_files/1_1_01_1/1033.png")
    found = DepthMaps(tmp_path).of("Train_files/1_1_01_1.avi", 1.0333, 4, 3)
    assert found is not None
    np.testing.assert_array_equal(found, RAMP)


def test_a_missing_map_is_none_and_never_zeros(tmp_path: Path) -> None:
    put(tmp_path, "a/100.png")
    for path, time_s in (("a.mp4", 0.2), ("b.mp4", 0.1), ("a/a.mp4", 0.1)):
        assert DepthMaps(tmp_path).of(path, time_s, 4, 3) is None


@pytest.mark.parametrize(
    ("time_s", "is_found"),
    [(0.0949, True), (0.1, True), (0.1051, True), (0.094, False), (0.106, False)],
)
def test_names_may_be_off_by_five_milliseconds(
    tmp_path: Path, time_s: float, is_found: bool
) -> None:
    put(tmp_path, "a/100.png")
    assert (DepthMaps(tmp_path).of("a.mov", time_s, 4, 3) is not None) is is_found


def test_of_several_the_nearest_is_taken_and_of_two_the_earlier(tmp_path: Path) -> None:
    for ms in (97, 99, 101):
        put(tmp_path, f"a/{ms}.png", np.full((3, 4), ms, np.uint8))
    for time_s, ms in ((0.096, 97), (0.0984, 99), (0.1, 99), (0.1002, 101), (0.104, 101)):
        found = DepthMaps(tmp_path).of("a.mov", time_s, 4, 3)
        assert found is not None
        assert found[0, 0] == ms


def test_only_an_ending_of_media_is_left_away(tmp_path: Path) -> None:
    assert maps._ENDINGS == VIDEO_ENDINGS | STILL_ENDINGS
    put(tmp_path, "attack/print/clip.v2/0.png")
    put(tmp_path, "003/003-1-1-1-1.m/0.png")
    assert DepthMaps(tmp_path).of("attack/print/clip.v2", 0.0, 4, 3) is not None
    assert DepthMaps(tmp_path).of("003/003-1-1-1-1.m.MOV", 0.0, 4, 3) is not None


@pytest.mark.parametrize(
    ("width_px", "height_px", "is_same_shape"),
    [(4, 3, True), (640, 480, True), (641, 480, True), (1920, 1080, False), (480, 640, False)],
)
def test_a_smaller_map_has_the_frames_shape(
    tmp_path: Path, width_px: int, height_px: int, is_same_shape: bool
) -> None:
    put(tmp_path, "a/0.png", np.full((240, 320), 7, np.uint8))
    if is_same_shape:
        found = DepthMaps(tmp_path).of("a.mp4", 0.0, width_px, height_px)
        assert found is not None
        assert found.shape == (240, 320)
    else:
        with pytest.raises(InputError, match=r"in the shape of its frame, .* got 320x240"):
            DepthMaps(tmp_path).of("a.mp4", 0.0, width_px, height_px)


def test_a_black_map_is_refused_for_it_would_mean_an_attack(tmp_path: Path) -> None:
    put(tmp_path, "a/0.png", np.zeros((3, 4), np.uint8))
    with pytest.raises(InputError, match="black all over, which means an attack: delete it"):
        DepthMaps(tmp_path).of("a.mp4", 0.0, 4, 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected a PNG"),
        (b"\xff\xd8\xff\xe0" + bytes(40), "expected a PNG"),
        (png(4, 3, kind=2), "got 8 bits of colour type 2"),
        (png(4, 3, bits=16), "got 16 bits of colour type 0"),
        (png(40_000, 40_000), "expected at most 9,437,184 pixels .*got 40000x40000"),
        (png(4, 3), "the map is damaged"),
        (png(0, 3), "the map is damaged"),
    ],
)
def test_what_is_no_map_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/0.png").write_bytes(data)
    with pytest.raises(InputError, match=message):
        DepthMaps(tmp_path).of("a.mp4", 0.0, 4, 3)


def test_colours_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "a/0.png", np.dstack([RAMP] * 3))
    with pytest.raises(InputError, match="write depth as one channel"):
        DepthMaps(tmp_path).of("a.mp4", 0.0, 4, 3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10_000), value=st.integers(0, 255), length=st.integers(0, 10_000))
def test_a_damaged_file_is_a_map_or_refused(
    tmp_path: Path, at: int, value: int, length: int
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (30, 40)).astype(np.uint8)
    path = put(tmp_path, "a/0.png", noise)
    data = bytearray(path.read_bytes())
    data[at % len(data)] = value
    path.write_bytes(data[: max(1, length % (2 * len(data)))])
    try:
        found = DepthMaps(tmp_path).of("a.mp4", 0.0, 40, 30)
    except InputError:
        return
    assert found is not None
    assert found.shape == (30, 40)


@pytest.mark.parametrize("path", ["/a.mp4", "../a.mp4", "a/../../b.mp4", "", "a\0.mp4"])
def test_paths_stay_below_the_root(tmp_path: Path, path: str) -> None:
    with pytest.raises(InputError, match="expected a path below the data set"):
        DepthMaps(tmp_path).of(path, 0.0, 4, 3)


@pytest.mark.parametrize("time_s", [-0.1, float("nan"), float("inf")])
def test_times_are_times(tmp_path: Path, time_s: float) -> None:
    with pytest.raises(InputError, match="expected a time of 0 seconds or more"):
        DepthMaps(tmp_path).of("a.mp4", time_s, 4, 3)


def test_the_root_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a folder of depth maps"):
        DepthMaps(tmp_path / "none")
