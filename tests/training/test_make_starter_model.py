"""`scripts/make_starter_model.py` from a folder of pictures to a graph, on a small stand-in."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from people import person
from vivant.networks.card import read_card
from vivant.session.session import Session
from vivant.session.verdict import Decision

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_starter_model.py"
SETTINGS = ("data.clips_per_epoch=8", "data.num_workers=0", "stage2.epochs=1")


def stand_in(folder: Path) -> Path:
    """Two cameras and three people each: one portrait (public domain) in other tones and places."""
    rows = []
    for camera in range(2):
        for number in range(3):
            tone = np.random.default_rng((camera, number)).uniform(0.7, 1.1, 3)
            for at in range(2):
                path = f"set{camera}/s{number}/{at}.png"
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                frame = person(8 * at, 0, 1.2 + 0.2 * camera, seed=at)
                pixels = (frame * tone).clip(0, 255).astype(np.uint8)
                assert cv2.imwrite(str(folder / path), pixels[..., ::-1])
                rows.append((path, "bona_fide", f"s{number}", f"set{camera}"))
    with (folder / "MANIFEST.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "subject", "set"))
        writer.writerows(rows)
    return folder


@pytest.mark.slow
def test_model_is_made_with_one_command_and_again_in_no_time(tmp_path: Path) -> None:
    words = [
        sys.executable, str(SCRIPT), str(stand_in(tmp_path / "faces")), str(tmp_path / "work"),
        "--into", str(tmp_path / "package"), "--name", "a stand-in", "--drawn", "2",
        *(word for setting in SETTINGS for word in ("--set", setting)),
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    subprocess.run(words, check=True, env=environment)
    card_path = tmp_path / "package" / "lite.onnx.json"
    card = read_card(card_path)
    assert card.training.data == "a stand-in"
    assert card.training.pai_species == ("print", "replay")
    assert card.operating_point.cameras.num_cameras == 3
    assert card.preprocessing.context_scale == 2.0
    assert (tmp_path / "package" / "lite.onnx").stat().st_size < 25 * 2**20
    with Session.open(card_path, isolated=False) as session:
        frames = [person(6 * np.sin(at / 2), 0, 1.5, seed=at) for at in range(8)]
        verdict = session.check_frames(frames, [at / 10 for at in range(8)])
    assert verdict.decision in (Decision.BONA_FIDE, Decision.ATTACK)
    codes = {caution.code for caution in verdict.cautions}
    assert {"NO_RECORDED_ATTACKS", "UNCALIBRATED_CAMERA"} <= codes
    kept = (tmp_path / "work" / "run" / "stage1" / "best.json").stat().st_mtime_ns
    (tmp_path / "work" / "run" / "lite.onnx").unlink()  # As if killed in the last step.
    subprocess.run(words, check=True, env=environment)
    assert (tmp_path / "work" / "run" / "stage1" / "best.json").stat().st_mtime_ns == kept
