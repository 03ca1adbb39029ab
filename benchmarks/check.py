"""Times `Session.check` on a 10 s 720p clip against decoding that clip alone, in one run.

    make bench
    .venv/bin/python benchmarks/check.py [CLIP] [--repeats 7]

Decoding alone is what PyAV takes to give every frame of the file, without turning it into RGB, on
one thread, in this process. The check decodes in a process of its own, finds and follows the face,
measures it, cuts W = 4 clips of 5 frames and runs an untrained `lite`; the network's time is taken
off. Both take turns. benchmarks/README.md keeps results.
"""

import argparse
import io
import os
import platform
import tempfile
import time
from pathlib import Path
from statistics import median

import av
import cv2
import numpy as np
import skimage.data

from vivant.networks.checkpoint import save_checkpoint
from vivant.networks.models import lite
from vivant.networks.network import Network
from vivant.records import NUM_WINDOWS
from vivant.session.session import Session
from vivant.session.verdict import Timings

NUM_FRAMES, RATE = 300, 30


def make_clip() -> bytes:
    """Ten seconds of 1280x720: a face that sways, with a camera's noise, as phones code it."""
    picture = cv2.resize(skimage.data.astronaut(), (900, 900), interpolation=cv2.INTER_CUBIC)
    generator = np.random.default_rng(0)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for i in range(NUM_FRAMES):
            shift = np.array([[1, 0, 200 + 30 * np.sin(i / 25)], [0, 1, 15 * np.cos(i / 31) - 20]])
            frame = cv2.warpAffine(picture, shift, (1280, 720), borderMode=cv2.BORDER_REFLECT)
            noisy = frame + generator.normal(0, 3, frame.shape)
            pixels = noisy.clip(0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        container.mux(stream.encode(None))
    return file.getvalue()


def decode_alone(data: bytes) -> float:
    started_s = time.perf_counter()
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        num_frames = len([None for _ in container.decode(stream)])
    assert num_frames
    return time.perf_counter() - started_s


def check(session: Session, data: bytes) -> Timings:
    verdict = session.check(data)
    assert len(verdict.windows) == NUM_WINDOWS, verdict.reasons
    return verdict.timings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clip", nargs="?", type=Path, help="a video (default: one is made)")
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    data = arguments.clip.read_bytes() if arguments.clip else make_clip()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, PyAV {av.__version__}, "
        f"{len(data) / 2**20:.1f} MiB, W = {NUM_WINDOWS}, median of {arguments.repeats} after one"
    )
    with tempfile.TemporaryDirectory() as folder:
        card = save_checkpoint(Network(lite()), Path(folder), "lite")
        with Session.open(card) as session:
            decode_alone(data), check(session, data)
            alone, checks = [], []
            for _ in range(arguments.repeats):
                alone.append(decode_alone(data))
                checks.append(check(session, data))
    outside = [timings.total_s - timings.network_s for timings in checks]
    for label, seconds in (
        ("decoding alone", alone),
        ("check without the network", outside),
        ("  of it: waiting for frames", [t.decode_s for t in checks]),
        ("  of it: faces and crops", [t.faces_s for t in checks]),
        ("the network (lite, torch)", [t.network_s for t in checks]),
    ):
        print(f"{label:30} {median(seconds):7.3f} s  ({min(seconds):.3f} to {max(seconds):.3f})")
    ratios = [one / other for one, other in zip(outside, alone, strict=True)]
    print(f"check without the network / decoding alone: {median(ratios):.2f}")


if __name__ == "__main__":
    main()
