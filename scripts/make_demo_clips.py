"""Makes the clips of `make demo`, without licensed data: one made-up person, and two attacks.

    python scripts/make_demo_clips.py OUT_DIR

A person whom a program draws, before a phone's camera, from a seed that no model has been trained
on (`scripts/make_starter_model.py` has another); and the same film shown on paper and on a screen,
and filmed again, as training makes its attacks. They show how the package answers and say nothing
of how well it does: MODEL_CARD.md has what it makes of 24 such people, and of real ones.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from vivant.attacks.filming import film
from vivant.attacks.recapturing import Medium, recapture
from vivant.attacks.recording import write_video
from vivant.datasets.synthetic_film import Studio
from vivant.datasets.synthetic_plan import FRAME_RATE, SIZES, plan
from vivant.faces.detectors.blazeface import blazeface

LAYOUT = "oulu-npu"
SEED = 2026
CRF = 23
"""Of all three: the coding must not tell them apart."""
PERSON, OTHER = "Test_files/3_1_38_1.avi", "Test_files/1_1_37_1.avi"
"""Who is filmed, and whose picture is behind the paper and mirrored in the screen."""
ATTACKS: dict[str, Medium] = {"attack_print.mp4": "paper", "attack_replay.mp4": "screen"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the clips."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out_dir", type=Path, help="folder for the clips; it is made if missing")
    out_dir: Path = parser.parse_args(arguments).out_dir
    out_dir.mkdir(parents=True, exist_ok=True)
    for name, frames in make_clips().items():
        clip = out_dir / name
        num_frames = write_video(clip, iter(frames), FRAME_RATE, CRF)
        print(f"{clip}: {num_frames} frames, {clip.stat().st_size // 1024} KiB, SYNTHETIC")


def make_clips(
    filmed: str = PERSON, behind: str = OTHER, seed: int = SEED
) -> dict[str, UInt8[np.ndarray, "n height width 3"]]:
    """The frames of each clip, RGB, by its file's name.

    Args:
        filmed: Path of the film in the layout.
        behind: The same of another person.
        seed: Of the recaptures.
    """
    videos = {video.path: video for video in plan(LAYOUT, "tiny")}
    studio = Studio(LAYOUT, SEED, SIZES["tiny"].num_frames)
    person, other = (np.stack(list(studio.film(videos[path]))) for path in (filmed, behind))
    face = blazeface(None).detect(person[0])[0].box
    clips = {"bona_fide.mp4": person}
    for name, medium in ATTACKS.items():
        generator = np.random.default_rng(seed)
        shown = recapture(person, face, other[0], medium, generator)
        clips[name] = film(shown, face, generator)
    return clips


if __name__ == "__main__":
    main()
