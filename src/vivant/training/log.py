"""What a training writes while it runs: `log.csv` and TensorBoard, always."""

import csv
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from vivant.files import write_whole
from vivant.training.folder import LOG, Position

__all__ = ["COLUMNS", "TrainingLog"]

COLUMNS = (
    "stage", "epoch", "step", "total_steps",
    "loss", "depth_loss", "advisor_loss", "aam_loss", "gradient_norm", "learning_rate",
    "clips_per_s", "loading_share",
    "offset_size", "offset_spread", "offset_saturated",
    "depth_to_class_trunk", "depth_to_class_offsets",
    "dev_acer", "dev_apcer", "dev_bpcer", "dev_d_eer", "dev_threshold",
    "dev_acer_advisor", "dev_acer_aam",
)  # fmt: skip
"""One row a step, and one with the `dev_` columns at an epoch's end. Losses are before their
weights, but `loss`, the sum. `offset_` and `depth_to_class_` are those of `training.offsets`, the
latter once an epoch."""


class TrainingLog:
    """Appends rows. Rows after the place from which a training goes on are taken back.

    Args:
        folder: Of the run.
        done: Optimiser steps after which the training goes on; 0 for a new one.
    """

    def __init__(self, folder: Path, done: int) -> None:
        path = folder / LOG
        kept = [",".join(COLUMNS) + "\n"]
        if path.is_file():
            kept += [line for line in path.read_text().splitlines(True)[1:] if _is_kept(line, done)]
        write_whole(path, "".join(kept))
        self._file = path.open("a", newline="", encoding="utf-8")
        self._rows = csv.DictWriter(self._file, COLUMNS, lineterminator="\n")
        self._curves = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1)

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        self._curves.close()

    def write(self, position: Position, values: dict[str, float]) -> None:
        """Append a row.

        Args:
            position: After the step.
            values: Some of `COLUMNS`.
        """
        place = {
            "stage": position.stage,
            "epoch": position.epoch,
            "step": position.step,
            "total_steps": position.total_steps,
        }
        shown = {name: f"{value:.6g}" for name, value in values.items()}
        self._rows.writerow({**place, **shown})
        self._file.flush()
        for name, value in values.items():
            self._curves.add_scalar(f"stage{position.stage}/{name}", value, position.total_steps)


def _is_kept(line: str, total_steps: int) -> bool:
    """Whether a row is whole, and of a step that is done."""
    fields = line.split(",")
    is_whole = line.endswith("\n") and len(fields) == len(COLUMNS) and fields[3].isdecimal()
    return is_whole and int(fields[3]) <= total_steps
