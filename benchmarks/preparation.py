"""Times the preparation of 720p videos by its parts, many processes against one, and reading clips.

    make bench
    .venv/bin/python benchmarks/preparation.py [--videos 8] [--repeats 5] [--workers 2]

Parts: decoding alone is PyAV in this process, every frame, RGB of those that are looked at.
Detector, mesh, depth and encoding are timed where `Preparer` calls them, in processor time of this
process; what is left of its processor time is measuring the face, cutting, and taking frames out of
the shared memory. Whole runs are of `prepare` into a new store, in wall time. Reading is one
process, clips of 5 frames in random order. benchmarks/README.md keeps results.
"""

import argparse
import os
import platform
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import skimage.data

from vivant.attacks.recording import write_video
from vivant.preparation.clips import ClipStore, decode
from vivant.preparation.manifest import current_manifest
from vivant.preparation.presentation import Preparer, preparer
from vivant.preparation.run import prepare
from vivant.preparation.settings import PreparationSettings
from vivant.preparation.store import Store
from vivant.records import Label, Presentation
from vivant.video.frames import read_media

NUM_FRAMES, RATE = 120, 30
NUM_CLIPS, NUM_DECODED = 1000, 320


def make_videos(folder: Path, num_videos: int) -> list[Presentation]:
    """Four seconds of 1280x720 each: a face of 190 pixels that sways, with a camera's noise."""
    picture = cv2.resize(skimage.data.astronaut(), (900, 900), interpolation=cv2.INTER_CUBIC)
    generator = np.random.default_rng(0)
    rows = []
    for number in range(num_videos):
        frames = []
        for i in range(NUM_FRAMES):
            x, y = 200 + 30 * np.sin(i / 25 + number), 15 * np.cos(i / 31 + number) - 20
            shift = np.array([[1, 0, x], [0, 1, y]])
            frame = cv2.warpAffine(picture, shift, (1280, 720), borderMode=cv2.BORDER_REFLECT)
            noisy = frame + generator.normal(0, 3, frame.shape)
            frames.append(noisy.clip(0, 255).astype(np.uint8))
        write_video(folder / f"{number}.mp4", frames, RATE, crf=18)
        rows.append(Presentation(f"{number}.mp4", Label.BONA_FIDE, None))
    return rows


class Stopwatch:
    """Adds up the processor time that functions take."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def of(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            started_s = time.process_time()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds[name] += time.process_time() - started_s

        return timed


def parts(root: Path, rows: Sequence[Presentation], repeats: int) -> None:
    """Milliseconds of a look, by what they are spent on."""
    settings = PreparationSettings()
    found: list[dict[str, float]] = []
    num_looks = 0
    for _ in range(repeats):
        watch = Stopwatch()
        work = Preparer(root, settings)
        eyes: Any = work._eyes
        eyes.detector.detect = watch.of("detector (every third look)", eyes.detector.detect)
        eyes.mesh.fit = watch.of("mesh", eyes.mesh.fit)
        any_work: Any = work
        any_work._depth = watch.of("depth map, with its PNG", work._depth)
        any_work._encode = watch.of("JPEG", work._encode)
        started_s = time.process_time()
        num_looks = sum(work(row).num_looks for row in rows)
        watch.seconds["all but decoding"] = time.process_time() - started_s
        known = sum(watch.seconds.values()) - watch.seconds["all but decoding"]
        watch.seconds["measuring, cutting, taking frames"] = (
            watch.seconds["all but decoding"] - known
        )
        started_s = time.process_time()
        for row in rows:
            data = (root / row.path).read_bytes()
            assert list(read_media(data, settings.interval_s, settings.video_limits).frames)
        watch.seconds["decoding, were it here too"] = time.process_time() - started_s
        work.close()
        found.append(watch.seconds)
    print(f"\nprocessor time of a look, {num_looks} looks, median of {repeats}:")
    for name in sorted(found[0], key=lambda name: -found[0][name]):
        each = [1000 * seconds[name] / num_looks for seconds in found]
        print(f"  {name:36} {median(each):6.2f} ms  ({min(each):.2f} to {max(each):.2f})")
    rates = [num_looks / seconds["all but decoding"] for seconds in found]
    print(f"  frames a second and core, all but decoding: {median(rates):.0f}")


def whole(root: Path, rows: Sequence[Presentation], num_workers: int, repeats: int) -> Path:
    """Videos in a second, from files to the store."""
    settings = PreparationSettings()
    seconds: dict[int, list[float]] = {1: [], num_workers: []}
    folder = root
    for repeat in range(repeats):
        for workers in seconds:
            folder = root / f"store_{repeat}_{workers}"
            store = Store.create(folder, current_manifest("folder", settings, is_synthetic=False))
            started_s = time.perf_counter()
            for outcome in prepare(rows, store, partial(preparer, root, settings), workers):
                assert outcome.num_frames, outcome.message
            seconds[workers].append(time.perf_counter() - started_s)
    print(f"\nwhole runs of {len(rows)} videos, start of the processes included:")
    for workers, each in seconds.items():
        rate = len(rows) / median(each)
        print(f"  {workers} workers: {rate:.2f} videos/s, {rate * NUM_FRAMES / 3:.0f} looks/s")
    ratios = [one / many for one, many in zip(seconds[1], seconds[num_workers], strict=True)]
    print(f"  {num_workers} workers / 1: {median(ratios):.2f} times as fast")
    return folder


def reading(folder: Path, repeats: int) -> None:
    """Clips in a second out of a store."""
    clips = ClipStore(folder)
    of_rows = [clips.windows(row.path, row.max_frames) for row in clips.presentations]
    usable = [of_row for of_row in of_rows if of_row]
    if not usable:
        raise SystemExit(f"{folder} has no clips")
    generator = np.random.default_rng(0)
    owners = [usable[at] for at in generator.integers(len(usable), size=NUM_CLIPS)]
    windows = [of_row[generator.integers(len(of_row))] for of_row in owners]
    raw_rates, sides = [], []
    rates: dict[int, list[float]] = {1: [], 2: []}
    cut_clip = partial(decode, scale=1.3, side_px=224)
    for _ in range(repeats):
        started_s = time.perf_counter()
        batches = [clips.read(windows[at : at + 32]) for at in range(0, NUM_CLIPS, 32)]
        raw_rates.append(NUM_CLIPS / (time.perf_counter() - started_s))
        raw = [clip for batch in batches for clip in batch]
        sides = [square.side_px for clip in raw for square in clip.squares]
        for num_threads, found in rates.items():
            with ThreadPoolExecutor(num_threads) as threads:
                started_s = time.perf_counter()
                for at in range(0, NUM_DECODED, 32):
                    batch = clips.read(windows[at : at + 32])
                    assert len(list(threads.map(cut_clip, batch))) == len(batch)
                found.append((at + len(batch)) / (time.perf_counter() - started_s))
    print(f"\nclips of 5 frames and depths out of a store, squares of {median(sides):.0f} pixels:")
    print(f"  raw {median(raw_rates):,.0f} clips/s")
    for num_threads, found in rates.items():
        print(f"  decoded and cut, {num_threads} threads: {median(found):,.0f} clips/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--videos", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--store", type=Path, help="read from this one instead")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    print(f"{platform.machine()}, {os.cpu_count()} cores, OpenCV {cv2.__version__}")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        rows = make_videos(root, arguments.videos)
        parts(root, rows, arguments.repeats)
        store = whole(root, rows, arguments.workers, arguments.repeats)
        reading(arguments.store or store, arguments.repeats)


if __name__ == "__main__":
    main()
