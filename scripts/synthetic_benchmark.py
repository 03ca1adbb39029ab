"""The synthetic benchmark: does `tiny` tell attacks from bona fide where trivial cues do not?

    python scripts/synthetic_benchmark.py WORK_DIR [--seeds 0 1 2]

For each seed: draws the tiny synthetic OULU-NPU, prepares it, asks `vivant data cues` what a
regression on brightness, sharpness, noise, file size and border can do, trains `tiny` on protocol
1, and scores the test side (people and a session that training has not seen) at the dev side's
threshold. Ends with 1 where a network's ACER is not under 10 %, or where the cues' is under 25 %
or under three times the network's. Every step keeps what is there: it can be killed, and goes on.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from score_without_offsets import acer_without_offsets

PROTOCOL = "oulu-npu:1"
MAX_ACER, MIN_CUES_ACER, MIN_RATIO = 10.0, 25.0, 3.0  # Per cent, per cent, times.


def vivant(*words: str | Path) -> str:
    """What a command of this package prints."""
    command = [sys.executable, "-m", "vivant", *map(str, words)]
    print("vivant", *words, flush=True)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def measured(work: Path, seed: int) -> dict[str, Any]:
    """All of one seed."""
    root, store, run = (work / f"{name}{seed}" for name in ("oulu", "store", "run"))
    drawn = ("--layout", "oulu-npu", "--size", "tiny", "--seed", str(seed))
    vivant("data", "synthetic", *drawn, "--out", root)
    vivant("data", "prepare", "oulu_npu", root, "--out", store, "--trusted")
    cues = json.loads(vivant("data", "cues", store, "--protocol", PROTOCOL, "--json"))
    (work / f"cues{seed}.json").write_text(json.dumps(cues, indent=2) + "\n", "utf-8")
    started_s = time.monotonic()
    resume = ("--resume",) if (run / "experiment.json").exists() else ()
    trained = ("--data", store, "--protocol", PROTOCOL, "--seed", str(seed), "--out", run)
    vivant("train", "tiny", *trained, *resume)
    judged = json.loads(vivant("evaluate", run, "--data", store, "--protocol", PROTOCOL, "--json"))
    found: dict[str, Any] = {
        part: 100 * units["video"]["rates"]["acer_legacy"]
        for part, units in judged["parts"].items()
    }
    found |= {
        "aam_without_offsets": acer_without_offsets(run / "tiny.safetensors.json", store, PROTOCOL),
        "cues": 100 * cues["together"]["acer"],
        "minutes": None if resume else (time.monotonic() - started_s) / 60,
    }
    (work / f"result{seed}.json").write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a table, judge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("work_dir", type=Path, help="folder for data and runs; 1 GB a seed")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options = parser.parse_args(arguments)
    options.work_dir.mkdir(parents=True, exist_ok=True)
    results = {seed: measured(options.work_dir, seed) for seed in options.seeds}
    parts = ("fused", "advisor", "aam", "aam_without_offsets")
    print("test ACER in %, of", ", ".join((*parts, "cues")))
    for seed, found in results.items():
        numbers = [found[part] for part in parts] + [found["cues"]]
        print(f"seed {seed}:", *(f"{number:.1f}" for number in numbers))
    bad = [
        seed
        for seed, found in results.items()
        if found["fused"] >= MAX_ACER
        or found["cues"] < max(MIN_CUES_ACER, MIN_RATIO * found["fused"])
    ]
    if bad:
        sys.exit(f"not as it should be: seeds {', '.join(map(str, bad))}")


if __name__ == "__main__":
    main()
