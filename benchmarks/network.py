"""Times the network: the naive Grad-CAM, the closed form, and ONNX Runtime, as ratios in one run.

    make bench
    .venv/bin/python benchmarks/network.py [--repeats 7] [--models lite model_d]

Naive is what the paper's text suggests: a backward pass from the score through the whole Advisor,
and the anchors from the gradient at F. All ways see the same clips; they take turns, so that a busy
machine slows each alike. Medians are of wall time for one clip; benchmarks/README.md keeps results.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch

from vivant.export.onnx import export_onnx
from vivant.networks.advisor import Advisor, AdvisorOutput
from vivant.networks.checkpoint import load_checkpoint, save_checkpoint
from vivant.networks.config import NetworkConfig
from vivant.networks.gradcam import GradCam
from vivant.networks.models import lite, model_d
from vivant.networks.network import Network
from vivant.networks.preprocessing import Normalise
from vivant.runtimes.onnx import OnnxRunner
from vivant.runtimes.torch import TorchRunner

MODELS = {"lite": lite, "model_d": model_d}


class NaiveGradCam(GradCam):
    """Backward through the Advisor, weights and all, as a hook-based Grad-CAM does."""

    def forward(self, advisor: Advisor, output: AdvisorOutput) -> torch.Tensor:
        output.features.retain_grad()
        logits = output.logits
        predicted = logits.argmax(1)
        rows = torch.arange(len(logits))
        (logits[rows, predicted] - logits[rows, 1 - predicted]).sum().backward()
        gradient = output.features.grad
        assert gradient is not None
        alpha = gradient.mean((3, 4), keepdim=True)
        return (alpha * output.features).sum(2).detach()


def naive_runner(card: Path) -> Callable[[np.ndarray], object]:
    network, _ = load_checkpoint(card)
    network.gradcam = NaiveGradCam()
    normalise = Normalise.of(network.advisor.backbone)

    def run(clips: np.ndarray) -> object:
        network.zero_grad()
        return network(normalise(torch.from_numpy(clips))).bona_fide_score.detach()

    return run


def measure(name: str, config: NetworkConfig, repeats: int, folder: Path) -> None:
    torch.manual_seed(0)
    card = save_checkpoint(Network(config), folder, name)
    graph, report = export_onnx(card, folder)
    ways: dict[str, Callable[[np.ndarray], object]] = {
        "naive Grad-CAM, torch": naive_runner(card),
        "closed form, torch": TorchRunner(card).run,
        "closed form, ONNX Runtime": OnnxRunner(graph).run,
    }
    shape = (1, config.num_frames, config.crop_side_px, config.crop_side_px, 3)
    clips = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    times: dict[str, list[float]] = {way: [] for way in ways}
    for repeat in range(repeats + 1):  # The first round warms up.
        for way, run in ways.items():
            start = time.perf_counter()
            run(clips)
            if repeat:
                times[way].append(time.perf_counter() - start)
    slowest = median(times["naive Grad-CAM, torch"])
    print(f"\n{name}: one clip, median of {repeats}, parity {report.logit_difference:.1e}\n")
    print("| way | ms a clip | least | most | times as fast |\n|---|---|---|---|---|")
    for way, values in times.items():
        ms = [1000 * value for value in (median(values), min(values), max(values))]
        ratio = slowest / median(values)
        print(f"| {way} | {ms[0]:.0f} | {ms[1]:.0f} | {ms[2]:.0f} | {ratio:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    arguments = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__} with "
        f"{torch.get_num_threads()} threads, Python {platform.python_version()}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.models:
            measure(name, MODELS[name](), arguments.repeats, Path(folder))


if __name__ == "__main__":
    main()
