"""Checks drawn people whom the model that ships has not seen, and recaptures of them.

    python scripts/measure_starter_model.py WORK_DIR [--people 24]

Films people of the demo's seed (`scripts/make_demo_clips.py` shows one of them), shows each film on
paper and on a screen and films it again, checks each file as `vivant check` does, and counts. A
number about drawn people and simulated attacks, and nothing else.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from make_demo_clips import ATTACKS, CRF, LAYOUT, SEED, make_clips

from vivant.attacks.recording import write_video
from vivant.datasets.synthetic_plan import FRAME_RATE, plan
from vivant.session.session import Session
from vivant.session.verdict import Decision


def main(arguments: Sequence[str] | None = None) -> None:
    """Film what is not there yet, check all, print counts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("work_dir", type=Path, help="folder for the clips")
    parser.add_argument("--people", type=int, default=24, help="films, each with two attacks")
    options = parser.parse_args(arguments)
    films = [
        video.path
        for video in plan(LAYOUT, "tiny")
        if video.path.startswith("Test_files/") and video.pai_species is None
    ]
    step = max(1, len(films) // options.people)
    chosen = films[::step][: options.people]
    counts: Counter[tuple[str, str]] = Counter()
    with Session.open(isolated=False) as session:
        for number, path in enumerate(chosen):
            other = chosen[(number + 1) % len(chosen)]
            folder = options.work_dir / Path(path).stem
            names = ("bona_fide.mp4", *ATTACKS)
            if not all((folder / name).exists() for name in names):
                folder.mkdir(parents=True, exist_ok=True)
                for name, frames in make_clips(path, other, SEED + number).items():
                    write_video(folder / name, iter(frames), FRAME_RATE, CRF)
            for name in names:
                decision = session.check(folder / name).decision
                expected = Decision.ATTACK if name in ATTACKS else Decision.BONA_FIDE
                outcome = "right" if decision is expected else "wrong"
                if decision is Decision.NO_DECISION:
                    outcome = "no decision"
                counts[name, outcome] += 1
            print(f"{number + 1} of {len(chosen)} people", flush=True)
    for name in ("bona_fide.mp4", *ATTACKS):
        told = ", ".join(f"{counts[name, o]} {o}" for o in ("right", "wrong", "no decision"))
        print(f"{name}: {told}")


if __name__ == "__main__":
    main()
