"""Makes the model that ships: `lite`, trained on made-up people and simulated attacks alone.

    python scripts/make_starter_model.py WORK_DIR

Draws synthetic sets in OULU-NPU's and SiW's layout, simulates prints, replays and cut photos of
some of their bona fide clips, joins all by a manifest, prepares it, trains `lite` on its train
side, exports the graph and puts it into the package. Every step keeps what is there: it can be
killed, and goes on. The seeds of the demo's clips (`scripts/make_demo_clips.py`) are others.
"""

import argparse
import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from vivant.datasets.dataset import Reading
from vivant.networks.card import read_card, write_card
from vivant.plugins import find
from vivant.records import Label, Split

SETS = {"oulu0": ("oulu-npu", 0), "oulu1": ("oulu-npu", 1), "oulu2": ("oulu-npu", 2),
        "siw3": ("siw", 3)}  # fmt: skip
DATA = "vivant's synthetic people and attacks, seeds 0 to 4"
READERS = {"oulu-npu": "oulu_npu", "siw": "siw"}
SIMULATED_FROM = "oulu1"
NUM_DEV_SUBJECTS = 2  # Of each set: the other subjects of its dev side are trained with.
SIMULATION_SEED = 4
EACH = 3  # Of that set's bona fide clips, each third one.
SETTINGS = (
    "data.clips_per_epoch=640",
    "data.dev_windows=1",
    "augment.colour_shift=20",
    "augment.gamma_range=[0.75,1.35]",
    "augment.erase_share=0.25",
    "augment.cutout_px=20",
    "stage1.epochs=4",
    "stage3.epochs=1",
)
"""What half an hour on two cores allows; gentler augmentation, as `tiny` has."""
PACKAGE = Path(__file__).parents[1] / "src" / "vivant" / "session" / "models"


def vivant(*words: str) -> None:
    """Run a command of this package."""
    print("vivant", *words, flush=True)
    subprocess.run([sys.executable, "-m", "vivant", *words], check=True)


def read(root: Path, layout: str) -> Reading:
    """What is in a synthetic set."""
    reading: Reading = find("vivant.datasets", READERS[layout], "data set")().read(root)
    return reading


def link_bona_fide(root: Path, out: Path) -> None:
    """The bona fide clips of a set, by subject: what attacks are simulated from."""
    everything = read(root, "oulu-npu").presentations
    bona_fide = [row for row in everything if row.label is Label.BONA_FIDE]
    for row in bona_fide[::EACH]:
        if row.split is not None and row.split is not Split.TEST:
            target = out / f"{row.split.value}_{row.subject}" / Path(row.path).name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                os.link(root / row.path, target)


def manifest_rows(work: Path) -> Iterator[dict[str, str]]:
    """A row for each video of all sets."""
    for name, (layout, _) in SETS.items():
        dataset = find("vivant.datasets", READERS[layout], "data set")()
        splits = dataset.split(read(work / name, layout).presentations, "all")
        for split, rows in splits.items():
            for row in rows:
                label = row.label.name.lower()
                yield {
                    "path": f"{name}/{row.path}",
                    "label": label,
                    "pai": row.pai_species or "",
                    "subject": f"{name}_{row.subject}",
                    "split": split.value,
                    "set": name,
                }
    with (work / "simulated" / "manifest.csv").open(newline="", encoding="utf-8") as file:
        for made in csv.DictReader(file):
            split, _, subject = made["subject"].partition("_")
            yield {
                "path": f"simulated/{made['path']}",
                "label": made["label"],
                "pai": made["pai"],
                "subject": f"{SIMULATED_FROM}_{subject}",
                "split": Split(split).value,
                "set": "simulated",
            }


def divided(rows: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """The rows, with all but the first few dev subjects of each set on the train side."""
    found = list(rows)
    kept: dict[str, list[str]] = {}
    for row in found:
        if row["split"] == Split.DEV.value:
            subjects = kept.setdefault(row["subject"].partition("_")[0], [])
            if row["subject"] not in subjects and len(subjects) < NUM_DEV_SUBJECTS:
                subjects.append(row["subject"])
    for row in found:
        is_kept = row["subject"] in kept.get(row["subject"].partition("_")[0], [])
        if row["split"] == Split.DEV.value and not is_kept:
            row["split"] = Split.TRAIN.value
    return found


def name_data(card_path: Path) -> None:
    """Say in the card what the manifest is made of."""
    card = read_card(card_path)
    assert card.training is not None
    assert card.operating_point is not None
    training = card.training.model_copy(update={"data": DATA})
    data = f"{DATA}, dev side, SYNTHETIC"
    point = card.operating_point.model_copy(update={"data": data})
    write_card(
        card.model_copy(update={"training": training, "operating_point": point}), card_path.parent
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Do it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("work_dir", type=Path, help="folder for data and run; 4 GB")
    options = parser.parse_args(arguments)
    work: Path = options.work_dir
    for name, (layout, seed) in SETS.items():
        drawn = ("--layout", layout, "--size", "tiny", "--seed", str(seed))
        vivant("data", "synthetic", *drawn, "--out", str(work / name))
    link_bona_fide(work / SIMULATED_FROM, work / "bona_fide")
    simulated = ("--from", str(work / "bona_fide"), "--out", str(work / "simulated"))
    vivant("data", "simulate", *simulated, "--seed", str(SIMULATION_SEED))
    rows = divided(manifest_rows(work))
    with (work / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    store, run = work / "store", work / "run"
    vivant("data", "prepare", "manifest", str(work), "--out", str(store), "--trusted")
    trained = ("--data", str(store), "--protocol", "manifest:split", "--out", str(run))
    resume = ["--resume"] if (run / "experiment.json").exists() else []
    sets = [word for setting in SETTINGS for word in ("--set", setting)]
    vivant("train", "lite", *trained, *sets, *resume)
    name_data(run / "lite.safetensors.json")
    vivant("export", str(run / "lite.safetensors.json"), "--out", str(run))
    PACKAGE.mkdir(exist_ok=True)
    for file_name in ("lite.onnx", "lite.onnx.json"):
        shutil.copy(run / file_name, PACKAGE / file_name)
        print(f"{PACKAGE / file_name}: {(PACKAGE / file_name).stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
