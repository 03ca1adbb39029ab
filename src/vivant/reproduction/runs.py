"""One training of the plan: its folder, what it can take over from another, and going on."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lightning_fabric import Fabric

from vivant.errors import TrainingError
from vivant.files import write_whole
from vivant.recipes.variants import vary
from vivant.training.config import Experiment, apply_settings
from vivant.training.data import TrainingData, data_for
from vivant.training.folder import Position, RunFolder, environment
from vivant.training.loop import fit
from vivant.training.progress import Progress
from vivant.training.stage_run import steps_before
from vivant.training.start import new_network

__all__ = ["Run", "stage1_of", "train"]

_SHARED = "stage1_from.json"
_ADVISOR = "advisor."
_UNNAMED = re.compile(r"[^A-Za-z0-9.,=-]")
"""What a folder's name does without."""


@dataclass(frozen=True, slots=True)
class Run:
    """One training: what is trained, on what, from which seed."""

    variant: str
    """One of `recipes.variants.VARIANTS`."""
    dataset: str
    """`oulu_npu` or `siw`."""
    protocol: str
    """Of the data set: `1`, `3_2`; `all` for a test on the other one."""
    seed: int = 0
    settings: tuple[str, ...] = ()
    """Of an ablation, as `vivant train --set` takes them."""

    @property
    def name(self) -> str:
        """Of its folder."""
        changes = "".join(f"-{_UNNAMED.sub('_', setting)}" for setting in self.settings)
        return f"{self.dataset}-{self.protocol}-{self.variant}-seed{self.seed}{changes}"

    @property
    def protocol_name(self) -> str:
        """As `vivant train --protocol` takes it."""
        return f"{self.dataset.replace('_', '-')}:{self.protocol}"

    def experiment(self, recipe: Experiment) -> Experiment:
        """What is trained.

        Raises:
            ConfigError: the recipe has no such variant, or a setting does not fit.
        """
        seeded = vary(recipe, self.variant).model_copy(update={"seed": self.seed})
        return apply_settings(seeded, self.settings)


def train(
    run: Run,
    recipe: Experiment,
    store: Path,
    fingerprint: str,
    folder: Path,
    others: Sequence[Run],
    progress: Callable[[], Progress],
    *,
    accelerator: str = "auto",
) -> Path:
    """Train a run, or go on with it, or do nothing where it is done.

    Stage 1 trains the Advisor alone, so Models B, C and D of one seed have the same: it is taken
    over from a run that has it, with the same bits.

    Args:
        run: Which.
        recipe: Of the whole network.
        store: Of its data set.
        fingerprint: Of the store.
        folder: Of all runs.
        others: Runs whose first stage may serve.
        progress: Makes what is told how far it is.
        accelerator: `cpu`, `cuda`, or `auto`: the best that this machine has.

    Returns:
        The trained model's card.

    Raises:
        TrainingError: its folder has another run, or a loss is not a number.
        DataError: the store is damaged, or lacks the protocol.
        OutputError: no room.
    """
    experiment = run.experiment(recipe)
    place = RunFolder(folder / run.name)
    card = place.path / f"{experiment.model}.safetensors.json"
    if place.is_there:
        place.go_on(experiment, fingerprint, run.protocol_name)
        if card.is_file():
            return card
    data = data_for(experiment, store, run.protocol_name)
    fabric = Fabric(accelerator=accelerator, devices=1, precision=experiment.precision)
    fabric.launch()
    if not place.is_there:
        place.begin(experiment, environment(data.described, 1, experiment.precision))
    shared = _take_over(run, experiment, recipe, data, folder, others)
    with progress() as shown:
        fit(fabric, experiment, data, place, shown, stages=(2, 3) if shared else (1, 2, 3))
    return card


def _take_over(
    run: Run,
    experiment: Experiment,
    recipe: Experiment,
    data: TrainingData,
    folder: Path,
    others: Sequence[Run],
) -> bool:
    """Whether stage 1 is another run's: taken over before, or now.

    Raises:
        TrainingError: the other run's weights are damaged.
    """
    place = RunFolder(folder / run.name)
    mark = place.path / _SHARED
    if experiment.network.aam is None or (not mark.is_file() and place.has_begun(1)):
        return False
    if mark.is_file() and place.latest() is not None:
        return True
    wanted = stage1_of(run, recipe)
    for other in others:
        if other == run or stage1_of(other, recipe) != wanted:
            continue
        theirs = other.experiment(recipe)
        there = RunFolder(folder / other.name)
        if not there.is_there or not _has_ended(there, theirs):
            continue
        there.go_on(theirs, data.fingerprint, data.name)
        # Before the copy: a kill between the two is seen by the mark without a checkpoint.
        write_whole(mark, json.dumps({"run": other.name}) + "\n")
        _copy(there, place, experiment, len(data.train))
        return True
    return False


def stage1_of(run: Run, recipe: Experiment) -> str:
    """All that stage 1 of a run depends on: those of which it is the same can share one."""
    content = {
        "dataset": run.dataset,
        "protocol": run.protocol,
        **_of_stage1(run.experiment(recipe)),
    }
    return json.dumps(content, sort_keys=True)


def _of_stage1(experiment: Experiment) -> dict[str, object]:
    """All that stage 1 depends on."""
    content = experiment.model_dump(mode="json")
    network = content.pop("network")
    for later in ("model", "stage2", "stage3"):
        del content[later]
    return content | {"advisor": network["advisor"], "num_frames": network["num_frames"]}


def _has_ended(place: RunFolder, experiment: Experiment) -> bool:
    """Whether stage 1 is done."""
    found = place.latest()
    if found is None:
        return False
    position = found[0]
    assert experiment.stage1 is not None  # `vary` takes no recipe that fits.
    return position.stage > 1 or position.epoch == experiment.stage1.epochs


def _copy(there: RunFolder, place: RunFolder, experiment: Experiment, num_rows: int) -> None:
    """The best Advisor of a run, in a network that is new but for it; as if trained here.

    Raises:
        TrainingError: the weights are damaged.
    """
    found = there.best(1)
    if found is None:
        raise TrainingError(f"the run at {there.path} is past stage 1 and has no best epoch of it")
    best, weights = found
    advisor = {name: tensor for name, tensor in weights.items() if name.startswith(_ADVISOR)}
    place.keep_best(best, new_network(experiment).state_dict() | advisor)
    assert experiment.stage1 is not None
    end = Position(1, experiment.stage1.epochs, 0, steps_before(experiment, num_rows, 2))
    place.save(end, {})
