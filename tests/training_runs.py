"""Trainings for tests: a made-up store, a network of a few thousand weights, runs of seconds."""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor

from prepared import encoded, frame, picture, prepared
from vivant.networks.backbones import efficientnet_lite
from vivant.networks.config import AamConfig, AdvisorConfig, NetworkConfig
from vivant.networks.losses import LossConfig
from vivant.preparation.manifest import current_manifest
from vivant.preparation.record import PreparedPresentation
from vivant.preparation.settings import PreparationSettings
from vivant.preparation.store import Store
from vivant.records import Label, Presentation, Split
from vivant.training.config import DataConfig, Experiment, OptimiserConfig, StageConfig
from vivant.training.data import TrainingData, open_data
from vivant.training.folder import Best, RunFolder, environment
from vivant.training.loop import fit
from vivant.training.progress import Progress

PROTOCOL = "folder"
TIMINGS = ("clips_per_s", "loading_share")
"""Columns of log.csv that differ from run to run."""


def thin_backbone(put: Callable[[object, str, object], None] = setattr) -> None:
    """Make `efficientnet_lite0` a thin one: the same code with fewer blocks and channels.

    Args:
        put: `monkeypatch.setattr`, in a process that goes on with other tests.
    """
    stages = (
        (1, 3, 1, 4, 1), (2, 3, 2, 4, 1), (2, 3, 2, 4, 1), (2, 3, 2, 4, 1), (2, 3, 2, 8, 2),
    )  # fmt: skip
    put(efficientnet_lite, "_STAGES", stages)
    put(efficientnet_lite, "_STEM_CHANNELS", 4)
    put(efficientnet_lite, "_HEAD_CHANNELS", 16)


def side(split: Split) -> list[PreparedPresentation]:
    """Two bona fide presentations and two attacks; each has two clips of two frames.

    The pictures of the test side do not decode: who opens one fails.
    """
    return [
        prepared(
            Presentation(
                f"{split}/{number}.mp4",
                Label.BONA_FIDE if species is None else Label.ATTACK,
                species,
                split=split,
            ),
            [_frame(at, split, 40 * number + 4 * at, species) for at in range(3)],
        )
        for number, species in enumerate((None, "print", None, "replay"))
    ]


def _frame(at: int, split: Split, grey: int, species: str | None) -> object:
    pixels = picture(grey + 30 + len(split))
    crop = b"damaged" if split is Split.TEST else encoded(pixels, "JPEG")
    return replace(frame(at, with_depth=species is None), crop=crop)


def training_store(
    folder: Path,
    sides: Iterable[PreparedPresentation] | None = None,
    *,
    is_synthetic: bool = False,
) -> Path:
    """A store of all three sides, or of what is given."""
    manifest = current_manifest("folder", PreparationSettings(), is_synthetic=is_synthetic)
    rows = [row for split in Split for row in side(split)] if sides is None else [*sides]
    with Store.create(folder, manifest).writing() as writer:
        writer.append(rows)
    return folder


def minimal(**changes: object) -> Experiment:
    """Fifteen steps of four clips in three stages, with all that a checkpoint has to hold.

    Dropout, moving average, cosine and cache are on; the Advisor's batch norms train.
    """
    advisor = LossConfig(depth_weight=0, advisor_weight=10, aam_weight=0)
    aam = LossConfig(depth_weight=0.5, advisor_weight=0, aam_weight=10)
    fields = {
        "model": "minimal",
        "network": NetworkConfig(
            advisor=AdvisorConfig(backbone="efficientnet_lite0", hidden_size=8),
            aam=AamConfig(widths=(4, 8, 8), frames="last"),
            num_frames=2,
        ),
        "pretrained": "none",
        "data": minimal_data(),
        "optimiser": OptimiserConfig(name="adamw", schedule="cosine", ema_decay=0.5),
        "stage1": StageConfig(epochs=2, learning_rate=1e-2, loss=advisor),
        "stage2": StageConfig(epochs=2, learning_rate=1e-2, loss=aam, cache_advisor=True),
        "stage3": StageConfig(epochs=1, learning_rate=1e-2, loss=LossConfig()),
        "checkpoint_steps": 2,
    }
    return Experiment(**(fields | changes))


def minimal_data(**changes: object) -> DataConfig:
    fields = {"batch_clips": 4, "micro_batch_clips": 4, "clips_per_epoch": 12, "dev_windows": 1,
              "num_workers": 0}  # fmt: skip
    return DataConfig(**(fields | changes))


def one_process() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


def train(
    store: Path,
    out: Path | RunFolder,
    experiment: Experiment | None = None,
    *,
    progress: Progress | None = None,
    stages: Sequence[int] = (1, 2, 3),
    fabric: Fabric | None = None,
) -> Best:
    """Train, or go on, as the command does."""
    experiment = experiment or minimal()
    folder = out if isinstance(out, RunFolder) else RunFolder(out)
    data = open_data(store, PROTOCOL, experiment.network.num_frames)
    begin(folder, experiment, data)
    return fit(
        fabric or one_process(), experiment, data, folder, progress or Progress(None), stages=stages
    )


def begin(folder: RunFolder, experiment: Experiment, data: TrainingData) -> None:
    if folder.is_there:
        folder.go_on(experiment, data.fingerprint)
    else:
        folder.begin(experiment, environment(data.described, 1, "32"))


def log_rows(out: Path) -> list[dict[str, str]]:
    """Of log.csv, without the columns of the clock."""
    with (out / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{name: row[name] for name in row if name not in TIMINGS} for row in rows]


def outcome(out: Path) -> dict[str, object]:
    """All that a run leaves, but the clock's: content by name, and the rows of the log."""
    kept: dict[str, object] = {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.suffix in {".safetensors", ".json", ".part"}
    }
    kept.pop("environment.json")
    # The last two: who is killed before the older ones are removed leaves them to the next time.
    for path in sorted(out.glob("checkpoints/*.pt"))[-2:]:
        # Not the file's bytes: pickle writes equal words once or twice, as they are one object or two.
        kept[path.name] = _bits(torch.load(path, weights_only=True))
    return {**kept, "log": log_rows(out)}


def _bits(content: object) -> object:
    """To be compared: tensors become their kind, shape and bytes."""
    if isinstance(content, dict):
        return {name: _bits(each) for name, each in content.items()}
    if isinstance(content, list | tuple):
        return [_bits(each) for each in content]
    if isinstance(content, Tensor):
        return str(content.dtype), tuple(content.shape), content.numpy().tobytes()
    return content


def differing(one: dict[str, Tensor], other: dict[str, Tensor], prefix: str = "") -> set[str]:
    """Names of the tensors whose bytes differ."""
    assert one.keys() == other.keys()
    names = {name for name in one if name.startswith(prefix)}
    return {name for name in names if not torch.equal(one[name], other[name])}
