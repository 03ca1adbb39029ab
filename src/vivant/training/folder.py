"""The folder of a run: what it was asked to do, how far it is, and what came out.

- `experiment.json`: the configuration, resolved
- `environment.json`: versions, machine, git commit, data and its fingerprint
- `checkpoints/step-00000120.pt`: the last two, with all that is needed to go on
- `stage1/epoch-003.safetensors`: weights of the stage's best epoch; `best.json` says how good it is
- `stage1/views-000000.npy`, `stage1/held_out.json`: of a fit, the views' descriptions, and what the
  fit is worth on sets that it has not seen
- `log.csv`, `tensorboard/`: losses and rates
- `failure.json`: the batch whose loss was not a number, if one was
- `lite.safetensors` and its card: the trained model
"""

import io
import json
import platform
import subprocess
import zipfile
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors.torch import load, save
from torch import Tensor

from vivant.errors import OutputError, TrainingError
from vivant.files import is_unfinished, remove_unfinished, write_whole
from vivant.networks.checkpoint import installed_versions
from vivant.training.config import Experiment

__all__ = ["Best", "Position", "RunFolder"]

EXPERIMENT = "experiment.json"
ENVIRONMENT = "environment.json"
FAILURE = "failure.json"
LOG = "log.csv"
_CHECKPOINTS = "checkpoints"
_NUM_KEPT = 2
_PACKAGES = ("lightning-fabric", "kornia", "numpy", "opencv-python-headless", "pylance")


@dataclass(frozen=True, slots=True)
class Position:
    """How far a training is."""

    stage: int
    epoch: int
    """From 0, within the stage."""
    step: int
    """Optimiser steps done in that epoch."""
    total_steps: int
    """Optimiser steps done since the start of the training."""


class Best(BaseModel):
    """The best epoch of a stage so far, by the dev side."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: int
    epoch: int
    acer: float
    """At the threshold of equal error on the dev side."""
    threshold: float
    apcer: float
    bpcer: float


class RunFolder:
    """Reads and writes the folder of a run; see the module.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def is_there(self) -> bool:
        """Whether a run has begun here."""
        return (self.path / EXPERIMENT).is_file()

    def has_begun(self, stage: int) -> bool:
        """Whether a stage has a checkpoint, or its best epoch."""
        found = self.latest()
        return (found is not None and found[0].stage == stage) or self.best(stage) is not None

    def begin(self, experiment: Experiment, environment: dict[str, Any]) -> None:
        """Make the folder, with what the run is.

        Raises:
            OutputError: there is something else, or it cannot be written.
        """
        # A run that was killed right here has left its environment.
        if self.path.exists() and not (
            self.path.is_dir()
            and all(each.name == ENVIRONMENT or is_unfinished(each) for each in self.path.iterdir())
        ):
            raise OutputError(
                f"expected a new or empty folder at {self.path}, found something else: name another"
            )
        self._write(ENVIRONMENT, json.dumps(environment, indent=2) + "\n")
        self._write(EXPERIMENT, experiment.model_dump_json(indent=2) + "\n")

    def go_on(self, experiment: Experiment, fingerprint: str, protocol: str | None = None) -> None:
        """Make sure that the run that is here is the one that is asked for.

        Args:
            experiment: As asked for.
            fingerprint: Of the store.
            protocol: As asked for; the same store divided otherwise has other sides. None: not
                compared.

        Raises:
            TrainingError: there is none, its configuration or data are others, or it is damaged.
        """
        if not self.is_there:
            raise TrainingError(f"expected a run to go on with at {self.path}, found none")
        try:
            text = (self.path / EXPERIMENT).read_text("utf-8")
            there = Experiment.model_validate_json(text)
            data = json.loads((self.path / ENVIRONMENT).read_text("utf-8"))["data"]
            known, name = data["fingerprint"], data.get("name")
        except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
            raise TrainingError(f"the run at {self.path} is damaged: {error}") from error
        differences = _differences(there.model_dump(), experiment.model_dump())
        if differences:
            raise TrainingError(
                f"the run at {self.path} has another configuration ({'; '.join(differences)}): "
                "give the same recipe and settings, or another folder"
            )
        if known != fingerprint:
            raise TrainingError(
                f"the run at {self.path} was begun with other data (fingerprint {known[:16]}, now "
                f"{fingerprint[:16]}): give that store and protocol, or another folder"
            )
        if protocol not in (None, name):
            raise TrainingError(
                f"the run at {self.path} was begun with --protocol {name}, now it is {protocol}: "
                "give that one, or another folder"
            )
        remove_unfinished(self.path)

    def save(self, position: Position, content: dict[str, Any]) -> None:
        """Write a checkpoint, and remove all but the last two.

        Raises:
            OutputError: no room, or not writable; the checkpoints before are whole.
        """
        buffer = io.BytesIO()
        torch.save({"position": asdict(position), **content}, buffer)
        name = f"{_CHECKPOINTS}/step-{position.total_steps:08}.pt"
        self._write(name, buffer.getvalue())
        for old in self._checkpoints()[:-_NUM_KEPT]:
            old.unlink(missing_ok=True)

    def latest(self) -> tuple[Position, dict[str, Any]] | None:
        """The last checkpoint that can be read; None where there is none.

        Raises:
            TrainingError: there are some, and none can be read.
        """
        found = self._checkpoints()
        for path in reversed(found):
            try:
                content = _load_checked(path)
                return Position(**content.pop("position")), content
            except Exception:  # noqa: S112 - torch and zipfile have many classes for damage.
                continue  # Damaged on the disk: the one before is kept for this.
        if found:
            raise TrainingError(f"none of the checkpoints in {self.path / _CHECKPOINTS} is whole")
        return None

    def keep_best(self, best: Best, weights: dict[str, Tensor]) -> None:
        """Write the weights of the best epoch of a stage so far.

        The record comes last, and names the weights' file by its epoch: a kill between the two
        leaves the record of before with the weights of before.
        """
        folder = f"stage{best.stage}"
        name = f"epoch-{best.epoch:03}.safetensors"
        tensors = {key: value.detach().cpu().contiguous() for key, value in weights.items()}
        self._write(f"{folder}/{name}", save(tensors))
        self._write(f"{folder}/best.json", best.model_dump_json(indent=2) + "\n")
        for old in (self.path / folder).glob("epoch-*.safetensors"):
            if old.name != name:
                old.unlink()

    def best(self, stage: int) -> tuple[Best, dict[str, Tensor]] | None:
        """The best epoch of a stage and its weights; None where the stage has none yet.

        Raises:
            TrainingError: the files are damaged.
        """
        folder = self.path / f"stage{stage}"
        if not (folder / "best.json").is_file():
            return None
        try:
            best = Best.model_validate_json((folder / "best.json").read_text("utf-8"))
            content = (folder / f"epoch-{best.epoch:03}.safetensors").read_bytes()
            return best, load(content)
        except Exception as error:  # safetensors has a class of its own for damage.
            raise TrainingError(f"the best weights in {folder} are damaged: {error}") from error

    def write_text(self, name: str, text: str) -> None:
        """Write a file of the run.

        Raises:
            OutputError: no room, or not writable.
        """
        self._write(name, text)

    def write_array(self, name: str, values: np.ndarray) -> None:
        """Keep numbers that a training that goes on would have to compute again.

        Raises:
            OutputError: no room, or not writable.
        """
        buffer = io.BytesIO()
        np.save(buffer, values, allow_pickle=False)
        self._write(name, buffer.getvalue())

    def read_array(self, name: str) -> np.ndarray | None:
        """What `write_array` kept; None where there is none, or it is damaged."""
        try:
            return np.asarray(np.load(self.path / name, allow_pickle=False))
        except (OSError, ValueError, EOFError):
            return None

    def tell_failure(self, content: dict[str, Any]) -> Path:
        """Write which batch went wrong."""
        self._write(FAILURE, json.dumps(content, indent=2) + "\n")
        return self.path / FAILURE

    def _checkpoints(self) -> list[Path]:
        return sorted((self.path / _CHECKPOINTS).glob("step-*.pt"))

    def _write(self, name: str, content: str | bytes) -> None:
        write_whole(self.path / name, content)


def _load_checked(path: Path) -> dict[str, Any]:
    """Read a checkpoint whose sums are right: torch looks at none, and would take other weights."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(f"{damaged} is damaged")
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content


def environment(data: dict[str, Any], devices: int, precision: str) -> dict[str, Any]:
    """What a run was made with: for `environment.json`.

    Args:
        data: What it is trained on: name, fingerprint, whether it is synthetic.
        devices: How many.
        precision: Of the arithmetic.
    """
    gpus = [torch.cuda.get_device_name(at) for at in range(torch.cuda.device_count())]
    return {
        "versions": {**installed_versions(), **{name: version(name) for name in _PACKAGES}},
        "git_commit": _git_commit(),
        "system": platform.platform(),
        "processor_threads": torch.get_num_threads(),
        "gpus": gpus,
        "devices": devices,
        "precision": precision,
        "data": data,
    }


def _git_commit() -> str | None:
    """Of this package's source, with `-changed` where files differ; None where there is no git."""
    if _git("ls-files", "--error-unmatch", __file__) is None:
        return None  # Installed, perhaps within somebody else's repository.
    return _git("describe", "--always", "--abbrev=40", "--dirty=-changed")


def _git(*words: str) -> str | None:
    try:
        run = subprocess.run(  # noqa: S603 - no word of it comes from outside
            ["git", *words],  # noqa: S607
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return run.stdout.strip()


def _differences(there: Any, wanted: Any, prefix: str = "") -> list[str]:
    if isinstance(there, dict) and isinstance(wanted, dict):
        return [
            line
            for name in there
            for line in _differences(there[name], wanted.get(name), f"{prefix}{name}.")
        ]
    return [] if there == wanted else [f"{prefix[:-1]}: {there} there, {wanted} now"]
