import os
import subprocess
import sys

from PIL import Image

from forged import animation, picture, png, stereo_jpeg, text_bomb
from media import clip, pattern, video
from vivant.video import worker
from vivant.video.limits import VideoLimits


def run(script: str, given: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_process_has_one_thread_when_it_is_locked() -> None:
    # A lock holds for the thread that puts it on, and for those that it starts later.
    script = (
        "import os; from vivant.video import worker; worker._warm_up(); "
        "print(len(os.listdir('/proc/self/task')))"
    )
    assert run(script) == "1"


def test_decoding_imports_nothing_after_the_warm_up() -> None:
    # What is imported later cannot be, once files are shut; the same file would fare otherwise.
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = png(64, 64, 16, 0, bytes(129 * 64))
    sound_files = [
        picture("JPEG", exif=exif), picture("PNG", exif=exif), picture("WEBP", exif=exif),
        picture("PNG", mode="P"), picture("JPEG", mode="CMYK"), picture("PNG", mode="LA"), deep,
        stereo_jpeg(), animation("PNG"), animation("WEBP"), text_bomb(2**21), clip("mjpeg", "avi"),
        clip("libx264", "matroska"), clip("libvpx-vp9", "webm"), clip("libsvtav1"),
        video([pattern()], rotation=90),
    ]  # fmt: skip
    files = [data[:end] for data in sound_files for end in (len(data), len(data) // 2, 60)]
    script = """
import sys
from contextlib import suppress
from vivant.errors import MediaError
from vivant.video import worker
from vivant.video.frames import read_media
from vivant.video.limits import VideoLimits
files = [bytes.fromhex(line) for line in sys.stdin]
worker._warm_up()
before = set(sys.modules)
for data in files:
    with suppress(MediaError):
        list(read_media(data, 0.1, VideoLimits()).frames)
print(len(files), sorted(set(sys.modules) - before))
"""
    assert run(script, "\n".join(data.hex() for data in files)) == f"{len(files)} []"


def test_peak_is_read_from_an_open_file() -> None:
    status = os.open("/proc/self/status", os.O_RDONLY)
    try:
        before = worker._peak_bytes(status)
        kept = bytearray(256 * 2**20)
        after = worker._peak_bytes(status)
    finally:
        os.close(status)
    assert 2**20 < before <= after
    assert after >= len(kept)


def test_lack_of_memory_names_its_limit() -> None:
    message = worker._out_of_memory(VideoLimits(max_memory_bytes=300 * 2**20))
    assert message["code"] == "RESOURCE_LIMIT"
    assert "300 MiB (max_memory_bytes)" in str(message["message"])
