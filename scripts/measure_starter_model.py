"""Checks clips of a seed that the model that ships has not seen, and counts its errors.

    python scripts/measure_starter_model.py WORK_DIR [--subjects 8]

Films the test side of the tiny synthetic OULU-NPU (`scripts/make_demo_clips.py` shows three of its
clips), checks each file as `vivant check` does, and prints errors by PAI species and by camera: a
number about made-up people and nothing else.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from make_demo_clips import LAYOUT, SEED

from vivant.attacks.recording import write_video
from vivant.datasets.synthetic_film import Studio, take
from vivant.datasets.synthetic_plan import FRAME_RATE, SIZES, plan
from vivant.session.session import Session
from vivant.session.verdict import Decision


def main(arguments: Sequence[str] | None = None) -> None:
    """Film what is not there yet, check all, print counts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("work_dir", type=Path, help="folder for the clips")
    parser.add_argument("--subjects", type=int, default=8, help="how many, with 30 clips each")
    options = parser.parse_args(arguments)
    videos = [video for video in plan(LAYOUT, "tiny") if video.path.startswith("Test_files/")]
    subjects = sorted({video.subject for video in videos})[: options.subjects]
    studio = Studio(LAYOUT, SEED, SIZES["tiny"].num_frames)
    counts: Counter[tuple[str, str]] = Counter()
    with Session.open(isolated=False) as session:
        for video in (each for each in videos if each.subject in subjects):
            clip = options.work_dir / Path(video.path).with_suffix(".mp4").name
            if not clip.exists():
                clip.parent.mkdir(parents=True, exist_ok=True)
                camera = take(video, LAYOUT, SEED).camera
                write_video(clip, studio.film(video), FRAME_RATE, camera.crf)
            decision = session.check(clip).decision
            expected = Decision.ATTACK if video.pai_species else Decision.BONA_FIDE
            outcome = "right" if decision is expected else "wrong"
            if decision is Decision.NO_DECISION:
                outcome = "no decision"
            for group in ("all", video.camera):
                counts[f"{group} {video.pai_species or 'bona fide'}", outcome] += 1
    for kind in sorted({kind for kind, _ in counts}):
        of_kind = {outcome: counts[kind, outcome] for outcome in ("right", "wrong", "no decision")}
        print(f"{kind}: " + ", ".join(f"{number} {name}" for name, number in of_kind.items()))


if __name__ == "__main__":
    main()
