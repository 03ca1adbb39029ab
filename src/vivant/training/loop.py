"""The training loop: three stages, for one process or many, that goes on where it was stopped.

One function, `fit`, runs unchanged in plain Python, under torchrun and in a cluster's worker: it is
given a Fabric. Whatever is drawn by chance is a function of the seed and the place: clips and their
augmentation (`draws.py`), and the generators of Python, NumPy and torch, which are seeded for each
step. So a checkpoint needs no generator's state to go on with the same bits.
"""

from collections.abc import Sequence

from lightning_fabric import Fabric
from torch import Tensor

from vivant.errors import ConfigError, TrainingError
from vivant.networks.checkpoint import save_checkpoint
from vivant.networks.network import Network
from vivant.records import NUM_WINDOWS
from vivant.training.config import STAGES, Experiment
from vivant.training.data import TrainingData
from vivant.training.folder import Best, Position, RunFolder
from vivant.training.frames_head import fit_frames_head, read_held_out
from vivant.training.log import TrainingLog
from vivant.training.progress import Progress
from vivant.training.scoring import judge, score_side
from vivant.training.stage_run import StageRun, steps_before
from vivant.training.start import card_records, new_network

__all__ = ["fit"]


def fit(
    fabric: Fabric,
    experiment: Experiment,
    data: TrainingData,
    folder: RunFolder,
    progress: Progress,
    *,
    stages: Sequence[int] = STAGES,
) -> Best:
    """Train, or go on with what is in the folder.

    Args:
        fabric: Launched. Its precision and devices are the training's.
        experiment: What to do.
        data: Of the store.
        folder: Of the run; begun.
        progress: Is told how far it is.
        stages: Which to run, in order. A stage starts from the best epoch of the one before.

    Returns:
        The best epoch of the last stage.

    Raises:
        ConfigError: none of the stages, or batches that do not divide by the devices.
        TrainingError: a loss is not a number, an earlier stage is missing or not at its end, a
            later one has begun, or processes see different checkpoints.
        OutputError: no room for a checkpoint.
        DataError: the store is damaged.
    """
    wanted = [number for number in stages if experiment.stage(number) is not None]
    is_fitted = experiment.fit is not None and 1 in stages
    if not wanted and not is_fitted:
        raise ConfigError(f"{experiment.model} has no stage {', '.join(map(str, stages))}")
    require_even_batches(experiment, fabric.world_size)
    network = new_network(experiment)
    best = None
    if is_fitted:
        best = _fit_once(fabric, experiment, network, data, folder, progress)
        if not wanted and experiment.stage2 is not None:
            return best
    checkpoint = folder.latest()
    _require_same_place(fabric, folder, checkpoint[0] if checkpoint is not None else None)
    if wanted:
        _require_turn(experiment, folder, checkpoint[0] if checkpoint else None, wanted)
    if checkpoint is not None and wanted and checkpoint[0].stage not in wanted:
        checkpoint = None  # Of a stage that is done: the next starts from its best epoch.
    if checkpoint is not None:
        wanted = wanted[wanted.index(checkpoint[0].stage) :]
        done = checkpoint[0].total_steps
    else:
        done = steps_before(experiment, len(data.train), wanted[0]) if wanted else 0
    log = TrainingLog(folder.path, done) if fabric.is_global_zero else None
    try:
        for number in wanted:
            if checkpoint is None and number > 1:
                network.load_state_dict(_best_before(folder, number))
            run = StageRun(
                fabric, experiment, number, network, data, folder, log, progress, checkpoint
            )
            best = run.run()
            checkpoint = None
    finally:
        if log is not None:
            log.close()
    assert best is not None
    last = wanted[-1] if wanted else 1
    is_whole = all(experiment.stage(later) is None for later in STAGES if later > last)
    if is_whole:
        _write_model(fabric, experiment, data, network, folder, best)
    fabric.barrier()
    return best


def _write_model(
    fabric: Fabric,
    experiment: Experiment,
    data: TrainingData,
    network: Network,
    folder: RunFolder,
    best: Best,
) -> None:
    """The trained model with its card, whose threshold is the dev side's, or the fit's."""
    held_out = read_held_out(folder.path) if experiment.fit is not None else None
    if held_out is None:
        threshold = _card_threshold(fabric, experiment, data, network, best)
    else:
        threshold = held_out.threshold
    if not fabric.is_global_zero:
        return
    training, point = card_records(data, threshold, held_out)
    save_checkpoint(
        network,
        folder.path,
        experiment.model,
        training=training,
        operating_point=point,
        frame_interval_s=data.interval_s,
    )


def _fit_once(
    fabric: Fabric,
    experiment: Experiment,
    network: Network,
    data: TrainingData,
    folder: RunFolder,
    progress: Progress,
) -> Best:
    """Stage 1 as a fit: by the first process, unless it is there from an earlier go."""
    if fabric.is_global_zero and folder.best(1) is None:
        fit_frames_head(experiment, network, data, folder, progress)
    fabric.barrier()
    found = folder.best(1)
    assert found is not None
    network.load_state_dict(found[1])
    return found[0]


def require_even_batches(experiment: Experiment, num_devices: int) -> None:
    """Refuse a step that cannot be dealt evenly.

    Raises:
        ConfigError: the batch is no multiple of what all devices hold at once.
    """
    data = experiment.data
    if data.batch_clips % (data.micro_batch_clips * num_devices):
        raise ConfigError(
            f"expected data.batch_clips to be a multiple of data.micro_batch_clips x devices "
            f"({data.micro_batch_clips} x {num_devices}), got {data.batch_clips}: set "
            f"data.micro_batch_clips={max(data.batch_clips // num_devices, 1)}"
        )


def _card_threshold(
    fabric: Fabric, experiment: Experiment, data: TrainingData, network: Network, best: Best
) -> float:
    """At equal error on the dev side, with as many windows as a session takes the mean of.

    The mean of four spreads less than one window: a threshold of the one is not the other's.
    """
    if experiment.data.dev_windows == NUM_WINDOWS:
        return best.threshold
    scores = score_side(
        network, data.clips, data.folder, data.dev, NUM_WINDOWS,
        advisor_only=network.aam is None, num_workers=experiment.data.num_workers,
        share=(fabric.global_rank, fabric.world_size), augment=experiment.augment,
    )  # fmt: skip
    return judge(scores).threshold


def _require_same_place(fabric: Fabric, folder: RunFolder, place: Position | None) -> None:
    """Make sure that all processes go on from one checkpoint: else each trains something else.

    Raises:
        TrainingError: this one sees another than the first does.
    """
    first = fabric.broadcast(place)
    if place != first:
        raise TrainingError(
            f"process {fabric.global_rank} sees another last checkpoint in {folder.path} than "
            f"process 0 ({place}, {first}): put it on a file system that all machines share, and "
            "go on with --resume"
        )


def _require_turn(
    experiment: Experiment, folder: RunFolder, place: Position | None, wanted: Sequence[int]
) -> None:
    """Make sure that the folder is at the stages that are wanted.

    Args:
        experiment: What to do.
        folder: Of the run.
        place: Of its last checkpoint.
        wanted: Stages, in order.

    Raises:
        TrainingError: a later stage has begun, or the one before is missing or not at its end.
    """
    if place is not None and place.stage > wanted[-1]:
        raise TrainingError(
            f"stage {place.stage} has begun in {folder.path}, from what stage {wanted[-1]} gave: "
            f"go on with stage {place.stage}, or name another folder"
        )
    before = experiment.stage(wanted[0] - 1) if wanted[0] > 1 else None
    if before is None or (place is not None and place.stage >= wanted[0]):
        return
    number = wanted[0] - 1
    _best_before(folder, wanted[0])
    if place is None or (place.stage, place.epoch) != (number, before.epochs):
        raise TrainingError(
            f"stage {wanted[0]} starts from stage {number}, but stage {number} in {folder.path} "
            f"has not ended: go on with it first (--stage {number} --resume)"
        )


def _best_before(folder: RunFolder, number: int) -> dict[str, Tensor]:
    """The weights that a stage starts from.

    Raises:
        TrainingError: the stage before has not been trained here.
    """
    found = folder.best(number - 1)
    if found is None:
        raise TrainingError(
            f"stage {number} starts from stage {number - 1}, which has not been trained in "
            f"{folder.path}: run it first"
        )
    return found[1]
