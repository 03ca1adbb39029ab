"""Times a network in every way that this machine has: ratios of one run, ways taking turns."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from jaxtyping import UInt8

from vivant.bench.film import film
from vivant.bench.floor import peak_gmacs
from vivant.bench.machine import Machine, this_machine
from vivant.bench.naive import NaiveNetwork
from vivant.bench.streaming import Streaming, time_stream
from vivant.bench.ways import Way, ways
from vivant.errors import MissingExtraError
from vivant.export.export import export_graph
from vivant.export.judged_clips import JudgedClips
from vivant.export.parity import compare
from vivant.networks.card import Arithmetic, read_card
from vivant.networks.checkpoint import load_checkpoint, save_checkpoint
from vivant.networks.config import NetworkConfig
from vivant.networks.network import Network
from vivant.networks.preprocessing import Normalise
from vivant.networks.summary import summarise
from vivant.records import Frame, Scores
from vivant.runtimes.runner import Runner
from vivant.runtimes.torch import TorchRunner
from vivant.session.clip import to_batch
from vivant.session.session import Session
from vivant.session.stream import Stream

__all__ = ["NAIVE", "Bench", "Line", "made_up_checkpoint", "run_bench"]

NAIVE = "naive"
_CALIBRATION_S = 3.0
Tell = Callable[[str], None]
Clips = tuple[UInt8[np.ndarray, "b n _ _ 3"], ...]
"""What `Runner.run` takes."""


@dataclass(frozen=True, slots=True)
class Line:
    """One way to run the network."""

    way: str
    ms: float
    """Of one clip, median."""
    least_ms: float
    most_ms: float
    clips_per_s: float
    times_as_fast: float
    """As the naive way, medians of one run."""
    of_floor: float | None
    """Rate of multiply-adds, as a share of the best convolution's in the same runtime and
    precision; None for the naive way."""
    memory_mib: float | None
    """Largest resident set of a process that runs it alone; None where that was not measured."""
    logit_difference: float | None
    """From eager float32, as a share of the largest logit."""
    score_difference: float | None
    same_anchors: float | None
    """Share of frames with the same anchor set."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A run."""

    machine: Machine
    model: str
    gmacs: float
    """Of one clip."""
    repeats: int
    lines: tuple[Line, ...]
    streaming: tuple[Streaming, ...]


def run_bench(
    checkpoint: Path,
    *,
    repeats: int = 7,
    num_threads: int = 0,
    compiled: bool = False,
    stream_s: float = 0.0,
    tell: Tell = lambda what: None,
) -> Bench:
    """Measure.

    Args:
        checkpoint: Its card.
        repeats: Clips for each way; one more warms up.
        num_threads: Of the network; 0: one a core.
        compiled: Whether torch.compile is timed too.
        stream_s: How long a film is streamed in each way; 0: none.
        tell: Is told what comes next.
    """
    card = read_card(checkpoint)
    interval_s = card.preprocessing.frame_interval_s
    if num_threads:
        torch.set_num_threads(num_threads)
    network, _ = load_checkpoint(checkpoint)
    naive = NaiveNetwork(
        network, Normalise(card.preprocessing.mean_rgb, card.preprocessing.std_rgb)
    )
    tell("drawing a film")
    frames = list(film(max(stream_s, _CALIBRATION_S), interval_s))
    with tempfile.TemporaryDirectory() as folder:
        tell("exporting")
        clips = _clips(checkpoint, frames)
        graphs = _graphs(checkpoint, clips, Path(folder), tell)
        known = ways(checkpoint, graphs, num_threads, compiled=compiled)
        runners: dict[Way, Runner] = {}
        for way in known:
            tell(f"opening {way.name}")
            runners[way] = way.build()
        tell("timing clips")
        clip = tuple(each[:1] for each in clips)
        work: dict[str, Callable[[], object]] = {
            NAIVE: lambda: naive.run(*(each[0] for each in clip))
        }
        for way, runner in runners.items():
            work[way.name] = lambda runner=runner: runner.run(*clip)  # type: ignore[misc]
        times = _take_turns(work, repeats)
        gmacs = summarise(card.architecture)[-1].gmacs
        reference = next(iter(runners.values())).run(*clips)
        slowest = median(times[NAIVE])
        lines = [_line(NAIVE, times[NAIVE], slowest)]
        for way, runner in runners.items():
            tell(f"the floor of {way.name}")
            rate = gmacs / median(times[way.name])
            lines.append(
                _line(
                    way.name,
                    times[way.name],
                    slowest,
                    of_floor=rate / peak_gmacs(way.floor),
                    memory_mib=_memory_mib(way, checkpoint, graphs, num_threads),
                    answers=(reference, runner.run(*clips)),
                )
            )
        streaming = []
        for way, runner in runners.items() if stream_s else ():
            if not way.name.startswith("torch"):
                tell(f"streaming {way.name}")
                streaming += time_stream(way.name, runner, frames)
    return Bench(this_machine(), card.model, gmacs, repeats, tuple(lines), tuple(streaming))


def made_up_checkpoint(model: str, config: NetworkConfig, folder: Path) -> Path:
    """A network with random weights, as large and as slow as a trained one.

    Its card says UNTRAINED. The offsets are drawn too: at zero all patches would be cells.
    """
    torch.manual_seed(0)
    network = Network(config)
    if network.aam is not None:
        torch.nn.init.normal_(network.aam.region_proposal.pointwise.weight, std=1e-3)
    return save_checkpoint(network, folder, model)


def _clips(checkpoint: Path, frames: list[Frame]) -> Clips:
    """Crops of the film, as a stream cuts them: some windows that share no frame."""
    runner = TorchRunner(checkpoint)
    stream = Stream(Session(runner, isolated=False))
    clips = []
    for number, _ in enumerate(stream.follow(iter(frames))):
        if stream.newest_clip is not None and number % runner.card.architecture.num_frames == 0:
            clips.append(stream.newest_clip)
        if len(clips) == 4:
            break
    return to_batch(clips)


def _graphs(checkpoint: Path, clips: Clips, folder: Path, tell: Tell) -> dict[Arithmetic, Path]:
    """The exports, whatever they change: this is about time. Accuracy is `vivant export`'s."""
    is_bona_fide = np.arange(len(clips[0])) % 2 == 0
    judged = JudgedClips(clips, clips, is_bona_fide, "made-up film")
    graphs: dict[Arithmetic, Path] = {"float32": export_graph(checkpoint, folder).card_path}
    for precision in ("bf16", "int8"):
        tell(f"exporting in {precision}")
        try:
            graphs[precision] = export_graph(
                checkpoint,
                folder / precision,
                "onnx",
                precision,
                judged,
                allow_drift=True,
            ).card_path
        except MissingExtraError:  # bf16 needs OpenVINO.
            tell(f"no {precision}: OpenVINO is not installed")
    return graphs


def _take_turns(work: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each, after one round that warms up: a busy machine slows all alike."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for number in range(repeats + 1):
        for name, run in work.items():
            started_s = time.perf_counter()
            run()
            if number:
                times[name].append(time.perf_counter() - started_s)
    return times


def _line(
    way: str,
    times: list[float],
    slowest: float,
    *,
    of_floor: float | None = None,
    memory_mib: float | None = None,
    answers: tuple[Scores, Scores] | None = None,
) -> Line:
    seconds = median(times)
    report = None if answers is None else compare(*answers)
    return Line(
        way=way,
        ms=1e3 * seconds,
        least_ms=1e3 * min(times),
        most_ms=1e3 * max(times),
        clips_per_s=1 / seconds,
        times_as_fast=slowest / seconds,
        of_floor=of_floor,
        memory_mib=memory_mib,
        logit_difference=None if report is None else report.logit_difference,
        score_difference=None if report is None else report.score_difference,
        same_anchors=None if report is None else report.anchor_agreement,
    )


_ALONE = """
import sys
from pathlib import Path
from vivant.runtimes.opening import open_runner
from vivant.runtimes.runner import blank_clips
card, runtime, threads, precision = sys.argv[1:]
if runtime.startswith("torch"):
    from vivant.runtimes.torch import TorchRunner
    runner = TorchRunner(Path(card), precision=precision, num_threads=int(threads))
else:
    runner = open_runner(Path(card), runtime, int(threads))
for _ in range(3):
    runner.run(*blank_clips(runner.card))
# Not getrusage: its largest is that of the process that started this one.
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(status["VmHWM"].split()[0])
"""


def _memory_mib(
    way: Way, checkpoint: Path, graphs: Mapping[Arithmetic, Path], num_threads: int
) -> float | None:
    """Of a process of its own; compiling and GPUs keep theirs elsewhere."""
    runtime = way.name.partition(" ")[0]
    if runtime not in ("torch", "onnx", "openvino") or not Path("/proc/self/status").is_file():
        return None
    card = checkpoint if runtime == "torch" else graphs[way.precision]
    command = [sys.executable, "-c", _ALONE, str(card), runtime, str(num_threads), way.precision]
    shown = subprocess.run(  # noqa: S603 - our own words.
        command, capture_output=True, text=True, check=True
    ).stdout
    return int(shown.split()[-1]) / 1024
