"""Preparing videos with the local pool against Ray on the same machine, at 1 and 2 workers.

    make bench
    .venv/bin/python benchmarks/scale.py [--videos 400] [--repeats 3] [--workers 1 2]

The videos are 2 s of 640x480 each, eight different ones, named again and again. Both engines do the
same work (`preparation.presentation.preparer`, files isolated) and hand their results to the same
loop, which stores nothing. Throughput counts from when a tenth is done to the end, so that
start-up (processes, imports, models) is apart: it is what the first tenth took beyond that rate.
The cluster is started once: its time is told by itself. benchmarks/README.md keeps results.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import ray
import skimage.data

from vivant.attacks.recording import write_video
from vivant.distributed.cluster import connected
from vivant.distributed.engine import RayEngine
from vivant.parallel import Failure, in_processes
from vivant.preparation.presentation import preparer
from vivant.preparation.record import PreparedPresentation
from vivant.preparation.settings import PreparationSettings
from vivant.records import Label, Presentation

NUM_FRAMES, RATE = 60, 30
NUM_DIFFERENT = 8
Engine = Callable[..., Iterator[tuple[Presentation, PreparedPresentation | Failure]]]


def make_videos(folder: Path, num_videos: int) -> list[Presentation]:
    """A face of 150 pixels that sways, with a camera's noise."""
    picture = cv2.resize(skimage.data.astronaut(), (700, 700), interpolation=cv2.INTER_CUBIC)
    generator = np.random.default_rng(0)
    rows = []
    for number in range(num_videos):
        path = folder / f"{number}.mp4"
        if number < NUM_DIFFERENT:
            frames = []
            for i in range(NUM_FRAMES):
                x, y = 20 + 25 * np.sin(i / 25 + number), 12 * np.cos(i / 31 + number) - 20
                shift = np.array([[1, 0, x], [0, 1, y]])
                frame = cv2.warpAffine(picture, shift, (640, 480), borderMode=cv2.BORDER_REFLECT)
                noisy = frame + generator.normal(0, 3, frame.shape)
                frames.append(noisy.clip(0, 255).astype(np.uint8))
            write_video(path, frames, RATE, crf=18)
        else:
            path.hardlink_to(folder / f"{number % NUM_DIFFERENT}.mp4")
        rows.append(Presentation(path.name, Label.BONA_FIDE, None))
    return rows


def timed(
    engine: Engine, work: Any, rows: Sequence[Presentation], num_workers: int
) -> tuple[float, float]:
    """Videos a second once it runs, and the seconds that it took beyond."""
    times_s = [time.perf_counter()]
    for row, result in engine(work, rows, num_workers):
        assert isinstance(result, PreparedPresentation), row
        assert len(result.frames) > 0, (row, result.refusal, result.message)
        times_s.append(time.perf_counter())
    tenth = len(rows) // 10
    rate = (len(rows) - tenth) / (times_s[-1] - times_s[tenth])
    return rate, times_s[tenth] - times_s[0] - tenth / rate


def report(name: str, found: Sequence[tuple[float, float]]) -> float:
    rates, starts = [rate for rate, _ in found], [start for _, start in found]
    spread = f"{min(rates):.2f} to {max(rates):.2f}"
    print(f"{name:18} {median(rates):6.2f} videos/s ({spread}), start-up {median(starts):4.1f} s")
    return median(rates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--videos", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, ray "
          f"{ray.__version__}; median of {options.repeats}, {options.videos} videos")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        rows = make_videos(root, options.videos)
        work = partial(preparer, root, PreparationSettings())
        started_s = time.perf_counter()
        with connected(None):
            print(f"the cluster starts in {time.perf_counter() - started_s:.1f} s")
            for num_workers in options.workers:
                compare(work, rows, num_workers, options.repeats)


def compare(work: Any, rows: Sequence[Presentation], num_workers: int, repeats: int) -> None:
    """In turn: what disturbs the machine for a while disturbs both."""
    engines: Iterable[tuple[str, Engine]] = (("local", in_processes), ("ray", RayEngine()))
    found: dict[str, list[tuple[float, float]]] = {name: [] for name, _ in engines}
    for _ in range(repeats):
        for name, engine in engines:
            found[name].append(timed(engine, work, rows, num_workers))
    plural = "s" * (num_workers != 1)
    local = report(f"local, {num_workers} worker{plural}", found["local"])
    cluster = report(f"ray, {num_workers} worker{plural}", found["ray"])
    ratios = [there[0] / here[0] for here, there in zip(found["local"], found["ray"], strict=True)]
    print(f"ray against local: {cluster / local:.2f} (pairs: {min(ratios):.2f} to "
          f"{max(ratios):.2f})")  # fmt: skip


if __name__ == "__main__":
    main()
