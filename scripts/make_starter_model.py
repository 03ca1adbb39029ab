"""Makes the model that ships: recipe `starter`, on openly licensed faces.

    python scripts/make_starter_model.py FOLDER WORK_DIR

FOLDER has bona fide pictures and their MANIFEST.csv (docs/starter.md). They are arranged
(`scripts/arrange_open_faces.py`), a set of drawn people is put beside them, so that `make demo` and
the synthetic benchmark mean something to the model, and all are prepared, trained on and exported;
the graph is put into the package. Every step keeps what is there: it can be killed, and goes on.
About an hour on two processor cores for 3,000 pictures; 1 GB in WORK_DIR.
"""

import argparse
import csv
import io
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from arrange_open_faces import main as arrange

from vivant.attacks.recording import write_video
from vivant.datasets.synthetic_film import Studio, take
from vivant.datasets.synthetic_plan import FRAME_RATE, SIZES, plan
from vivant.files import write_whole
from vivant.networks.card import read_card, write_card

LAYOUT, SEED = "oulu-npu", 0
"""Of the drawn people: `scripts/make_demo_clips.py` has another seed."""
NUM_DRAWN = 48
"""Videos of drawn people: one set among the others, and all sets count alike."""
PER_VIDEO = "5"
"""Stills of a video of the folder."""
MARGIN = "2.6"
"""What the wider crop needs with its jitter."""
PACKAGE = Path(__file__).parents[1] / "src" / "vivant" / "session" / "models"


def vivant(*words: str) -> None:
    """Run a command of this package."""
    print("vivant", *words, flush=True)
    subprocess.run([sys.executable, "-m", "vivant", *words], check=True)


def draw_people(faces: Path, num: int) -> None:
    """Films of drawn people, and their rows in the manifest: a set of its own."""
    videos = [
        video
        for video in plan(LAYOUT, "tiny")
        if video.pai_species is None and not video.path.startswith("Test_files/")
    ]
    chosen = videos[:: max(1, len(videos) // num)][:num] if num else []
    studio = Studio(LAYOUT, SEED, SIZES["tiny"].num_frames)
    with (faces / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] != "drawn"]
    for number, video in enumerate(chosen, start=1):
        path = Path("drawn") / Path(video.path).with_suffix(".mp4").name
        if not (faces / path).exists():
            (faces / path).parent.mkdir(exist_ok=True)
            crf = take(video, LAYOUT, SEED).camera.crf
            unfinished = faces / "drawn" / f".{path.name}.unfinished.mp4"
            write_video(unfinished, studio.film(video), FRAME_RATE, crf)
            unfinished.replace(faces / path)
        row = dict.fromkeys(rows[0], "") | {
            "path": str(path),
            "label": "bona_fide",
            "split": "dev" if video.path.startswith("Dev_files/") else "train",
            "subject": f"drawn/{video.subject:02}",
            "set": "drawn",
        }
        rows.append(row)
        if number % 12 == 0:
            print(f"{number} of {len(chosen)} films of drawn people", flush=True)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(faces / "manifest.csv", text.getvalue())


def name_data(card_path: Path, name: str) -> None:
    """Say in the card what the manifest is made of."""
    card = read_card(card_path)
    assert card.training is not None
    training = card.training.model_copy(update={"data": name})
    write_card(card.model_copy(update={"training": training}), card_path.parent)


def main(arguments: Sequence[str] | None = None) -> None:
    """Do it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="pictures and their MANIFEST.csv")
    parser.add_argument("work_dir", type=Path, help="folder for store and run: 1 GB")
    parser.add_argument(
        "--name",
        default="openly licensed faces, MODEL_CARD.md",
        help="for the card",
    )
    parser.add_argument("--into", type=Path, default=PACKAGE, help="where the graph is put")
    parser.add_argument("--drawn", type=int, default=NUM_DRAWN, help="films of drawn people")
    parser.add_argument("--set", action="append", default=[], help="as for `vivant train`")
    options = parser.parse_args(arguments)
    work: Path = options.work_dir
    faces, store, run = work / "faces", work / "store", work / "run"
    arrange([str(options.folder), str(faces), "--pictures-per-video", PER_VIDEO])
    draw_people(faces, options.drawn)
    prepared = ("manifest", str(faces), "--out", str(store), "--margin", MARGIN)
    vivant("data", "prepare", *prepared, "--close-faces", "--trusted")
    trained = ("--data", str(store), "--protocol", "manifest:split", "--out", str(run))
    resume = ["--resume"] if (run / "experiment.json").exists() else []
    sets = [word for setting in options.set for word in ("--set", setting)]
    vivant("train", "starter", *trained, *sets, *resume)
    card = run / "lite.safetensors.json"
    name_data(card, options.name)
    vivant("export", str(card), "--out", str(run))
    options.into.mkdir(parents=True, exist_ok=True)
    for file_name in ("lite.onnx", "lite.onnx.json"):
        shutil.copy(run / file_name, options.into / file_name)
        size = (options.into / file_name).stat().st_size
        print(f"{options.into / file_name}: {size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
