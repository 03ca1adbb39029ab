"""Says what a run of `starter` is worth on bona fide frames that its fit has not seen.

    python scripts/measure_held_out.py RUN STORE [--labels race_label gender_label age_label]
        [--unseen-parameters WORK_DIR]

By set: each judged by a fit without it (`stage1/held_out.json`), with the 95 % interval (Wilson)
of frames. AUC is against simulated attacks of the same frames: of frames as they are stored, and
of both classes filmed alike. By label: the set that has it is left out a fifth
of its subjects at a time, and judged at the card's threshold. All are bona fide frames, as they are
stored: BPCER is the share that would be called an attack. With --unseen-parameters, AUC of fits on
one half of the recapture's parameters against attacks of the other half, of sets that the fit has
not seen; 60 frames a set, some minutes. Nothing here is a recorded attack.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from vivant.metrics.intervals import wilson
from vivant.preparation.place import to_place
from vivant.training.config import Experiment
from vivant.training.data import TrainingData, data_for
from vivant.training.folder import EXPERIMENT, RunFolder
from vivant.training.frames_head import (
    judge_unseen_parameters,
    left_out_by_subject,
    read_held_out,
)
from vivant.training.progress import Progress
from vivant.training.start import new_network

FOLDS = 5
FRAMES_PER_SET = 60


def share(wrong: int, num: int) -> str:
    """A rate with its interval."""
    low, high = wilson(wrong, num)
    return f"{wrong / num:.1%} ({low:.1%} to {high:.1%})"


def print_unseen(experiment: Experiment, data: TrainingData, work: Path) -> None:
    """AUC by set, of parameters and sets that the fit has not seen."""
    assert experiment.fit is not None
    few = experiment.fit.model_copy(update={"most_per_set": FRAMES_PER_SET})
    found = judge_unseen_parameters(
        experiment.model_copy(update={"fit": few}),
        new_network(experiment),
        data,
        RunFolder(work),
        Progress(Console(stderr=True)),
    )
    print("\n| set | AUC, parameters unseen |\n|---|---|")
    for name, area in found.items():
        print(f"| {name} | {area:.3f} |")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path, help="folder of `vivant train starter`")
    parser.add_argument("store", type=Path, help="what it was trained on")
    parser.add_argument("--protocol", default="manifest:split")
    parser.add_argument("--labels", nargs="*", default=[], help="columns of the manifest")
    parser.add_argument("--unseen-parameters", type=Path, help="folder for views: 300 MB")
    options = parser.parse_args(arguments)
    held_out = read_held_out(options.run)
    print(f"threshold {held_out.threshold:.4f}: 5 % of held-out bona fide frames, sets alike\n")
    print(
        "| set | frames | people | BPCER | AUC | AUC, filmed alike | "
        "APCER, simulated |\n|---|---|---|---|---|---|---|"
    )
    for one in held_out.sets:
        wrong = round(one.bpcer * one.num_bona_fide)
        print(
            f"| {one.name} | {one.num_bona_fide} | {one.num_subjects} | "
            f"{share(wrong, one.num_bona_fide)} | {one.auc:.3f} | {one.auc_filmed:.3f} | "
            f"{one.apcer:.1%} |"
        )
    experiment = Experiment.model_validate_json((options.run / EXPERIMENT).read_text("utf-8"))
    data = data_for(experiment, to_place(str(options.store)), options.protocol)
    if options.unseen_parameters is not None:
        print_unseen(experiment, data, options.unseen_parameters)
    if not options.labels:
        return
    frames = left_out_by_subject(experiment, data, RunFolder(options.run), FOLDS)
    for label in options.labels:
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for row, score in frames:
            value = row.columns.get(label, "")
            if value:
                counts[value][0] += int(score < held_out.threshold)
                counts[value][1] += 1
        everyone = np.sum(list(counts.values()), axis=0)
        print(f"\n| {label} | frames | BPCER |\n|---|---|---|")
        for value, (wrong, num) in sorted(counts.items()):
            print(f"| {value} | {num} | {share(wrong, num)} |")
        print(f"| all | {everyone[1]} | {share(int(everyone[0]), int(everyone[1]))} |")


if __name__ == "__main__":
    main()
