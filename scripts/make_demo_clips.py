"""Makes the clips of `make demo`, without licensed data: one made-up person, and two attacks.

    python scripts/make_demo_clips.py OUT_DIR

Drawn as `vivant data synthetic` draws, from a seed that no model has been trained on
(`scripts/make_starter_model.py` has those): a person who sits before a phone's camera, a print of
that person, and a replay on a screen. They show how the package answers and say nothing of how well
it does on people.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from vivant.attacks.recording import write_video
from vivant.datasets.synthetic_film import Studio, take
from vivant.datasets.synthetic_plan import FRAME_RATE, SIZES, plan

LAYOUT = "oulu-npu"
SEED = 2026
CLIPS = {
    "bona_fide.mp4": "Test_files/3_1_38_1.avi",
    "attack_print.mp4": "Test_files/3_1_38_2.avi",
    "attack_replay.mp4": "Test_files/3_1_38_4.avi",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the clips."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out_dir", type=Path, help="folder for the clips; it is made if missing")
    out_dir: Path = parser.parse_args(arguments).out_dir
    out_dir.mkdir(parents=True, exist_ok=True)
    videos = {video.path: video for video in plan(LAYOUT, "tiny")}
    studio = Studio(LAYOUT, SEED, SIZES["tiny"].num_frames)
    for name, path in CLIPS.items():
        camera = take(videos[path], LAYOUT, SEED).camera
        clip = out_dir / name
        num_frames = write_video(clip, studio.film(videos[path]), FRAME_RATE, camera.crf)
        print(f"{clip}: {num_frames} frames, {clip.stat().st_size // 1024} KiB, SYNTHETIC")


if __name__ == "__main__":
    main()
