"""Times a training's steps: by stage, with the share that waits for data, and what changes them.

    make bench
    .venv/bin/python benchmarks/training.py [--recipe lite] [--store DIR --protocol P] [--quick]

The steps are `StageRun`'s own, stepped from outside: it tells its `Progress` what each took, and
how long of it the batch was waited for. Stages read from a store with the recipe's worker processes
and take turns of several steps; the first ones of a turn are not counted, for they use up what was
read while the others ran. Precision and activation checkpointing are compared on one batch that is
held, of the last stage, in turns of one step. With a GPU, Model D's share of the matrix peak too.
Weights are random; nothing is judged or saved. benchmarks/README.md keeps results.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product, repeat
from pathlib import Path
from statistics import median

import torch
from lightning_fabric import Fabric

from preparation import make_videos
from vivant.networks.summary import summarise
from vivant.plugins import find
from vivant.preparation.clips import ClipStore
from vivant.preparation.manifest import current_manifest
from vivant.preparation.presentation import preparer
from vivant.preparation.run import prepare
from vivant.preparation.settings import PreparationSettings
from vivant.preparation.store import Store
from vivant.records import Label
from vivant.training.config import STAGES, Experiment, apply_settings
from vivant.training.data import TrainingData, open_data
from vivant.training.folder import Position, RunFolder
from vivant.training.loader import Batch, load_batches
from vivant.training.plan import _measure
from vivant.training.progress import Progress
from vivant.training.stage_run import StageRun
from vivant.training.start import new_network

NUM_VIDEOS = 4
READ_AHEAD = 2  # Batches that each process of a DataLoader has ready.
DTYPES = {"32": torch.float32, "bf16-mixed": torch.bfloat16}


def made_up_store(root: Path) -> Path:
    """Four videos of 720p, bona fide and attacks in turn, prepared as any are."""
    settings = PreparationSettings()
    rows = [
        replace(row, label=Label(number % 2), pai_species="print" if number % 2 else None)
        for number, row in enumerate(make_videos(root, NUM_VIDEOS))
    ]
    store = Store.create(root / "store", current_manifest("folder", settings, is_synthetic=True))
    for outcome in prepare(rows, store, partial(preparer, root, settings), 1):
        assert outcome.num_frames, outcome.message
    return root / "store"


def made_up_data(folder: Path, num_frames: int) -> TrainingData:
    clips = ClipStore(folder, num_frames)
    return TrainingData("made up", folder, clips, clips.presentations, (), "", True, 0.1)


class Watch(Progress):
    """Keeps what each step took."""

    def __init__(self) -> None:
        super().__init__(None)
        self.steps: list[dict[str, float]] = []

    def step(self, position: Position, values: dict[str, float]) -> None:
        self.steps.append(values)


class Way:
    """A stage that is stepped from outside.

    Args:
        experiment: Whose stage.
        number: Of the stage.
        data: Its train side is read.
        reads: Whether each step reads its batch; otherwise all have the first one, on the device.
    """

    def __init__(
        self, experiment: Experiment, number: int, data: TrainingData, *, reads: bool
    ) -> None:
        fabric = Fabric(accelerator="auto", devices=1, precision=experiment.precision)
        fabric.launch()
        network, folder = new_network(experiment), RunFolder(Path("unused"))
        self._watch = Watch()
        self._run = StageRun(
            fabric, experiment, number, network, data, folder, None, self._watch, None
        )
        self._cache = self._run._filled_cache() if self._run.stage.cache_advisor else None
        draws = self._run._micro_batches(self._run.position)
        self._batches: Iterator[Batch]
        if reads:
            self._batches = load_batches(self._run.reader, draws, experiment.data.num_workers)
        else:
            self._batches = repeat(Batch(*fabric.to_device(self._run.reader[next(draws)])))

    def step(self, num_steps: int, num_unmeasured: int = 0) -> None:
        """Take steps, after some that do not count."""
        before = len(self._watch.steps)
        for _ in range(num_unmeasured + num_steps):
            self._run._step(0, self._run.position.step, self._batches, self._cache)
        del self._watch.steps[before : before + num_unmeasured]

    def kept_bytes(self) -> int:
        """What a micro-batch keeps for its backward pass, beside the weights."""
        module = self._run.module.module
        return _measure(self._run.fabric, module, next(self._batches))[0]

    @property
    def rates(self) -> list[float]:
        """Clips a second of each step."""
        return [step["clips_per_s"] for step in self._watch.steps]

    @property
    def loading_share(self) -> float:
        """Of all steps' time, what was spent waiting for batches and moving them."""
        seconds = [1 / step["clips_per_s"] for step in self._watch.steps]
        shares = [step["loading_share"] for step in self._watch.steps]
        return sum(map(float.__mul__, seconds, shares)) / sum(seconds)


def row(name: str, rates: Sequence[float], *others: str) -> str:
    numbers = [f"{rate:.2f}" for rate in (median(rates), min(rates), max(rates))]
    return f"| {' | '.join((name, *numbers, *others))} |"


def stages(experiment: Experiment, data: TrainingData, turns: int, num_steps: int) -> None:
    """Each stage as it is trained, reading; stage 2 with and without the Advisor's answers kept."""
    unmeasured = READ_AHEAD * experiment.data.num_workers + 1
    clips = experiment.data.batch_clips * turns * (unmeasured + num_steps)
    experiment = apply_settings(experiment, [f"data.clips_per_epoch={clips}"])
    ways = {}
    for number in (number for number in STAGES if experiment.stage(number) is not None):
        for is_cached in (False, True) if number == 2 else (False,):
            asked = [f"stage2.cache_advisor={str(is_cached).lower()}"] if number == 2 else []
            name = f"stage {number}" + (", what the Advisor says kept" if is_cached else "")
            ways[name] = Way(apply_settings(experiment, asked), number, data, reads=True)
    for _ in range(turns):
        for way in ways.values():
            way.step(num_steps, unmeasured)
    print(
        f"\nsteps of {experiment.data.batch_clips} clips, {experiment.data.num_workers} reading "
        f"processes, median of {turns * num_steps} in {turns} turns:\n\n"
        "| stage | clips/s | least | most | waiting for data |\n|---|---|---|---|---|"
    )
    for name, way in ways.items():
        print(row(name, way.rates, f"{way.loading_share:.1%}"))
    if experiment.stage2 is not None:
        seconds = [1 / median(way.rates) for name, way in ways.items() if "stage 2" in name]
        fresh, kept = seconds
        epochs = experiment.stage2.epochs
        # To fill it costs what it saves in one epoch.
        whole = epochs * fresh / (epochs * kept + fresh - kept)
        print(
            f"\nstage 2, kept / not: {fresh / kept:.2f} times as fast; over its {epochs} epochs, "
            f"with the time to fill it reckoned: {whole:.2f}",
            flush=True,
        )


def arithmetic(experiment: Experiment, data: TrainingData, num_steps: int) -> None:
    """Precision and activation checkpointing, in the last stage, without reading."""
    number = max(number for number in STAGES if experiment.stage(number) is not None)
    clips = experiment.data.batch_clips * (num_steps + 1)
    ways, kept_mib = {}, {}
    for precision, is_checkpointed in product(DTYPES, (False, True)):
        asked = [
            f"data.clips_per_epoch={clips}",
            f'precision="{precision}"',
            f"activation_checkpointing={str(is_checkpointed).lower()}",
        ]
        name = precision + (", checkpointing" if is_checkpointed else "")
        way = ways[name] = Way(apply_settings(experiment, asked), number, data, reads=False)
        kept_mib[name] = way.kept_bytes() / 2**20
        way.step(0, 1)
    for _ in range(num_steps):
        for way in ways.values():
            way.step(1)
    print(
        f"\nstage {number}, one batch held, median of {num_steps}, taking turns:\n\n"
        "| arithmetic | clips/s | least | most | times as fast | MiB kept for the backward pass |"
        "\n|---|---|---|---|---|---|"
    )
    base = median(ways["32"].rates)
    for name, way in ways.items():
        ratio = f"{median(way.rates) / base:.2f}"
        print(row(name, way.rates, ratio, f"{kept_mib[name]:,.0f}"), flush=True)


def matrix_peak(device: torch.device, dtype: torch.dtype, side: int = 8192) -> float:
    """Multiply-adds in a second of a large matrix product: the best of ten."""
    # Convolutions in float32 use TF32 on a GPU unless told not to: so may this product.
    torch.set_float32_matmul_precision("high")
    a = torch.randn(side, side, device=device, dtype=dtype)
    best_s = float("inf")
    for _ in range(10):
        started_s = time.perf_counter()
        for _ in range(5):
            product_ = a @ a
        product_[0, 0].item()  # Waits for the device.
        best_s = min(best_s, (time.perf_counter() - started_s) / 5)
    torch.set_float32_matmul_precision("highest")
    return float(side**3 / best_s)


def share_of_peak(
    experiment: Experiment, data: TrainingData, num_steps: int, device: torch.device
) -> None:
    """How much of the device's matrix peak the last stage's steps reach, without reading."""
    number = max(number for number in STAGES if experiment.stage(number) is not None)
    macs = 3e9 * summarise(experiment.network)[-1].gmacs  # The backward pass costs two forward.
    print(
        f"\n{experiment.model}, stage {number}, {experiment.data.micro_batch_clips} clips held, "
        f"{macs / 1e9:.1f} GMAC a clip, forward and backward; median of {num_steps}:\n\n"
        "| arithmetic | clips/s | least | most | TMAC/s | matrix peak, TMAC/s | share | GiB |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for precision, dtype in DTYPES.items():
        peak = matrix_peak(device, dtype)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        way = Way(
            apply_settings(experiment, [f'precision="{precision}"']), number, data, reads=False
        )
        way.step(num_steps, 3)
        gib = torch.cuda.max_memory_allocated() / 2**30
        reached = macs * median(way.rates)
        others = (f"{reached / 1e12:.1f}", f"{peak / 1e12:.1f}", f"{reached / peak:.0%}")
        print(row(precision, way.rates, *others, f"{gib:.1f}"), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recipe", default="lite")
    parser.add_argument("--set", dest="settings", nargs="+", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--store", type=Path, help="instead of made-up clips; with --protocol")
    parser.add_argument("--protocol")
    parser.add_argument("--turns", type=int, default=3, help="of each stage")
    parser.add_argument("--steps", type=int, default=3, help="measured in a turn")
    parser.add_argument("--gpu-clips", type=int, default=16, help="that Model D holds on a GPU")
    parser.add_argument("--quick", action="store_true", help="two steps of each: a first look")
    arguments = parser.parse_args()
    if (arguments.store is None) is not (arguments.protocol is None):
        parser.error("--store and --protocol go together")
    turns, num_steps = (1, 2) if arguments.quick else (arguments.turns, arguments.steps)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, torch "
        f"{torch.__version__} with {torch.get_num_threads()} threads"
    )

    def opened(experiment: Experiment) -> TrainingData:
        num_frames = experiment.network.num_frames
        if arguments.store is None:
            return made_up_data(folder, num_frames)
        return open_data(arguments.store, arguments.protocol, num_frames)

    def recipe(name: str, settings: Sequence[str]) -> Experiment:
        found: Experiment = find("vivant.recipes", name, "recipe")()
        return apply_settings(found, ["pretrained=none", *settings])

    with tempfile.TemporaryDirectory() as root:
        folder = made_up_store(Path(root)) if arguments.store is None else arguments.store
        experiment = recipe(arguments.recipe, arguments.settings)
        data = opened(experiment)
        print(f"{arguments.recipe} on {data.name}")
        stages(experiment, data, turns, num_steps)
        arithmetic(experiment, data, turns * num_steps)
        if not torch.cuda.is_available():
            print("\nno GPU: its share of the matrix peak was not measured")
            return
        count = arguments.gpu_clips
        asked = [f"data.{name}={count}" for name in ("batch_clips", "micro_batch_clips")]
        asked += [f"data.clips_per_epoch={count * 100}"]
        whole = recipe("model_d", asked)
        print(f"\n{torch.cuda.get_device_name()}")
        share_of_peak(whole, opened(whole), 20, torch.device("cuda"))


if __name__ == "__main__":
    main()
