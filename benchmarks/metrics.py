"""Times the metrics on a million scores, against scikit-learn's AUC on the same.

    make bench
    .venv/bin/python benchmarks/metrics.py [--scores 1000000] [--repeats 5]

Half bona fide, half attacks of two PAI species, normal scores that overlap. benchmarks/README.md
keeps results.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np
from sklearn.metrics import roc_auc_score

from vivant.metrics.calibration import brier, expected_calibration_error
from vivant.metrics.curves import auc, det_points
from vivant.metrics.intervals import subject_bootstrap
from vivant.metrics.rates import rates
from vivant.metrics.thresholds import bpcer_at_apcer, eer_threshold


def seconds(work: Callable[[], object], repeats: int) -> float:
    """The median of some runs."""
    taken = []
    for _ in range(repeats):
        started_s = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started_s)
    return median(taken)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each function."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scores", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args(arguments)
    generator = np.random.default_rng(0)
    half = options.scores // 2
    bona_fide = generator.normal(0.7, 0.15, half).clip(0, 1)
    attacks = {
        "print": generator.normal(0.3, 0.15, half // 2).clip(0, 1),
        "replay": generator.normal(0.4, 0.15, half - half // 2).clip(0, 1),
    }
    pooled = np.concatenate([*attacks.values()])
    every = np.concatenate([bona_fide, pooled])
    is_bona_fide = np.arange(len(every)) < half
    subjects = [int(of) for of in generator.integers(200, size=half)]
    work: dict[str, Callable[[], object]] = {
        "rates at a threshold": lambda: rates(bona_fide, attacks, 0.5),
        "D-EER and its threshold": lambda: eer_threshold(bona_fide, attacks),
        "BPCER20": lambda: bpcer_at_apcer(bona_fide, attacks, 0.05),
        "DET points": lambda: det_points(bona_fide, attacks),
        "AUC": lambda: auc(bona_fide, pooled),
        "Brier": lambda: brier(bona_fide, pooled),
        "ECE": lambda: expected_calibration_error(bona_fide, pooled),
        "bootstrap over 200 subjects": lambda: subject_bootstrap(bona_fide < 0.5, subjects),
        "scikit-learn's AUC": lambda: roc_auc_score(is_bona_fide, every),
    }
    print(f"{options.scores:,} scores, median of {options.repeats}, numpy {np.__version__},")
    print(f"{platform.processor() or platform.machine()}, {len(os.sched_getaffinity(0))} cores")
    for name, each in work.items():
        print(f"{name}: {seconds(each, options.repeats):.3f} s")


if __name__ == "__main__":
    main()
